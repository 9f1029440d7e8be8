"""Hosts files on disk: nothing unsafe is opened, and no reader sees a change half done."""

import errno
import fcntl
import ipaddress
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest
from asyncinotify import Inotify, Mask

from hostwatch.control.writers import FileUpdate
from hostwatch.core.block.edit import steps
from hostwatch.core.block.hostsfile import LIMIT, Edited, rewritten
from hostwatch.core.block.records import Block, Record
from hostwatch.hosts.files import (
    HostsFileBusy,
    HostsFileDenied,
    HostsFileError,
    HostsFileFailed,
    HostsFileMissing,
    HostsFileRefused,
    read,
    read_at_once,
    replaced_at_once,
    says_at_once,
    update,
    update_at_once,
)

ENGINE = b"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n172.18.0.7\t3f2a9c\n"
fork = multiprocessing.get_context("fork")


def with_db(address: str, *more: str) -> Callable[[bytes], bytes]:
    """A change to a block with `db` and more names of the same address, each in a record of its own."""
    records = tuple(Record(ipaddress.ip_address(address), (name,)) for name in ("db", *more))
    return lambda text: rewritten(text, Block(records)).text


NEW = with_db("10.0.0.1")


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    """A hosts file as the engine writes it."""
    path = tmp_path / "hosts"
    path.write_bytes(ENGINE)
    return path


