"""A hosts file after an update that the kernel ends or fails half way, and the error of that update."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

import pytest

from hostwatch.core.block.hostsfile import rewritten
from hostwatch.core.block.records import Block
from hostwatch.hosts.files import HostsFileFailed, update, update_at_once
from tests.hosts.test_files import ENGINE, answer, attempt, child, held_open, hosts, with_db
from tests.strace import calls, traced

__all__ = ["hosts"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to trace other processes")

WRITING = ("openat", "fcntl", "pread64", "pwrite64", "ftruncate", "close", "newfstatat", "fstat")
"""The system calls of an update. The last two are the same."""
BEHIND = b"10.3.3.3\tbehind\n10.3.3.4\tbehind2\n"
CHANGES = {
    "first block": (ENGINE, with_db("10.0.0.1")),
    "address": (with_db("10.0.0.1")(ENGINE) + BEHIND, with_db("10.0.0.2")),
    "growing": (with_db("10.0.0.1")(ENGINE) + BEHIND, with_db("10.0.0.22", "x", "y")),
    "shrinking": (with_db("10.0.0.1", "x", "y")(ENGINE) + BEHIND, with_db("10.0.0.22")),
}


Updater = Callable[[Path, Callable[[bytes], bytes]], object]
Updating = tuple[int, Connection, IO[bytes]]
"""A process, the pipe to it, and the output of strace about it."""


@contextmanager
def updating(path: Path, change: Callable[[bytes], bytes], *options: str, by: Updater = update) -> Iterator[Updating]:
    """Updates the file in a process of its own, which then sends its error, with strace attached."""

    def work(connection: Connection) -> None:
        connection.send(os.getpid())
        connection.recv()
        error = attempt(lambda: by(path, change))
        os.getppid()  # the end, for who reads the trace
        connection.send(error)

    with child(work) as connection:
        process = answer(connection)
        with traced(process, *options) as tracer:
            assert tracer.stderr is not None
            connection.send(None)
            yield process, connection, tracer.stderr


def updated_under(
    path: Path, change: Callable[[bytes], bytes], *options: str, by: Updater = update
) -> tuple[str, str] | None:
    """Updates the file in a process of its own, with strace attached; returns its error, `None` if it was killed."""
    with updating(path, change, *options, by=by) as (_, connection, _):
        try:
            found: tuple[str, str] = answer(connection)
        except EOFError:
            return None
        return found


def sequence(path: Path, change: Callable[[bytes], bytes], by: Updater = update) -> list[tuple[str, int]]:
    """The system calls of an update, each with its number among those of its name."""
    trace = path.with_name("trace")
    updated_under(path, change, f"--output={trace}", f"--trace={','.join(WRITING)},getppid", by=by)
    *names, end = calls(trace)
    assert end == "getppid"
    return [(name, names[: index + 1].count(name)) for index, name in enumerate(names)]


def lines(text: bytes) -> list[bytes]:
    return [line for line in text.split(b"\n") if line]


def check(text: bytes, old: bytes, new: bytes) -> None:
    """Asserts the state after an update that ended anywhere: all foreign lines, and no line neither old nor new."""
    foreign = lines(rewritten(old, Block()).text)
    assert set(lines(text)) <= {*lines(old), *lines(new)}
    assert [line for line in lines(text) if line in foreign] == foreign


@pytest.mark.slow
@pytest.mark.parametrize(
    ("alone", "by"),
    [
        pytest.param(True, update, id="lease"),
        pytest.param(False, update, id="somebody keeps it open, so there is no lease"),
        pytest.param(True, update_at_once, id="at once"),
    ],
)
@pytest.mark.parametrize("kind", CHANGES)
def test_killed_at_every_system_call(hosts: Path, kind: str, alone: bool, by: Updater) -> None:
    """SIGKILL in place of each call of an update. The next update repairs all but blank lines at the end.

    Nobody can tell those from somebody's own.
    """
    old, change = CHANGES[kind]
    new = change(old)
    with held_open(hosts.parent if alone else hosts):
        hosts.write_bytes(old)
        at = [
            (name, number) for name, number in sequence(hosts, change, by) if alone or name in ("pwrite64", "ftruncate")
        ]
        assert hosts.read_bytes() == new
        assert {"pwrite64"} <= {name for name, _ in at}
        left = set[bytes]()
        for name, number in at:
            hosts.write_bytes(old)
            assert updated_under(hosts, change, f"--inject={name}:signal=SIGKILL:when={number}", by=by) is None
            text = hosts.read_bytes()
            left.add(text)
            check(text, old, new)
            assert re.sub(b"\n+$", b"\n", update(hosts, change).after) == new
    assert old in left


@pytest.mark.parametrize("by", [update, update_at_once])
@pytest.mark.parametrize("code", ["EIO", "EDQUOT", "ENOSPC"])
@pytest.mark.parametrize("kind", CHANGES)
def test_failed_at_every_call_that_writes(hosts: Path, kind: str, code: str, by: Updater) -> None:
    """The error has a remedy. The next update makes the file right to the byte."""
    old, change = CHANGES[kind]
    hosts.write_bytes(old)
    at = [(name, number) for name, number in sequence(hosts, change, by) if name in ("pwrite64", "ftruncate")]
    for name, number in at:
        hosts.write_bytes(old)
        error = updated_under(hosts, change, f"--inject={name}:error={code}:when={number}", by=by)
        assert error is not None
        assert (error[0], "will be tried again" in error[1]) == (HostsFileFailed.__name__, True)
        check(hosts.read_bytes(), old, change(old))
        update(hosts, change)
        assert hosts.read_bytes() == change(old)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["growing", "shrinking"])
def test_interrupted_at_every_call(hosts: Path, kind: str) -> None:
    """After EINTR the call is made again."""
    old, change = CHANGES[kind]
    hosts.write_bytes(old)
    for name, number in sequence(hosts, change):
        if name != "close":  # which the kernel does even if it says EINTR
            hosts.write_bytes(old)
            assert updated_under(hosts, change, f"--inject={name}:error=EINTR:when={number}") == ("", "")
            assert hosts.read_bytes() == change(old)


@pytest.fixture
def short_patience() -> Iterator[None]:
    """The kernel revokes a lease after another process has waited one second for the file, in place of 45."""
    setting = Path("/proc/sys/fs/lease-break-time")
    before = setting.read_text()
    setting.write_text("1")
    yield
    setting.write_text(before)


@pytest.mark.slow
@pytest.mark.usefixtures("short_patience")
@pytest.mark.parametrize("by", [update, update_at_once])
def test_stopped_until_the_lease_is_taken_away(hosts: Path, by: Updater) -> None:
    """The engine rebuilds the file just before our write, unseen. Nothing of ours is left in its text."""
    old, change = CHANGES["address"]
    hosts.write_bytes(old)
    calls_made = sequence(hosts, change, by)
    name, number = calls_made[calls_made.index(("pwrite64", 1)) - 1]
    hosts.write_bytes(old)
    with updating(hosts, change, f"--inject={name}:signal=SIGSTOP:when={number}", by=by) as (process, connection, said):
        assert any(b"stopped by SIGSTOP" in told for told in said)
        since = time.monotonic()
        hosts.write_bytes(b"rebuilt\n")
        assert time.monotonic() - since > 0.5
        os.kill(process, signal.SIGCONT)
        assert answer(connection) == ("", "")
    if by is update_at_once:  # it has given up
        assert hosts.read_bytes() == b"rebuilt\n"
        update(hosts, change)
    assert hosts.read_bytes() == change(b"rebuilt\n")
