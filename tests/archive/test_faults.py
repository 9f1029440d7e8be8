"""The file of the history when things go wrong: a kill at any moment, a full disk, a file that cannot be opened."""

import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import anyio
import pytest

from hostwatch.archive.answers import of_file
from hostwatch.archive.archive import open_archive
from hostwatch.control import archive_writer, recorder
from hostwatch.control.archive import Archive, Archiving, Opened
from hostwatch.control.archive_writer import ArchiveWriter
from hostwatch.control.causes import AWAY
from hostwatch.control.comparison import Comparison
from hostwatch.control.history import History
from hostwatch.control.inquiry import Inquiry
from hostwatch.control.past import Past
from hostwatch.control.recorder import Finding, Recorder
from hostwatch.core.block.differences import name_changes
from hostwatch.core.block.records import Block, Withheld
from hostwatch.core.model import ContainerKey
from tests.archive.writer import BEGUN, block, key
from tests.disk import disk
from tests.effort import examples
from tests.logged import logged

NOTHING = Block()
_MONTH = 30 * 86400.0


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """The logged lines from INFO on."""
    with logged() as told:
        yield told


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 512 KiB."""
    with disk(tmp_path / "disk", "size=512k") as place:
        yield place


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path: Path) -> None:
    """What was written stays, no more than a batch that was not, and the next one goes on."""
    path = tmp_path / "history.db"
    safe = 0
    for _ in range(examples(30)):
        writer = subprocess.Popen(
            [sys.executable, "-m", "tests.archive.writer", path], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        first = int(writer.stdout.readline())
        assert safe < first <= safe + 60  # a batch may have been written and not told, and one is told
        time.sleep(random.random() * 0.2)
        writer.kill()
        numbers = [int(line) for line in writer.stdout.read().split("\n")[:-1]]
        writer.stdout.close()
        writer.wait()
        safe = max([first, *numbers])
        # A command reads it as it was left.
        assert safe <= of_file(path, Inquiry(limit=1))["changes"][0]["id"] <= safe + 30
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        archive, found = open_archive(path)
        with closing(archive):
            assert safe <= found.last_number <= safe + 30
            assert found.warning is None
            last = range(found.last_number, max(found.last_number - 20, 0), -1)
            assert found.blocks == {key(number): block(number) for number in last}
            told = [each["id"] for each in archive.changes(Inquiry(), 1 << 40)]
            assert told == [*range(told[0], found.last_number + 1)]
            then = max(found.last_number - 50, 0)
            assert {each.key: each.block for each in archive.blocks_at(BEGUN + then)} == {
                key(number): block(number) for number in range(then, max(then - 20, 0), -1)
            }
        safe = found.last_number


class Box:
    """A recorder with a file, as the daemon has it."""

    def __init__(self, path: Path, keep: float = _MONTH) -> None:
        self.history = History()
        self.writer = ArchiveWriter(open_archive, Archiving(path, keep))
        self.recorder = Recorder(self.history, self.writer)
        self.past = Past(self.history, self.recorder.blocks, lambda: self.writer.archive)
        self.known: dict[ContainerKey, Block] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While this is entered, changes are written."""
        async with self.recorder.recording():
            yield

    def write(self, number: int, after: Block, before: Block | None = None) -> None:
        """The file of that number was compared, and has that block now."""
        owner = key(number).owner
        known = self.known.get(owner, NOTHING)
        before = known if before is None else before
        text = b"text" if before != after else None
        note = Comparison(owner, owner.id, "start of db", text, before, known, after, 0.001)
        self.recorder.compared(note, Finding(time.time(), before, name_changes(before, after)))
        self.known[owner] = after

    @property
    def numbers(self) -> list[int]:
        """The numbers of the changes in memory."""
        return [change.number for change in self.history.changes]

    async def told(self, **asked: object) -> list[int]:
        """The numbers of the changes."""
        answer = await self.past.answer(replace(Inquiry(), **asked), (), ())  # type: ignore[arg-type]
        return [change["id"] for change in answer["changes"]]

    async def blocks(self, at: float) -> dict[str, int]:
        """How many lines each subscriber's block had at a moment."""
        answer = await self.past.answer(Inquiry(at=at), (), ())
        return {each["subscriber"]: len(each["records"]) + len(each["withheld"]) for each in answer["blocks"]}


