"""Lines for people: folded between words, coloured on a terminal only, and safe for it."""

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostwatch.terminal.diff import diff_lines
from hostwatch.terminal.lines import BAD, folded, line, show
from tests.terminal import on_terminal

SHOWING = """\
import sys
from hostwatch.terminal.diff import diff_lines
from hostwatch.terminal.lines import BAD, line, show
show([line("shop-web-1: ", ("refused: a rather long reason that does not fit", BAD))])
show(diff_lines("-old old old old old old old old old old\\n+new\\n"))
"""
SEEN = [
    "shop-web-1: refused: a rather",
    "    long reason that does not",
    "    fit",
    "-old old old old old old old old old old",
    "+new",
]
TERMINAL = {"PATH": "/usr/bin:/bin", "TERM": "xterm-256color", "LANG": "C.UTF-8"}


def shown(**environ: str) -> list[str]:
    """The lines on a terminal of 30 columns."""
    return on_terminal([sys.executable, "-c", SHOWING], 30, TERMINAL | environ)


def test_a_terminal_shows_colours() -> None:
    """They begin anew in each line, and end with it. Diffs are not folded, so that a copy is whole."""
    assert shown() == [
        "shop-web-1: \x1b[31mrefused: a rather\x1b[0m",
        "    \x1b[31mlong reason that does not\x1b[0m",
        "    \x1b[31mfit\x1b[0m",
        "\x1b[31m-old old old old old old old old old old\x1b[0m",
        "\x1b[32m+new\x1b[0m",
    ]


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_declined(environ: dict[str, str]) -> None:
    """The words stay."""
    assert shown(**environ) == SEEN


def test_a_pipe_gets_neither_colours_nor_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even if the environment asks for colours, as those who read the pipe may not."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    pipe = io.StringIO()
    show([line("shop-web-1: ", ("refused: " + "long " * 100 + "end", BAD)), *diff_lines("-old\n+new\n")], pipe)
    assert pipe.getvalue() == "shop-web-1: refused: " + "long " * 100 + "end\n-old\n+new\n"


def test_what_containers_choose_cannot_act_on_a_terminal() -> None:
    """Neither by control characters nor by rich's own markup."""
    hostile = "[red]\x1b[2J\r\n\u202e[/]"
    assert line(hostile).plain == r"[red]\x1b[2J\r \u202e[/]"
    assert [text.plain for text in diff_lines(f"+{hostile}\n")] == [r"+[red]\x1b[2J\r", r"\u202e[/]"]


@given(st.lists(st.text("ab-é ", min_size=1, max_size=12)), st.integers(1, 40))
def test_folding_breaks_no_word(parts: list[str], width: int) -> None:
    """Every word is there in its order. A line that is too wide has one word."""
    pieces = [piece.plain for piece in folded(line(*parts), width)]
    assert " ".join(pieces).split() == "".join(parts).split()
    assert [piece for piece in pieces if len(piece) > width and len(piece.split()) > 1] == []
