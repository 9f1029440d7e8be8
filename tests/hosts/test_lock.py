"""The lock by which one hostwatch keeps a directory's files: across namespaces and mounts, until its holder ends."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hostwatch.hosts.lock import STRANGER_SECONDS, DirectoryLock, Holder, HostFileLocks, holder_of

OTHER = """
import os, sys, time
from pathlib import Path
from hostwatch.hosts.lock import DirectoryLock, HostFileLocks
place = Path(sys.argv[1])
if place.is_dir():
    lock = DirectoryLock(os.open(place, os.O_RDONLY))
    print(lock.take(0.0), lock.holder(), flush=True)
else:
    lock = HostFileLocks(None, Path(sys.argv[2]))
    print(lock.holder(place), flush=True)
sys.stdin.read()
"""
ELSEWHERE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-ec")


@contextmanager
def other(place: Path, *arguments: object, within: tuple[str, ...] = ()) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that tries to lock the place until it is ended, with its result."""
    command = [*within, sys.executable, "-c", OTHER, str(place), *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[DirectoryLock]:
    """A lock on the directory, not taken yet."""
    file = os.open(tmp_path, os.O_RDONLY)
    yield DirectoryLock(file)
    os.close(file)


def test_one_has_it(tmp_path: Path, lock: DirectoryLock) -> None:
    """Another process gets it once the first is killed, and not before. Each knows of the other."""
    assert holder_of(tmp_path) is None
    with other(tmp_path) as (process, told):
        assert told == "True None"
        assert not lock.take(0.0)
        assert not lock.take(STRANGER_SECONDS + 1)
        holder = lock.holder()
        assert holder == holder_of(tmp_path)
        assert holder is not None
        assert (holder.is_hostwatch, holder.pid) == (True, process.pid)
        assert str(holder).startswith(f"hostwatch, process {process.pid} ({sys.executable} -c ")
        process.kill()
        process.wait()
        assert lock.take(0.0)
        assert not lock.is_awaited()
    with other(tmp_path) as (_, told):
        assert told.startswith(f"False hostwatch, process {os.getpid()} (")
        assert lock.is_awaited()
    assert not lock.is_awaited()


def test_it_is_seen_through_mounts_and_namespaces(tmp_path: Path, lock: DirectoryLock) -> None:
    """The holder's process is not visible there, but it is known as a hostwatch."""
    assert lock.take(0.0)
    seen = tmp_path / "seen"
    seen.mkdir()
    within = (*ELSEWHERE, f'mount --bind {tmp_path} {seen}; exec "$@"', "sh")
    with other(seen, within=within) as (_, told):
        assert told == "False another hostwatch, a process that is not visible from here"
        assert lock.is_awaited()


def test_another_program_is_waited_for_only_for_a_while(tmp_path: Path, lock: DirectoryLock) -> None:
    """Then one hostwatch goes on without the lock, and no second one."""
    with subprocess.Popen(
        ["flock", "--close", str(tmp_path), "sh", "-c", "echo; exec sleep 100"], stdout=subprocess.PIPE
    ) as held:
        assert held.stdout is not None
        held.stdout.readline()
        assert not lock.take(5.0)
        holder = lock.holder()
        assert holder is not None
        assert (holder.is_hostwatch, holder.pid) == (False, held.pid)
        assert not lock.take(5.0 + STRANGER_SECONDS - 1)
        assert not lock.is_without
        assert lock.take(5.0 + STRANGER_SECONDS)
        assert lock.is_without
        with other(tmp_path) as (_, told):
            assert told.startswith("False hostwatch, ")
        held.kill()
        held.wait()
        with other(tmp_path) as (_, told):
            assert told.startswith("False another hostwatch, ")


def test_two_that_go_on_without_it_at_once(tmp_path: Path) -> None:
    """Never both."""
    files = [os.open(tmp_path, os.O_RDONLY) for _ in range(3)]
    try:
        stranger, *_ = files
        fcntl.flock(stranger, fcntl.LOCK_EX)
        first, second = map(DirectoryLock, files[1:])
        assert [first.take(0.0), second.take(0.0)] == [False, False]
        assert [first.take(STRANGER_SECONDS), second.take(STRANGER_SECONDS)] == [True, False]
    finally:
        for file in files:
            os.close(file)


def test_a_file_of_the_host(tmp_path: Path) -> None:
    """By any path to it. It is free again once the other has ended, or does not keep the file any more."""
    hosts, link = tmp_path / "hosts", tmp_path / "link"
    hosts.write_text("")
    link.symlink_to(hosts)
    locks = HostFileLocks(set(), tmp_path / "locks")
    with other(link, tmp_path / "locks") as (process, told):
        assert told == "None"
        holder = locks.holder(hosts)
        assert holder is not None
        assert holder.pid == process.pid
        process.kill()
        process.wait()
        assert locks.holder(hosts) is None
        assert locks.holder(hosts) is None
    with other(link, tmp_path / "locks") as (_, told):
        assert f"process {os.getpid()}" in told
        locks.settle(hosts)
    with other(link, tmp_path / "locks") as (_, told):
        assert told == "None"


def test_without_a_lock_file_the_file_is_kept_all_the_same(tmp_path: Path) -> None:
    """For instance on a read-only root."""
    hosts = tmp_path / "hosts"
    hosts.write_text("")
    assert HostFileLocks(None, hosts).holder(hosts) is None
    assert str(Holder(is_hostwatch=False)) == "a process that is not visible from here"
