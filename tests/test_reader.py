"""How pages are read and compared, without a machine."""

import re
from pathlib import Path

import pytest

from tests.reader.comparison import Bindings, addresses, matched
from tests.reader.documentation import PAGES, name
from tests.reader.page import Command, Hidden, Page, PageError, Written, read
from tests.reader.reading import Reading
from tests.reader.rewriting import rewritten

PAGE = """\
---
machine: docker
images: [mysql:8]
---
# A page

1. Write a file:

    ```yaml title="compose.yaml"
    services:
      db: {image: mysql:8}
    ```

<!-- run: sleep 1 -->

<!-- status: 3 -->
```console
$ docker compose up \\
>   --detach
$ hostwatch plan --exit-code
web:
  172.18.0.3  db
...
```

The database is at 172.18.0.3.

```yaml
shown: only
```
"""

UNTYPED = re.compile(r"^ *`{3,}(?:(?:ba|z)?sh|shell)\b|^ *`{3,}(?!console)[^\n]*\n+ *[a-z]*\$ ", re.MULTILINE)
"""A block of commands that nobody types, as it is not `console`."""


def page(tmp_path: Path, text: str = PAGE) -> Page:
    path = tmp_path / "page.md"
    path.write_text(text)
    return read(path)


def test_a_page_is_a_list_of_steps(tmp_path: Path) -> None:
    found = page(tmp_path)
    assert (found.machine, found.images) == ("docker", ["mysql:8"])
    assert found.steps == (
        Written(9, "compose.yaml", "services:\n  db: {image: mysql:8}\n"),
        Hidden(14, "sleep 1"),
        Command(18, "docker compose up \\\n  --detach"),
        Command(20, "hostwatch plan --exit-code", 3, ("web:", "  172.18.0.3  db", "...")),
    )


def test_every_block_of_commands_is_typed() -> None:
    """One of another kind would be shown only. The page about the code is not followed."""
    texts = {name(page): page.path.read_text() for page in PAGES}
    assert {path for path, text in texts.items() if UNTYPED.search(text)} == set()


@pytest.mark.parametrize(
    "text", ["```sh\nls\n```\n", "    ```bash\nls\n", "```text\na$ ls\n```\n", "```\n\n$ ls\n```\n"]
)
def test_a_block_that_nobody_types_is_found(text: str) -> None:
    assert UNTYPED.search(f"Text\n\n{text}")
    assert not UNTYPED.search("```console\n$ ls\n```\n\n`$ ls`\n\n```yaml\na: $b\n```\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("```console\n$ docker ps\n", "page.md:1: this block does not end"),
        ("```console\nCONTAINER\n```\n", "page.md:2: a block of commands begins with one"),
        ("---\nmachine: none\n---\n```console\n$ docker ps\n```\n", "it has commands, but no machine"),
    ],
)
def test_a_page_that_cannot_be_followed_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(PageError, match=reason):
        page(tmp_path, text)


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ("a\n...\nd", "a\nb\nc\nd"),
        ("...", ""),
        ("up 3 seconds, 4.1 ms, About a minute ago", "up 14 seconds, 0.9 ms, 2 minutes ago"),
        ("at 2026-11-30 03:37:53.860+00:00 x", "at 2027-01-02 13:07:00.001+00:00 x"),
        ("c24636ee71e0 db", f"{'0' * 64} db"),
        ("172.18.0.3      db\n172.18.0.4 web", "10.0.0.100 db\n10.0.0.4   web"),
        ("172.18.0.3 a\n172.18.0.3 b", "10.0.0.1 a\n10.0.0.1 b"),
        ("fd00::2 db", "fd00:1::9 db"),
        ("hostwatch[12]: pid 12", "hostwatch[9]: pid 9"),
    ],
)
def test_the_same_words_are_alike(shown: str, real: str) -> None:
    assert matched(shown.splitlines(), real.splitlines(), Bindings()) is not None


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ("a\n...\nd", "a\nb"),
        ("a", "a\nb"),
        ("a\nb", "a"),
        ("replica 1", "replica 2"),
        ("8080:80", "8081:80"),
        ("172.18.0.3 a\n172.18.0.3 b", "10.0.0.1 a\n10.0.0.2 b"),
        ("172.18.0.3 a\n172.18.0.4 b", "10.0.0.1 a\n10.0.0.1 b"),
        ("127.0.0.1 a", "10.0.0.1 a"),
        ("192.0.2.7 a", "192.0.2.8 a"),
        ("10.9.9.9 chosen", "10.9.9.8 chosen"),
    ],
)
def test_other_words_are_not(shown: str, real: str) -> None:
    bindings = Bindings(fixed=addresses("ipv4_address: 10.9.9.9"))
    assert matched(shown.splitlines(), real.splitlines(), bindings) is None


def test_a_difference_has_its_place_and_only_what_differs(tmp_path: Path) -> None:
    found = page(tmp_path)
    reading = Reading(found, Bindings())
    command = found.steps[-1]
    assert isinstance(command, Command)
    assert reading.take(command, 3, "web:\n  10.0.0.5        db\n  10.0.0.6        cache\n")
    assert not reading.faults
    assert reading.take(command, 3, "web-1:\n  10.0.0.5        db\n")
    (fault,) = reading.faults
    assert fault.startswith(f"{found.path}:20: $ hostwatch plan")
    assert "- web:\n+ web-1:\n    172.18.0.3  db" in fault
    assert not reading.take(command, 0, "")
    assert "it ends with status 0 instead of 3" in reading.faults[-1]


def test_the_real_output_is_put_in(tmp_path: Path) -> None:
    """What the page leaves out stays left out, if it is right. Addresses are the machine's everywhere."""
    text = PAGE.replace("  --detach\n", "  --detach\n?\n")
    found = page(tmp_path, text)
    up, plan = (step for step in found.steps if isinstance(step, Command))
    reading = Reading(found, Bindings())
    reading.take(up, 0, "created\nstarted\n")
    reading.take(plan, 3, "web:\n  10.0.0.5  db\nmore\n")
    wanted = text.replace("--detach\n?\n", "--detach\ncreated\nstarted\n").replace("172.18.0.3", "10.0.0.5")
    assert rewritten(text, reading) == wanted