async def until(check: Callable[[], bool]) -> None:
    """Wait until it is so."""
    with anyio.fail_after(20):
        while True:
            if check():
                return
            await anyio.sleep(0.02)


async def until_written(path: Path, number: int) -> None:
    """Wait until the file has that change."""

    def is_written() -> bool:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            found: tuple[int | None] = connection.execute("SELECT max(id) FROM change").fetchone()
            return found[0] == number

    await until(is_written)


async def opened(box: Box) -> None:
    """Wait until the file is open."""
    await until(lambda: box.writer.archive is not None)


def filled(disk: Path) -> Path:
    """A file that takes all the room of a disk."""
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    return ballast


async def test_a_daemon_goes_on_where_the_last_one_ended(tmp_path: Path, lines: list[str]) -> None:
    """With the numbers and the blocks; what happened in between is one change for each file."""
    path = tmp_path / "history.db"
    first = Box(path)
    async with first.running():
        await opened(first)
        for number in (1, 2, 3, 4):
            first.write(number, block(number))
    before = time.time()
    second = Box(path)
    async with second.running():
        second.recorder.all_compared(lambda owner: owner == key(4).owner)
        second.write(1, block(1), block(1))  # as it was left
        second.write(2, block(22), NOTHING)  # rebuilt by the engine, and now with another address
        second.write(3, block(23), block(3))  # as it was left, but with another address now
        await opened(second)
        assert [(change.number, change.cause) for change in second.history.changes] == [(5, AWAY), (6, "start of db")]
        await until_written(path, 6)
        assert await second.told() == [1, 2, 3, 4, 5, 6]
        assert await second.told(limit=3) == [4, 5, 6]
        assert await second.told(names=frozenset(["db"]), words=("web-2",)) == [2, 5]
        assert (await second.blocks(before)).keys() == {"web-1", "web-2", "web-3", "web-4"}
        assert (await second.blocks(time.time())).keys() == {"web-1", "web-2", "web-3"}
        sinces = await second.past.sinces([key(1).owner, key(2).owner])
        assert sinces[key(1)][block(1).records[0]] < before < sinces[key(2)][block(22).records[0]]
        assert sinces[key(2)][block(2).records[1]] < before  # cache is where it was
    assert lines == []


