"""The time of a log line: after waiting files, but not much later."""

import ipaddress
from collections.abc import Iterator

import anyio
import pytest

from hostwatch.control.comparison import Comparison
from hostwatch.control.figures import FileFigures
from hostwatch.control.journal import ChangeJournal
from hostwatch.core.block.records import Block, Record, Withheld
from hostwatch.core.model import ContainerId, ContainerKey, EngineId
from tests.control.memory import recorder
from tests.logged import logged

OLD, NEW = (Block((Record(ipaddress.ip_address(address), ("db",)),)) for address in ("10.0.0.5", "10.0.0.6"))
TEXT = b"# hostwatch: begin\n10.0.0.5        db\n# hostwatch: end\n"


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """The logged lines."""
    with logged() as told:
        yield told


def key(name: str) -> ContainerKey:
    """The key of the file of `name`."""
    return ContainerKey(EngineId("engine"), ContainerId(name))


def moved(name: str, before: Block | None = OLD) -> Comparison:
    """The file of `name` gave `db` another address."""
    return Comparison(key(name), name, "start db", TEXT, before, OLD, NEW, 0.0042)


async def test_a_line_waits_for_files_but_not_for_long(lines: list[str]) -> None:
    """It comes once no file waits, or after a tenth of a second if there is always one more."""
    busy = True
    journal = ChangeJournal(lambda: busy, recorder(), FileFigures())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.run)
        journal.note(moved("web"))
        await anyio.sleep(0.03)
        assert lines == []
        busy = False
        await anyio.sleep(0.03)
        assert lines == ["web: db 10.0.0.5 → 10.0.0.6 (start db, 4.2 ms)"]
        busy = True
        journal.note(moved("app"))
        await anyio.sleep(0.3)
        assert lines[1:] == ["app: db 10.0.0.5 → 10.0.0.6 (start db, 4.2 ms)"]
        tasks.cancel_scope.cancel()


async def test_the_last_lines_are_written_at_the_end(lines: list[str]) -> None:
    """A user who stops the daemon reads them, too, in their order."""
    journal = ChangeJournal(lambda: True, recorder(), FileFigures())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.run)
        await anyio.lowlevel.checkpoint()
        for number in range(20):
            journal.note(moved(f"web-{number}"))
        tasks.cancel_scope.cancel()
    assert [line.partition(":")[0] for line in lines] == [f"web-{number}" for number in range(20)]


async def test_a_block_that_is_not_known_is_looked_for_in_the_text(lines: list[str]) -> None:
    """For instance after a restart, or after a foreign write. A withheld line comes after it."""
    journal = ChangeJournal(lambda: False, recorder(), FileFigures())
    withheld = Block(NEW.records, (Withheld("@{mq.ip} mq", "mq: no running container"),))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(journal.run)
        journal.note(Comparison(key("web"), "web", "start db", TEXT, None, Block(), withheld, 0.001))
        await anyio.sleep(0.03)
        tasks.cancel_scope.cancel()
    assert lines == [
        "web: db 10.0.0.5 → 10.0.0.6 (start db, 1.0 ms)",
        "web: withheld: @{mq.ip} mq (mq: no running container)",
    ]