@contextmanager
def child(work: Callable[[Connection], None]) -> Iterator[Connection]:
    """A forked process that does `work` with its end of a pipe; yields the other end."""
    ours, theirs = fork.Pipe()
    process = fork.Process(target=work, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        process.join(0.5)
        process.kill()
        process.join()
        ours.close()


def answer(connection: Connection) -> Any:
    """The message of the child, which comes in time."""
    assert connection.poll(20)
    return connection.recv()


def attempt(action: Callable[[], object]) -> tuple[str, str]:
    """The name and the message of the error that an action ends with."""
    try:
        action()
    except HostsFileError as error:
        return type(error).__name__, str(error)
    return "", ""


# Files that are opened or refused


def test_read(hosts: Path) -> None:
    """The bytes are unchanged."""
    hosts.write_bytes(b"\0\xff\r\n")
    assert read(hosts) == b"\0\xff\r\n"


def test_update_keeps_all_but_the_text(hosts: Path) -> None:
    """Inode, mode, owner and extended attributes stay, as the file is written in place."""
    hosts.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(hosts, 1234, 4321)
    os.setxattr(hosts, "user.mark", b"x")
    before = hosts.stat()
    assert update(hosts, NEW) == FileUpdate(ENGINE, NEW(ENGINE))
    after = hosts.stat()
    assert hosts.read_bytes() == NEW(ENGINE)
    kept = ("st_ino", "st_mode", "st_uid", "st_gid", "st_nlink")
    assert [getattr(before, field) for field in kept] == [getattr(after, field) for field in kept]
    assert os.getxattr(hosts, "user.mark") == b"x"


def test_another_name(tmp_path: Path) -> None:
    """A file on the host may have any name."""
    (tmp_path / "other").write_bytes(b"x\n")
    assert update(tmp_path / "other", lambda text: text + b"y\n").after == read(tmp_path / "other") == b"x\ny\n"


def test_an_equal_text_is_not_written(hosts: Path) -> None:
    """The time stays, and the file is not opened for writing, which would break the read lease of this test."""
    update(hosts, NEW)
    os.utime(hosts, ns=(1, 1))
    file = os.open(hosts, os.O_RDONLY)
    try:
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        assert update(hosts, NEW) == FileUpdate(NEW(ENGINE), NEW(ENGINE))
        assert update_at_once(hosts, NEW) is None, "it cannot have the file for itself"
        assert fcntl.fcntl(file, fcntl.F_GETLEASE) == fcntl.F_RDLCK
    finally:
        os.close(file)
    with opened_for_writing(hosts) as count:
        assert update_at_once(hosts, NEW) == FileUpdate(NEW(ENGINE), NEW(ENGINE))
    assert count == [0]
    assert hosts.stat().st_mtime_ns == 1


def symbolic_link(path: Path) -> None:
    path.rename(path.with_name("target"))
    path.symlink_to("target")


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def hard_link(path: Path) -> None:
    path.with_name("second").hardlink_to(path)


def too_large(path: Path) -> None:
    path.write_bytes(b"\n" * (LIMIT + 1))


def linked_directory(path: Path) -> None:
    path.parent.rename(path.parent.with_name("real"))
    path.parent.symlink_to("real")


def device(path: Path) -> None:
    path.unlink()
    try:
        os.mknod(path, 0o20666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("making a device needs root")


@pytest.mark.timeout(10)
@pytest.mark.parametrize("make", [symbolic_link, fifo, directory, hard_link, too_large, linked_directory, device])
def test_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Anything but a regular file with one link is neither read nor written, and no call hangs."""
    path = tmp_path / "id" / "hosts"
    path.parent.mkdir()
    path.write_bytes(ENGINE)
    make(path)
    at_once: tuple[Callable[[Path], object], ...] = (read_at_once, lambda file: update_at_once(file, NEW))
    if make is too_large:  # for `read` to say
        assert [action(path) for action in at_once] == [None, None]
        at_once = ()
    actions: tuple[Callable[[Path], object], ...] = (read, lambda file: update(file, NEW), *at_once)
    for action in actions:
        with pytest.raises(HostsFileRefused, match=f"^{path}: ") as caught:
            action(path)
        assert caught.value.path == path
    for left in tmp_path.rglob("*"):
        assert not left.is_file() or b"hostwatch" not in left.read_bytes()


def test_a_text_beyond_the_limit_is_refused(hosts: Path) -> None:
    """A change that would make the file larger than the limit of a read."""
    with pytest.raises(HostsFileRefused, match="larger than"):
        update(hosts, lambda text: text + b"\n" * LIMIT)
    assert hosts.read_bytes() == ENGINE


@pytest.mark.parametrize("path", [Path("id/hosts"), Path("gone/hosts")])
def test_missing(tmp_path: Path, path: Path) -> None:
    """A container that is gone: the file, or its directory with it."""
    (tmp_path / "id").mkdir()
    with pytest.raises(HostsFileMissing, match="nothing to do if its container is gone"):
        read(tmp_path / path)
    with pytest.raises(HostsFileMissing):
        update(tmp_path / path, NEW)


def test_a_file_that_vanishes_between(hosts: Path) -> None:
    """The container is removed while its new text is computed."""

    def change(text: bytes) -> bytes:
        hosts.unlink()
        return NEW(text)

    with pytest.raises(HostsFileMissing):
        update(hosts, change)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_denied() -> None:
    """The error names the user and a remedy."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "hosts"
        path.write_bytes(ENGINE)
        path.parent.chmod(0o755)
        path.chmod(0o644)

        def as_nobody(connection: Connection) -> None:
            os.setuid(65534)
            connection.send(attempt(lambda: update(path, NEW)))
            connection.send(read(path))

        with child(as_nobody) as connection:
            kind, message = answer(connection)
            assert kind == HostsFileDenied.__name__
            assert message.startswith(f"{path}: uid 65534 may not (Permission denied); run hostwatch as root")
            assert answer(connection) == ENGINE


def in_own_mounts(script: str, *arguments: str) -> str:
    """The output of a shell script in a mount namespace of its own. Skips the test if there can be none."""
    made = subprocess.run(
        ["unshare", "-m", "sh", "-ec", f"mount --make-rprivate / || exit 77\n{script}", "sh", *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    if made.returncode == 77 or "unshare failed" in made.stderr:
        pytest.skip("no mount namespaces here")
    assert made.returncode == 0, made.stderr
    return made.stdout


def test_a_read_only_mount(hosts: Path) -> None:
    """Hostwatch in a container that sees the engine's directory read-only: readable, and the remedy is named."""
    script = """
    mount --bind "$1" "$1" || exit 77
    mount -o remount,ro,bind "$1" || exit 77
    "$PYTHON" -c '
import sys, pathlib
from hostwatch.hosts.files import *
path = pathlib.Path(sys.argv[1]) / "hosts"
read(path)
try:
    update(path, lambda text: b"x")
except HostsFileDenied as error:
    print(error)
' "$1"
    """
    printed = in_own_mounts(script, str(hosts.parent))
    assert "read-only; mount it read-write" in printed
    assert f"uid {os.geteuid()} " in printed


# Failures half way


def test_a_full_disk_leaves_no_growth_behind(hosts: Path) -> None:
    """A growth that the kernel makes only in part is cut off, as each new try would add blank lines."""

    def with_little_room(connection: Connection) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(ENGINE) + 5, resource.RLIM_INFINITY))
        connection.send(attempt(lambda: update(hosts, NEW)))

    with child(with_little_room) as connection:
        kind, message = answer(connection)
    assert kind == HostsFileFailed.__name__
    assert "File too large" in message
    assert hosts.read_bytes() == ENGINE


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_failed(hosts: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """The error names the kernel's report, and allows another try."""

    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "pwrite", fail)
    with pytest.raises(HostsFileFailed, match=rf"{os.strerror(code)}.*; .*will be tried again"):
        update(hosts, NEW)


def test_short_writes_are_continued(hosts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may write less than requested."""
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, offset: pwrite(file, data[:3], offset))
    update(hosts, NEW)
    assert hosts.read_bytes() == NEW(ENGINE)


# The lease


@contextmanager
def held_open(path: Path) -> Iterator[int]:
    """Keeps a file open, so that no process gets a write lease on it."""
    file = os.open(path, os.O_RDONLY)
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def opened_for_writing(path: Path) -> Iterator[list[int]]:
    """Counts how often the file was opened for writing and closed."""
    count = [0]
    with Inotify(sync_timeout=0.1) as inotify:
        inotify.add_watch(path, Mask.CLOSE_WRITE)
        yield count
        count[0] = len(list(inotify))


def delay_writes(monkeypatch: pytest.MonkeyPatch, started: Event, seconds: float) -> None:
    """Delays the first write of an update, and signals its begin."""
    pwrite = os.pwrite

    def slow(file: int, data: bytes, offset: int) -> int:
        if not started.is_set():
            started.set()
            time.sleep(seconds)
        return pwrite(file, data, offset)

    monkeypatch.setattr(os, "pwrite", slow)


def test_a_reader_waits_for_the_whole_update(hosts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that opens the file during a change waits and sees the new text. Its wait does not kill us."""
    started = fork.Event()
    delay_writes(monkeypatch, started, 0.3)

    def look(connection: Connection) -> None:
        started.wait(10)
        since = time.monotonic()
        connection.send((hosts.read_bytes(), time.monotonic() - since))

    with child(look) as connection:
        worker = threading.Thread(target=update, args=(hosts, NEW))
        worker.start()
        text, waited = answer(connection)
        worker.join(10)
    assert text == NEW(ENGINE)
    assert waited > 0.15


def test_the_engine_waits_for_the_whole_update(hosts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that truncates the file during a change has its turn after us. No write of ours lands in its text."""
    started = fork.Event()
    delay_writes(monkeypatch, started, 0.2)

    def rebuild(connection: Connection) -> None:
        started.wait(10)
        hosts.write_bytes(b"rebuilt\n")
        connection.send(True)

    with child(rebuild) as connection:
        assert update(hosts, NEW).after == NEW(ENGINE)
        assert answer(connection)
    assert hosts.read_bytes() == b"rebuilt\n"


def test_the_lease_is_given_back(hosts: Path) -> None:
    """After an update, even a failed one, the file opens at once for a process that would not wait."""
    update(hosts, NEW)
    os.close(os.open(hosts, os.O_RDWR | os.O_NONBLOCK))
    with pytest.raises(HostsFileRefused):
        update(hosts, lambda text: text + b"\n" * LIMIT)
    os.close(os.open(hosts, os.O_RDWR | os.O_NONBLOCK))


def test_a_lease_that_another_process_keeps_is_not_waited_for(hosts: Path) -> None:
    """A container may keep a lease on its file for 45 s. The update is left for later."""
    done = fork.Event()

    def sit(connection: Connection) -> None:
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        file = os.open(hosts, os.O_RDWR)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        connection.send(True)
        done.wait(10)

    with child(sit) as connection:
        assert answer(connection)
        since = time.monotonic()
        with pytest.raises(HostsFileBusy, match="tried again"):
            read(hosts)
        assert time.monotonic() - since < 5
        done.set()


def test_work_at_once_never_waits(hosts: Path) -> None:
    """If another process has the file open, whose write may take any time, or a lease, nothing is done."""
    with held_open(hosts):
        assert read_at_once(hosts) is None
        assert update_at_once(hosts, NEW) is None
    with held_open(hosts) as file:
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        since = time.monotonic()
        assert update_at_once(hosts, NEW) is None
        assert time.monotonic() - since < 5, "a lease is broken after 45 s"
    hosts.write_bytes(ENGINE * 1000)
    assert update_at_once(hosts, NEW) is None
    hosts.write_bytes(b"")
    assert update_at_once(hosts, NEW) is None, "the engine is just about to write it"
    hosts.write_bytes(ENGINE)
    assert read_at_once(hosts) == ENGINE
    assert update_at_once(hosts, lambda text: text + b"\n" * LIMIT) is None
    with ExitStack() as stack:

        def change(text: bytes) -> bytes:
            stack.enter_context(held_open(hosts))
            return NEW(text)

        assert update_at_once(hosts, change) is None, "somebody came in between"
    assert hosts.read_bytes() == ENGINE
    assert update_at_once(hosts, NEW) == FileUpdate(ENGINE, NEW(ENGINE))
    assert hosts.read_bytes() == NEW(ENGINE)


def test_a_known_text_is_replaced_at_once(hosts: Path) -> None:
    """If the file has exactly this text, and no other process has it open. Otherwise nothing is done."""

    def replaced(before: bytes, after: bytes) -> bool:
        return replaced_at_once(hosts, before, Edited(after, steps(before, after)))

    hosts.write_bytes(ENGINE)
    assert replaced(ENGINE, NEW(ENGINE))
    assert hosts.read_bytes() == NEW(ENGINE)
    assert says_at_once(hosts, NEW(ENGINE))
    theirs = [
        ENGINE + b"10.0.0.9 theirs\n",
        ENGINE.replace(b"localhost", b"localhoax"),
        NEW(ENGINE) + b"\n",
        NEW(ENGINE)[:-1],
        b"",
    ]
    for text in theirs:
        hosts.write_bytes(text)
        assert not replaced(NEW(ENGINE), ENGINE)
        assert not says_at_once(hosts, NEW(ENGINE))
        assert hosts.read_bytes() == text
    hosts.write_bytes(ENGINE)
    with held_open(hosts):
        assert not replaced(ENGINE, NEW(ENGINE))
        assert not says_at_once(hosts, ENGINE), "nobody can tell without waiting"
    assert hosts.read_bytes() == ENGINE
    assert not replaced(ENGINE, ENGINE + b"\n" * LIMIT)


def test_a_lease_that_is_soon_released_is_waited_for(hosts: Path) -> None:
    """Another hostwatch releases its lease within microseconds."""

    def give_back(connection: Connection) -> None:
        file = os.open(hosts, os.O_RDWR)
        signal.signal(signal.SIGIO, lambda *_: fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK))
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        connection.send(True)
        signal.pause()

    with child(give_back) as connection:
        assert answer(connection)
        assert read(hosts) == ENGINE


def test_two_updates_at_once(hosts: Path) -> None:
    """For instance of a daemon and a `sync`: both succeed, and the file is whole."""

    def work(address: str) -> None:
        for _ in range(100):
            update(
                hosts,
                lambda text: with_db(address)(with_db("10.0.0.9")(text) if random.random() < 0.5 else text),
            )

    workers = [threading.Thread(target=work, args=(address,)) for address in ("10.0.0.1", "10.0.0.2")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    update(hosts, NEW)
    assert hosts.read_bytes() == NEW(ENGINE)


# Without a lease


@pytest.mark.parametrize(
    "rebuilt",
    [
        pytest.param(b"127.0.0.1\tlocalhost\n172.18.0.8\t3f2a9c\n", id="shorter"),
        pytest.param(ENGINE, id="the same"),
    ],
)
@pytest.mark.parametrize("when", ["before our write", "around our write", "long around our write"])
@pytest.mark.parametrize("names", [("db",), ("db", "x", "y")])
def test_a_write_that_lands_behind_the_end_is_mended(
    hosts: Path, monkeypatch: pytest.MonkeyPatch, rebuilt: bytes, when: str, names: tuple[str, ...]
) -> None:
    """The engine truncates between our last look and our write. No NUL and no fragment is left."""
    old, new = with_db("10.0.0.1", *names), with_db("10.0.0.22", *names)
    hosts.write_bytes(old(ENGINE))
    pwrite, rebuilds = os.pwrite, iter([True])
    engine = os.open(hosts, os.O_WRONLY)

    def raced(file: int, data: bytes, offset: int) -> int:
        raced_now = next(rebuilds, False)
        if raced_now:
            os.ftruncate(engine, 0)
            if when == "before our write":
                pwrite(engine, rebuilt, 0)
        written = pwrite(file, data, offset)
        if raced_now and when == "around our write":
            pwrite(engine, rebuilt, 0)
        if raced_now and when == "long around our write":
            threading.Timer(0.001, pwrite, (engine, rebuilt, 0)).start()
        return written

    monkeypatch.setattr(os, "pwrite", raced)
    try:
        update(hosts, new)
        time.sleep(0.05)
    finally:
        os.close(engine)
    update(hosts, new)
    assert hosts.read_bytes() == new(rebuilt)


def test_a_cut_that_lands_behind_the_end_is_mended(hosts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our truncation would lengthen the engine's new text with NULs."""
    hosts.write_bytes(with_db("10.0.0.1", "x", "y")(ENGINE))
    ftruncate, rebuilds = os.ftruncate, iter([True])

    def raced(file: int, size: int) -> None:
        if next(rebuilds, False):
            hosts.write_bytes(b"rebuilt\n")
        ftruncate(file, size)

    monkeypatch.setattr(os, "ftruncate", raced)
    with held_open(hosts):
        update(hosts, NEW)
    assert hosts.read_bytes() == NEW(b"rebuilt\n")


def test_nothing_is_written_to_a_file_that_the_engine_has_just_truncated(hosts: Path) -> None:
    """The engine would overwrite only the beginning of our text."""
    hosts.write_bytes(b"")
    with held_open(hosts), pytest.raises(HostsFileBusy):
        update(hosts, NEW)
    assert hosts.read_bytes() == b""
    update(hosts, NEW)
    assert hosts.read_bytes() == NEW(b"")


def after_first_write(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Has another process act just after our first write, before our next look."""
    pwrite, first = os.pwrite, iter([True])

    def raced(file: int, data: bytes, offset: int) -> int:
        written = pwrite(file, data, offset)
        if next(first, False):
            action()
        return written

    monkeypatch.setattr(os, "pwrite", raced)


def test_foreign_nul_bytes_are_not_mended_away(hosts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file keeps its own NULs during any race."""
    foreign = b"a\0\0b\n"
    hosts.write_bytes(NEW(foreign))
    after_first_write(monkeypatch, lambda: hosts.write_bytes(foreign))
    with held_open(hosts):
        update(hosts, with_db("10.0.0.2"))
    assert hosts.read_bytes() == with_db("10.0.0.2")(foreign)


def test_nothing_is_cut_off_a_text_that_came_in_between(hosts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine writes a longer text before we cut off the surplus of ours. All of its text stays."""
    longer = ENGINE + b"172.18.0.8\tmore\n" * 20
    hosts.write_bytes(with_db("10.0.0.1", "x", "y")(ENGINE))
    after_first_write(monkeypatch, lambda: hosts.write_bytes(longer))
    with held_open(hosts):
        update(hosts, NEW)
    assert hosts.read_bytes() == NEW(longer)


def test_a_writer_that_never_stops(hosts: Path) -> None:
    """After three rounds the update is left for later."""
    count = 0

    def change(text: bytes) -> bytes:
        nonlocal count
        count += 1
        hosts.write_bytes(b"%d\n" % count)
        return NEW(text)

    with pytest.raises(HostsFileBusy):
        update(hosts, change)
    assert count == 4
    assert hosts.read_bytes() == b"4\n"


# Races


def spin(path: Path, allowed: frozenset[bytes], stop: Event, reopen: bool) -> Callable[[Connection], None]:
    """A process that reads until it is stopped, and sends the number of reads and the wrong texts."""

    def work(connection: Connection) -> None:
        file = os.open(path, os.O_RDONLY)
        connection.send(True)
        count, wrong = 0, set[bytes]()
        while not stop.is_set():
            for _ in range(20):
                if reopen:
                    os.close(file)
                    file = os.open(path, os.O_RDONLY)
                text = os.pread(file, LIMIT, 0)
                count += 1
                if not text or not allowed.issuperset(text.split(b"\n")):
                    wrong.add(text)
        connection.send((count, wrong))

    return work


ADDRESSES = [with_db(f"10.{number}.{number * 7}.{number * 25}") for number in range(1, 10)]
RECORDS = [*ADDRESSES, *(with_db(f"10.0.0.{number}", *("x", "y")[: number % 3]) for number in range(1, 10))]


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("changes", "reopen"),
    [
        pytest.param(RECORDS, True, id="opens each time"),
        pytest.param(ADDRESSES, False, id="keeps it open, so there is no lease"),
    ],
)
def test_a_reader_sees_only_old_and_new_lines(
    hosts: Path, changes: list[Callable[[bytes], bytes]], reopen: bool
) -> None:
    """2,000 changes, with lines behind the block: never empty, never a line neither old nor new.

    Without a lease that holds for addresses that change in their place; where lines move, a reader can meet the kernel
    in the middle of its copying (500 of a million reads, at 100,000 changes in a second).
    """
    hosts.write_bytes(NEW(ENGINE) + b"10.3.3.3\tbehind\n10.3.3.4\tbehind2\n")
    allowed = frozenset(line for change in (NEW, *changes) for line in change(hosts.read_bytes()).split(b"\n"))
    stop = fork.Event()
    with child(spin(hosts, allowed, stop, reopen)) as connection:
        assert answer(connection)
        for number in range(2000):
            update(hosts, changes[number % len(changes)])
        stop.set()
        count, wrong = answer(connection)
    assert count > 2000
    assert wrong == set()


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("keep", [False, True], ids=["lease", "somebody keeps it open, so there is no lease"])
def test_the_engine_rebuilds_while_we_update(hosts: Path, keep: bool) -> None:
    """The engine and we write as fast as possible: no NUL, no fragment, and the right text in the end."""
    texts = [ENGINE, b"127.0.0.1\tlocalhost\n172.18.0.8\t3f2a9c\n"]
    changes = [with_db(f"10.0.0.{number}", *("x", "y")[: number % 3]) for number in range(1, 10)]
    allowed = {line for change in changes for line in change(b"".join(texts)).split(b"\n")}
    stop = fork.Event()

    def rebuild(connection: Connection) -> None:
        count = 0
        while not stop.is_set():
            file = os.open(hosts, os.O_WRONLY | os.O_TRUNC)
            os.write(file, texts[count % 2])
            os.close(file)
            time.sleep(random.random() / 2000)
            count += 1
        connection.send(count)

    busy = done = 0
    with held_open(hosts if keep else hosts.parent), child(rebuild) as connection:
        until = time.monotonic() + 3
        while time.monotonic() < until:
            try:
                text = update(hosts, changes[done % len(changes)]).after
            except HostsFileBusy:
                busy += 1
                continue
            done += 1
            assert allowed.issuperset(text.split(b"\n")), text
        stop.set()
        rebuilt = answer(connection)
    assert rebuilt > 100
    assert done > 10
    last = update(hosts, NEW).after
    assert last in {NEW(text) for text in texts}
