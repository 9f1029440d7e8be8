"""Reports of written hosts files: each write, but only some of a file that is written in a loop."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from hostwatch.core.model import ContainerKey, EngineId
from hostwatch.hosts.inotify import Event, Inotify
from hostwatch.hosts.paths import PathHostsFiles

ENGINE = EngineId("engine")
HOSTS = [Path("hosts"), Path("userdata/hosts")]
ANY = "any file"
QUEUED = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
pytestmark = pytest.mark.parametrize("hosts", HOSTS, ids=str)


def place(directory: Path, name: str, hosts: Path) -> Path:
    """The path of a container's file, made as by the engine."""
    path = directory / name / hosts
    path.parent.mkdir(parents=True)
    path.write_text("127.0.0.1 localhost\n")
    return path


@asynccontextmanager
async def watched(directory: Path, hosts: Path) -> AsyncIterator[Counter[str]]:
    """The number of reports of each container's file from now on."""
    told: Counter[str] = Counter()

    def changed(key: ContainerKey | None) -> None:
        told[key.id if key is not None else ANY] += 1

    async with anyio.create_task_group() as tasks:
        await tasks.start(PathHostsFiles(ENGINE, directory, hosts).watch, changed)
        yield told
        tasks.cancel_scope.cancel()


async def settled(told: Counter[str], name: str) -> int:
    """The number of reports of a file, once no more come."""
    before = -1
    while before != told[name]:
        before = told[name]
        await anyio.sleep(0.2)
    return before


async def test_a_written_file_is_reported(tmp_path: Path, hosts: Path) -> None:
    """Also a file that has appeared since the start."""
    old = place(tmp_path, "old", hosts)
    async with watched(tmp_path, hosts) as told:
        place(tmp_path, "new", hosts)
        old.write_text("127.0.0.1 localhost\n")
        assert await settled(told, "new")
        assert told["old"] == 1


@pytest.mark.slow
async def test_a_watch_that_the_kernel_took_off_is_no_error(tmp_path: Path, hosts: Path) -> None:
    """A file is written in a loop, and gone before its events are read. Other files are still reported."""
    flooded, calm = place(tmp_path, "flooded", hosts), place(tmp_path, "calm", hosts)
    async with watched(tmp_path, hosts) as told:
        for _ in range(400):
            for file in (flooded, flooded.with_name("hostname")):
                file.open("a").close()
        shutil.rmtree(tmp_path / "flooded")
        assert await settled(told, "flooded")
        calm.write_text("127.0.0.1 localhost\n")
        assert await settled(told, "calm")


@pytest.mark.slow
async def test_after_lost_events_only_written_files_are_reported(tmp_path: Path, hosts: Path) -> None:
    """Each by itself, and then that any other may have changed. The times of the others show no write."""
    old, told_before = (place(tmp_path, name, hosts) for name in ("old", "told before"))
    noisy = [place(tmp_path, name, hosts) for name in ("noisy", "also noisy")]
    written = place(tmp_path, "written", hosts)
    async with watched(tmp_path, hosts) as told:
        os.utime(old, (0, 0))  # no change of its text
        told_before.write_text("127.0.0.1 localhost\n")
        assert await settled(told, "told before") == 1
        for number in range(QUEUED + 100):  # two in turn: of events that are equal the kernel tells once
            noisy[number % 2].open("a").close()
        written.write_text("127.0.0.1 localhost\n")
        place(tmp_path, "new", hosts)
        with anyio.fail_after(20):
            while not told[ANY]:  # noqa: ASYNC110
                await anyio.sleep(0.01)
        assert await settled(told, "written")
        assert told["written"] == told["new"] == told["told before"] == 1
        assert told["old"] == 0
        written.write_text("127.0.0.1 localhost\n")
        assert await settled(told, "written") == 2


@pytest.mark.slow
async def test_another_file_in_the_place_of_one_is_reported(tmp_path: Path, hosts: Path) -> None:
    """And so are its later writes. A process may still have the first one open, as a container has."""
    moved, linked, mode = (place(tmp_path, name, hosts) for name in ("moved", "linked", "mode"))
    async with watched(tmp_path, hosts) as told:
        for number, old in enumerate((moved, linked), 1):
            with old.open():
                new = tmp_path / "new"
                new.write_text(f"10.0.0.{number} x\n")
                new.rename(old)
                assert await settled(told, old.relative_to(tmp_path).parts[0]) == 1
                old.write_text("127.0.0.1 localhost\n")
                assert await settled(told, old.relative_to(tmp_path).parts[0]) == 2
        moved.rename(tmp_path / "elsewhere")
        assert await settled(told, "moved") == 2
        moved.write_text("127.0.0.1 localhost\n")
        assert await settled(told, "moved") == 3
        with linked.open():
            linked.unlink()
            linked.write_text("127.0.0.1 localhost\n")
            assert await settled(told, "linked") >= 3
            before = told["linked"]
            linked.write_text("127.0.0.1 localhost\n")
            assert await settled(told, "linked") == before + 1
        mode.chmod(0o600)
        assert await settled(told, "mode") == 0
        mode.write_text("127.0.0.1 localhost\n")
        assert await settled(told, "mode") == 1


@pytest.mark.slow
async def test_other_files_beside_a_hosts_file_wake_nobody(
    tmp_path: Path, hosts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory is watched only while it has no hosts file. In those above, other programs may make files."""
    old, events = place(tmp_path, "old", hosts), list[Event]()
    (tmp_path / "new" / hosts).parent.mkdir(parents=True)
    read = Inotify.read

    def noted(inotify: Inotify) -> list[Event]:
        found = read(inotify)
        events.extend(event for event in found if event.place is None or event.place.is_relative_to(tmp_path))
        return found

    monkeypatch.setattr(Inotify, "read", noted)
    async with watched(tmp_path, hosts) as told:
        for name in ("old", "new"):
            (tmp_path / name / hosts).write_text("127.0.0.1 localhost\n")
            assert await settled(told, name) == 1
        while events:
            events.clear()
            await anyio.sleep(0.2)
        for name in ("old", "new"):
            (tmp_path / name / hosts).with_name("hostname").write_text("x")
        assert await settled(told, "new") == told["old"] == 1
        assert not events
        old.write_text("127.0.0.1 localhost\n")
        assert await settled(told, "old") == 2


FLOOD = """
import sys, time
end = time.monotonic() + 1.5
while time.monotonic() < end:
    for name in sys.argv[1:]:  # two files: of events that are equal the kernel tells once
        open(name, "a").close()
"""


@pytest.mark.slow
async def test_a_file_that_is_written_in_a_loop_does_not_keep_us_busy(tmp_path: Path, hosts: Path) -> None:
    """Other files are still reported. Its last write is reported in the end, and so are all later ones."""
    flooded, calm = place(tmp_path, "flooded", hosts), place(tmp_path, "calm", hosts)
    async with watched(tmp_path, hosts) as told:
        flood = [sys.executable, "-c", FLOOD, str(flooded), str(flooded.with_name("hostname"))]
        async with await anyio.open_process(flood) as process:
            for number in range(10):
                await anyio.sleep(0.1)
                calm.write_text(f"{number}\n")
                with anyio.fail_after(1):
                    while told["calm"] <= number:  # noqa: ASYNC110
                        await anyio.sleep(0.01)
            at_once = told["flooded"]
            assert await process.wait() == 0
        await anyio.sleep(1.5)
        after = told["flooded"]
        assert at_once < after < 4_000
        flooded.write_text("127.0.0.1 localhost\n")
        await settled(told, "flooded")
        assert told["flooded"] == after + 1
