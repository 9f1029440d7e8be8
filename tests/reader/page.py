"""A page of the documentation as a list of steps: what its reader types, writes and should see."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_FENCE = re.compile(r"(?P<indent> *)(?P<marks>`{3,})(?P<language>[\w-]*) *(?P<options>.*)")
_TITLE = re.compile(r'title="([^"]+)"')
_HIDDEN = re.compile(r"\s*<!-- run(?: (?P<seat>[a-z]+))?: (?P<command>.+) -->\s*")
_STATUS = re.compile(r"\s*<!-- status: (\d+) -->\s*")
_COMMENT = re.compile(r"<!-- page: (.*) -->")
_PROMPT = re.compile(r"(?P<seat>[a-z]*)\$ (?P<command>.*)")
_FURTHER = "> "


class PageError(Exception):
    """A page that cannot be read, with its place."""


@dataclass(frozen=True)
class Command:
    """A command that the reader types."""

    line: int
    text: str
    status: int = 0
    shown: tuple[str, ...] = ()
    """The output on the page, without which none is compared."""
    indent: str = ""
    seat: str = ""
    """Where it is typed, if there are several machines or users: `a` for the prompt `a$`."""

    @property
    def end(self) -> int:
        """The line below the command, in which its output begins."""
        return self.line + len(self.text.splitlines())


@dataclass(frozen=True)
class Written:
    """A file that the reader writes."""

    line: int
    name: str
    text: str


@dataclass(frozen=True)
class Hidden:
    """A command that the reader does not see, as one that waits."""

    line: int
    text: str
    seat: str = ""


Step = Command | Written | Hidden


@dataclass(frozen=True)
class Page:
    """A page and what it takes to follow it."""

    path: Path
    steps: Sequence[Step]
    machine: str = "docker"
    images: Sequence[str] = field(default_factory=tuple)
    files: Sequence[str] = field(default_factory=tuple)
    """What the reader has in their directory: packages by their names, and files of the repository by their paths."""

    @property
    def is_followed(self) -> bool:
        """Whether there is anything to do."""
        return any(isinstance(step, Command) for step in self.steps)

    @property
    def typed(self) -> str:
        """All that the page gives the reader to type or to write."""
        return "\n".join(step.text for step in self.steps)


def read(path: Path) -> Page:
    """The page in a file."""
    lines = path.read_text().splitlines()
    settings, begin = _settings(lines)
    page = Page(path, tuple(_steps(path, lines, begin)), **settings)
    if page.machine == "none" and page.is_followed:
        raise PageError(f"{path}: it has commands, but no machine")
    return page


def _settings(lines: Sequence[str]) -> tuple[dict[str, Any], int]:
    """What the front matter says, and the number of its lines. A page without one may say it in a comment."""
    if lines[:1] == ["---"]:
        end = lines.index("---", 1)
        found = yaml.safe_load("\n".join(lines[1:end])) or {}
        return {name: value for name, value in found.items() if name in ("machine", "images", "files")}, end + 1
    if lines and (comment := _COMMENT.fullmatch(lines[0])):
        return yaml.safe_load(comment[1]), 1
    return {}, 0


def _steps(path: Path, lines: Sequence[str], begin: int) -> Iterator[Step]:
    status, number = 0, begin
    while number < len(lines):
        line = lines[number]
        number += 1
        if hidden := _HIDDEN.fullmatch(line):
            yield Hidden(number, hidden["command"], hidden["seat"] or "")
        elif told := _STATUS.fullmatch(line):
            status = int(told[1])
        elif fence := _FENCE.fullmatch(line):
            end = _end(path, lines, number, fence)
            yield from _block(path, fence, number, lines[number:end], status)
            status, number = 0, end + 1


def _end(path: Path, lines: Sequence[str], begin: int, fence: re.Match[str]) -> int:
    """The index of the line that closes a block."""
    closing = fence["indent"] + fence["marks"]
    for number in range(begin, len(lines)):
        if lines[number].rstrip() == closing:
            return number
    raise PageError(f"{path}:{begin}: this block does not end")


def _block(path: Path, fence: re.Match[str], begin: int, lines: Sequence[str], status: int) -> Iterator[Step]:
    """The steps of a block, of which the first line has the number `begin` + 1."""
    inner = [line.removeprefix(fence["indent"]) for line in lines]
    if fence["language"] == "console":
        yield from _commands(path, begin, inner, status, fence["indent"])
    elif title := _TITLE.search(fence["options"]):
        yield Written(begin, title[1], "".join(f"{line}\n" for line in inner))


def _commands(path: Path, begin: int, lines: Sequence[str], status: int, indent: str) -> Iterator[Command]:
    found: list[tuple[int, str, list[str], list[str]]] = []
    for number, line in enumerate(lines, begin + 1):
        if prompt := _PROMPT.fullmatch(line):
            found.append((number, prompt["seat"], [prompt["command"]], []))
        elif not found:
            raise PageError(f"{path}:{number}: a block of commands begins with one, as `$ docker ps`")
        elif line.startswith(_FURTHER) and not found[-1][3]:
            found[-1][2].append(line.removeprefix(_FURTHER))
        else:
            found[-1][3].append(line)
    for number, seat, typed, shown in found:
        while shown and not shown[-1].strip():
            shown.pop()
        last = number == found[-1][0]
        yield Command(number, "\n".join(typed), status if last else 0, tuple(shown), indent, seat)