@pytest.mark.slow
async def test_a_full_disk_costs_history_and_nothing_else(
    small_disk: Path, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said once, memory has it all the same, and writing goes on when there is room."""
    monkeypatch.setattr(archive_writer, "_RETRY_SECONDS", 0.1)
    path = small_disk / "history.db"
    box = Box(path)
    async with box.running():
        box.write(1, block(1))
        await opened(box)
        await until_written(path, 1)
        ballast = filled(small_disk)
        for number in range(2, 200):
            box.write(number, block(number))
        await anyio.sleep(1)
        assert len(lines) == 1
        assert "the disk is full; make room; until then the history is in memory alone" in lines[0]
        assert await box.told() == [*range(1, 200)]
        ballast.unlink()
        await until_written(path, 199)
        await anyio.sleep(0.1)
        assert lines[1:] == [f"the history is written to {path} again"]
        assert await box.told() == [*range(1, 200)]
    archive, found = open_archive(path)
    with closing(archive):
        assert found.last_number == 199
        assert found.blocks[key(199)] == block(199)


@pytest.mark.slow
async def test_a_disk_that_stays_full(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting entries are bounded; afterwards the file knows how all files stand, those that ended included."""
    monkeypatch.setattr(archive_writer, "_RETRY_SECONDS", 0.1)
    monkeypatch.setattr(archive_writer, "_MOST_WAITING", 50)
    path = small_disk / "history.db"
    box = Box(path)
    async with box.running():
        box.recorder.all_compared(lambda owner: box.recorder.blocks.get(key(5)) is None and owner == key(5).owner)
        for number in range(1, 21):
            box.write(number, block(number))
        await opened(box)
        await until_written(path, 20)
        ballast = filled(small_disk)
        box.write(21, block(21))
        await anyio.sleep(0.5)
        for number in range(22, 200):
            box.write(number, block(number))
        box.recorder.ended(key(5), time.time())
        ballast.unlink()
        await anyio.sleep(0.5)
        box.write(200, block(200))
        await until_written(path, 200)
        expected = {found.key: found.block for found in box.recorder.blocks}
        assert len(expected) == 19
    archive, found = open_archive(path)
    with closing(archive):
        assert found.blocks == expected


@pytest.mark.slow
async def test_a_file_that_cannot_be_opened(tmp_path: Path, lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said once, and tried again."""
    monkeypatch.setattr(archive_writer, "_RETRY_SECONDS", 0.05)
    path = tmp_path / "history.db"
    path.write_text("127.0.0.1 localhost\n" * 10)
    box = Box(path)
    async with box.running():
        box.write(1, block(1))
        await anyio.sleep(0.5)
        assert len(lines) == 1
        assert "another program's; it is left as it is: name another file in history.file" in lines[0]
        assert await box.told() == [1]
        path.unlink()
        await opened(box)
        box.write(2, block(2))
        await until_written(path, 2)
        assert lines[1:] == [f"the history is written to {path} again"]
        assert (await box.blocks(time.time())).keys() == {"web-1", "web-2"}


async def test_a_file_that_breaks_is_moved_aside(
    tmp_path: Path, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said, and a new one begins with how all files stand."""
    monkeypatch.setattr(archive_writer, "_RETRY_SECONDS", 0.05)
    path = tmp_path / "history.db"
    box = Box(path)
    async with box.running():
        for number in range(1, 21):
            box.write(number, Block(block(number).records, (Withheld("@{mq.ip} mq", "x" * 4_000),)))
        await opened(box)
        await until_written(path, 20)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with path.open("r+b") as file:
            file.seek(100)
            file.write(b"\xa5" * (path.stat().st_size - 100))
        numbers = count(21)

        def is_moved() -> bool:
            box.write(number := next(numbers), block(number))
            return bool([*tmp_path.glob("history.db.corrupt-*")])

        await until(is_moved)
        await opened(box)
        box.write(number := next(numbers), block(number))
        await until_written(path, number)
        assert [line for line in lines if "is corrupt" in line]
        assert len(await box.blocks(time.time())) == 20


async def test_a_disk_that_hangs_delays_no_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes wait for the file, which has their numbers, but not for long; the file gets how all files stand."""
    monkeypatch.setattr(recorder, "_HOLD_SECONDS", 0.2)
    path = tmp_path / "history.db"
    is_let = threading.Event()

    def opener(path: Path) -> tuple[Archive, Opened]:
        is_let.wait(20)
        return open_archive(path)

    box = Box(path)
    box.writer = ArchiveWriter(opener, Archiving(path, _MONTH))
    box.recorder = Recorder(box.history, box.writer)
    async with box.running():
        box.write(1, block(1))
        await anyio.sleep(0.05)
        box.recorder.ended(key(1), time.time())
        assert box.numbers == []
        await anyio.sleep(0.3)
        box.write(2, block(2))
        assert box.numbers == [1, 2]
        is_let.set()
        await opened(box)
        box.write(3, block(3))
        await until_written(path, 3)
    archive, found = open_archive(path)
    with closing(archive):
        assert found.blocks == {key(2): block(2), key(3): block(3)}


@pytest.mark.slow
async def test_another_file_from_now_on(tmp_path: Path) -> None:
    """As after SIGHUP; and none, and the first one again."""
    one, other = tmp_path / "one.db", tmp_path / "other.db"
    box = Box(one)
    async with box.running():
        box.write(1, block(1))
        await opened(box)
        await until_written(one, 1)
        box.writer.adopt(Archiving(other, _MONTH))
        await until(other.exists)
        await opened(box)
        box.write(2, block(2))
        await until_written(other, 2)
        assert (await box.blocks(time.time())).keys() == {"web-1", "web-2"}
        box.writer.adopt(None)
        await anyio.sleep(0.3)
        box.write(3, block(3))
        assert box.writer.archive is None
        assert await box.told() == [1, 2, 3]
        box.writer.adopt(Archiving(one, _MONTH))
        await opened(box)
        box.write(4, block(4))
        await until_written(one, 4)
    archive, found = open_archive(one)
    with closing(archive):
        assert found.blocks == {key(number): block(number) for number in (1, 2, 3, 4)}
