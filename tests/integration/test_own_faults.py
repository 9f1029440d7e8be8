"""Faults of hostwatch itself: killed, stopped, without space, descriptors or watches. The kernel causes all of them."""

import os
import re
import resource
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from docker.models.containers import Container

from tests.conftest import Hostwatch, Lab, eventually, newest_only
from tests.noise import slowness
from tests.proxy import Proxy
from tests.strace import traced
from tests.usage import usage

pytestmark = newest_only

WANTS_DB = {"hostwatch.hosts": "@{db.ip} db"}
LOCALHOST = "127.0.0.1\tlocalhost\n"
USER = ("unshare", "--user", "--map-root-user", "sh", "-ec")
"""The beginning of a command that gives the daemon limits of its own."""


def line(address: str) -> str:
    """The line that announces the database."""
    return f"{address:<16}db\n"


def followed(lab: Lab, container: Container, address: str, seconds: float = 10.0) -> None:
    """Wait until the container's file announces the database at this address."""
    eventually(lambda: line(address) in lab.hosts(container), seconds)


def move(lab: Lab, service: Container, address: str) -> None:
    """Give the running database another address. The engine writes only its own hosts file."""
    lab.network.disconnect(service)
    lab.network.connect(service, ipv4_address=address)


def drifts(lab: Lab, container: Container, address: str) -> None:
    """Break a record of the database, and wait until it is right again."""
    text = lab.hosts(container)
    lab.hosts_path(container).write_text(text.replace(address, "192.0.2.99"))
    eventually(lambda: lab.hosts(container) == text)


@contextmanager
def stopped(hostwatch: Hostwatch) -> Iterator[None]:
    """Hold the daemon by SIGSTOP."""
    hostwatch.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        hostwatch.process.send_signal(signal.SIGCONT)


# Killed and stopped.


def test_killed_in_a_write(lab: Lab) -> None:
    """SIGKILL replaces the first or second write of a change, or its truncation. The next daemon repairs the file."""
    web = lab.run("web", labels=WANTS_DB)
    service = lab.run("db", address="10.123.5.5")
    chosen = lab.configured("timing: {linger: 0}\n")
    lab.command("sync")
    with lab.hosts_path(web).open("a") as file:
        file.write("10.3.3.3\tbehind\n")
    foreign = [found for found in lab.hosts(web).splitlines() if "\t" in found]
    changes: dict[str, Callable[[], object]] = {
        "pwrite64:signal=SIGKILL": lambda: move(lab, service, "10.123.6.6"),
        "pwrite64:signal=SIGKILL:when=2": lambda: service.rename("other"),
        "ftruncate:signal=SIGKILL": lambda: service.rename("db"),
    }
    known = {"", line("10.123.6.6").strip("\n"), "# withheld: @{db.ip} db  (db: no such service)"}
    for call, change in changes.items():
        with lab.hostwatch("-c", chosen) as hostwatch:
            eventually(lambda: lab.block(web))
            before = lab.hosts(web).splitlines()
            with traced(hostwatch.process.pid, f"--inject={call}"):
                change()
                assert hostwatch.process.wait(10) == -signal.SIGKILL
        left = lab.hosts(web).splitlines()
        assert [found for found in left if found in foreign] == foreign
        assert known.issuperset({*left} - {*before})
    with lab.hostwatch("-c", chosen):
        followed(lab, web, "10.123.6.6")
        assert lab.block(web) == [line("10.123.6.6").strip("\n")]


def test_stopped_for_longer_than_the_engine_remembers(lab: Lab) -> None:
    """A move comes between more events than the engine queues and more than it keeps. The file is right soon."""
    web = lab.run("web", labels=WANTS_DB)
    service = lab.run("db", address="10.123.5.5")
    huge = str(lab.create("huge", labels={"huge": "x" * 100_000}).id)
    noise = [str(lab.create(f"noise-{number}").id) for number in range(4)]
    with lab.hostwatch() as hostwatch:
        followed(lab, web, "10.123.5.5")
        with stopped(hostwatch):
            renamed(lab, huge, 10)  # as much as the socket holds
            with ThreadPoolExecutor(len(noise)) as pool:
                list(pool.map(lambda each: renamed(lab, each, 270), noise))
            move(lab, service, "10.123.6.6")
            for _ in range(260):  # of a kind that hostwatch does not ask for
                lab.client.api.exec_create(str(web.id), ["true"])
        followed(lab, web, "10.123.6.6", 8)


def renamed(lab: Lab, container: str, times: int) -> None:
    """Rename a container many times: each is an event that hostwatch reads."""
    for number in range(times):
        lab.client.api.rename(container, f"{container[:12]}-{number}")


# The file and its file system.


@pytest.fixture
def small(lab: Lab, tmp_path: Path) -> str:
    """A file system of two pages at this path, for the daemon alone; see `inside` for the path through its process."""
    place = tmp_path / "small"
    place.mkdir()
    script = f'mount -t tmpfs -o size=8k none {place}; printf "$LOCALHOST" >{place}/hosts; exec "$@"'
    lab.within = ("unshare", "--mount", "sh", "-ec", script, "sh")
    lab.environ["LOCALHOST"] = LOCALHOST
    return str(place)


def inside(hostwatch: Hostwatch, path: str) -> Path:
    """A path as the daemon sees it."""
    return Path(f"/proc/{hostwatch.process.pid}/root{path}")


def remount(hostwatch: Hostwatch, path: str, option: str) -> None:
    """Remount the file system in the daemon's mount namespace."""
    pid = str(hostwatch.process.pid)
    subprocess.run(["nsenter", "--target", pid, "--mount", "mount", "-o", f"remount,{option}", path], check=True)


def test_a_full_disk(lab: Lab, small: str) -> None:
    """The change does not fit. The log has the remedy once. The file stays whole, and follows once there is space."""
    chosen = lab.configured(f"subscribers: {{this: {{file: {small}/hosts, services: [db]}}}}\n")
    with lab.hostwatch("-c", chosen) as hostwatch:
        hosts, fill = inside(hostwatch, f"{small}/hosts"), inside(hostwatch, f"{small}/fill")
        eventually(lambda: "withheld" in hosts.read_text())
        with fill.open("wb", buffering=0) as file:
            file.write(b"\0" * 4096)
        foreign = f"# {'x' * (4096 - 80)}\n{LOCALHOST}"
        hosts.write_text(foreign)
        eventually(lambda: "no room (No space left on device); make room" in hostwatch.log)
        eventually(lambda: hosts.read_text() == foreign)  # it is tried again
        lab.run("db", address="10.123.5.5")
        fill.unlink()
        eventually(lambda: hosts.read_text() == f"{foreign}# hostwatch: begin\n{line('10.123.5.5')}# hostwatch: end\n")
    assert hostwatch.log.count("no room") == 1


def test_a_file_system_that_becomes_read_only(lab: Lab, small: str) -> None:
    """It is writable again later. The log has the remedy once, and a retry makes the file right before long."""
    lab.run("db", address="10.123.5.5")
    subscriber = f"subscribers: {{this: {{file: {small}/hosts, services: [db]}}}}"
    with lab.hostwatch("-c", lab.configured(f"{subscriber}\ntiming: {{resync: 1s, linger: 0}}\n")) as hostwatch:
        hosts = inside(hostwatch, f"{small}/hosts")
        eventually(lambda: "10.123.5.5" in hosts.read_text())
        remount(hostwatch, small, "ro")
        lab.client.containers.get("db").remove(force=True)
        lab.run("db", address="10.123.5.6")
        eventually(lambda: "its file system is read-only; mount it read-write" in hostwatch.log)
        time.sleep(1)  # all events are handled by then
        remount(hostwatch, small, "rw")
        eventually(lambda: line("10.123.5.6") in hosts.read_text())
    assert hostwatch.log.count("is read-only") == 1


def away(path: Path) -> None:
    """Move it away."""
    path.rename(path.with_name("away"))


def directory(path: Path) -> None:
    """Put a directory in its place."""
    away(path)
    path.mkdir()


def link(path: Path) -> None:
    """Put a link to it in its place."""
    away(path)
    path.symlink_to("away")


def fifo(path: Path) -> None:
    """Put a pipe in its place, which blocks any process that opens it."""
    away(path)
    os.mkfifo(path)


def device(path: Path) -> None:
    """Put /dev/zero in its place."""
    away(path)
    os.mknod(path, stat.S_IFCHR | 0o644, os.makedev(1, 5))


@pytest.mark.parametrize("replace", [away, directory, link, fifo, device])
def test_a_hosts_file_that_is_replaced(lab: Lab, replace: Callable[[Path], None]) -> None:
    """The replacement, if any, is left alone, and others are served. The file is kept again when it is back."""
    path_only = "subscribers: {web: {match: {name: web}, services: [db], writer: path}}\n"
    web, other = lab.run("web"), lab.run("other", labels=WANTS_DB)
    service = lab.run("db", address="10.123.5.5")
    with lab.hostwatch("-c", lab.configured(path_only)) as hostwatch:
        followed(lab, web, "10.123.5.5")
        path = lab.hosts_path(web)
        replace(path)
        text = path.with_name("away").read_text()
        move(lab, service, "10.123.6.6")
        followed(lab, other, "10.123.6.6")
        if replace is not away:
            eventually(lambda: "web: refused" in hostwatch.log)
            (path.rmdir if replace is directory else path.unlink)()
        assert path.with_name("away").read_text() == text
        path.with_name("away").rename(path)
        followed(lab, web, "10.123.6.6")


def test_a_containers_directory_that_becomes_read_only(lab: Lab, proxy: Proxy) -> None:
    """Its files are written by exec, from the first failed change on, and later by their paths again.

    Each is told once.
    """
    web = lab.run("web", labels=WANTS_DB)
    lab.run("db", address="10.123.5.5")
    directory = str(lab.hosts_path(web).parent)
    lab.within = ("unshare", "--mount", "sh", "-ec", f'mount --bind {directory} {directory}; exec "$@"', "sh")
    with lab.hostwatch("-c", lab.configured("timing: {linger: 0}\n")) as hostwatch:
        followed(lab, web, "10.123.5.5")
        remount(hostwatch, directory, "bind,ro")
        lab.client.containers.get("db").rename("other")
        eventually(lambda: "# withheld: @{db.ip} db " in lab.hosts(web))
        eventually(
            lambda: hostwatch.log.count("web: its hosts file is written by exec, as its path does not do: ") == 1
        )
        remount(hostwatch, directory, "bind,rw")
        eventually(lambda: "web: its hosts file is written by its path again" in hostwatch.log)
        lab.client.containers.get("other").rename("db")
        followed(lab, web, "10.123.5.5")
        drifts(lab, web, "10.123.5.5")
    assert hostwatch.log.count("written by") == 2
    assert len([request for request in proxy.requests if request.endswith("/exec")]) <= 3


# Too few resources of the kernel.


def overflow(*files: Path) -> None:
    """Open these hosts files to write, more often than an inotify queue holds. They stay as they are."""
    size = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for number in range(size + 100):
        files[number % len(files)].open("a").close()  # in turn, as the kernel merges equal events in a row


def test_an_inotify_queue_that_runs_over(lab: Lab) -> None:
    """Too many writes and a drift come while the daemon is stopped. The drift is healed at once, with one log line."""
    web = lab.run("web", labels=WANTS_DB)
    db = lab.run("db", address="10.123.5.5")
    with lab.hostwatch() as hostwatch:
        followed(lab, web, "10.123.5.5")
        text = lab.hosts(web)
        with stopped(hostwatch):
            overflow(lab.hosts_path(web), lab.hosts_path(db))
            lab.hosts_path(web).write_text(text.replace("10.123.5.5", "10.123.5.6"))
        # The overflow heals it, or the new watch of the directory after a flood, if that comes first.
        eventually(lambda: lab.hosts(web) == text)
        eventually(lambda: "changes of hosts files were lost; all are compared" in hostwatch.log)
    assert hostwatch.log.count("changes of hosts files were lost; all are compared") == 1


def test_a_stopped_container_when_an_inotify_queue_runs_over(lab: Lab) -> None:
    """Its file still has an address that it wrote itself, which must not enter another file."""
    db = lab.run("db", r'printf "10.123.9.9\t%s\n" $(hostname) >>/etc/hosts; exec sleep 1000')
    web, other = lab.run("web", labels=WANTS_DB), lab.run("other")
    with lab.hostwatch("-c", lab.configured("timing: {linger: 0}\n")) as hostwatch:
        eventually(lambda: lab.records(web).keys() == {"db"})
        db.stop()
        eventually(lambda: not lab.records(web))
        assert "10.123.9.9" in lab.hosts(db)
        right = lab.hosts(web)
        with stopped(hostwatch):
            overflow(lab.hosts_path(web), lab.hosts_path(other))
        eventually(lambda: "changes of hosts files were lost; all are compared" in hostwatch.log)
        time.sleep(1)
        assert lab.hosts(web) == right
    assert hostwatch.log.count("web: db - →") == 1, hostwatch.log


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ("0 >/proc/sys/user/max_inotify_watches", "no inotify watch is left"),
        ("2 >/proc/sys/user/max_inotify_watches", "no inotify watch is left"),
        ("0 >/proc/sys/user/max_inotify_instances", "no inotify (Too many open files)"),
    ],
)
def test_too_little_of_inotify(lab: Lab, tmp_path: Path, limit: str, told: str) -> None:
    """There are no watches, or too few. Events and resyncs suffice, and each kind of file has one warning."""
    web = lab.run("web", labels=WANTS_DB)
    hosts = tmp_path / "hosts"
    hosts.write_text(LOCALHOST)
    lab.within = (*USER, f'echo {limit}; exec "$@"', "sh")
    subscriber = f"subscribers: {{this: {{file: {hosts}, services: [db]}}}}"
    with lab.hostwatch("-c", lab.configured(f"{subscriber}\ntiming: {{resync: 1s}}\n")) as hostwatch:
        lab.run("db", address="10.123.5.5")
        followed(lab, web, "10.123.5.5")
        drifts(lab, web, "10.123.5.5")
        eventually(lambda: line("10.123.5.5") in hosts.read_text())
        hosts.write_text(LOCALHOST)
        eventually(lambda: line("10.123.5.5") in hosts.read_text())
        warnings = [found for found in hostwatch.log.splitlines() if " INFO " not in found]
        assert len(warnings) == len({*warnings}) > 0
        assert all(told in found and "raise the sysctl fs.inotify" in found for found in warnings)


@pytest.mark.parametrize(("limit", "some"), [("max_inotify_watches", 12), ("max_inotify_instances", 0)])
def test_inotify_that_is_there_again(lab: Lab, limit: str, some: int) -> None:
    """hostwatch tries again by itself. Then drift is healed at once."""
    web = lab.run("web", labels=WANTS_DB)
    lab.run("db", address="10.123.5.5")
    for number in range(some):
        (lab.engine.data_root / "containers" / f"{number:064}").mkdir()
    lab.within = (*USER, f'echo {some} >/proc/sys/user/{limit}; exec "$@"', "sh")
    try:
        with lab.hostwatch() as hostwatch:
            followed(lab, web, "10.123.5.5")
            eventually(lambda: "no inotify" in hostwatch.log)
            raised = ("sh", "-c", f"echo 1000 >/proc/sys/user/{limit}")
            subprocess.run(["nsenter", "--target", str(hostwatch.process.pid), "--user", *raised], check=True)
            eventually(lambda: " again; all hosts files are compared" in hostwatch.log)
            drifts(lab, web, "10.123.5.5")
        assert hostwatch.log.count("no inotify") == hostwatch.log.count(" again; all ") == 1
    finally:
        for number in range(some):
            (lab.engine.data_root / "containers" / f"{number:064}").rmdir()


def test_no_descriptor_left(lab: Lab) -> None:
    """The limit of open files is reached, and raised again: one log line has the remedy, and no time is wasted."""
    web = lab.run("web", labels=WANTS_DB)
    service = lab.run("db", address="10.123.5.5")
    with lab.hostwatch() as hostwatch:
        followed(lab, web, "10.123.5.5")
        pid = hostwatch.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (0, limits[1]))
        busy = usage(pid).cpu_seconds
        move(lab, service, "10.123.6.6")
        more = lab.run("more", labels=WANTS_DB)
        eventually(lambda: all(f"WARNING {name}: " in hostwatch.log for name in ("web", "more")))
        told = re.findall(r" (web|more): .*Too many open files; raise the limit of open files", hostwatch.log)
        assert sorted(told) == ["more", "web"]
        assert usage(pid).cpu_seconds - busy < 0.5 * slowness()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        followed(lab, web, "10.123.6.6")
        followed(lab, more, "10.123.6.6")


def test_started_with_too_few_descriptors(lab: Lab) -> None:
    """Neither the engine nor inotify works. Each has a line with the remedy, and all is right once there are more."""
    web = lab.run("web", labels=WANTS_DB)
    lab.run("db", address="10.123.5.5")
    lab.within = ("prlimit", "--nofile=14:1024")
    with lab.hostwatch(ready="trying again until it is there") as hostwatch:
        found = [fault for fault in hostwatch.log.splitlines() if "Too many open files" in fault]
        assert all("limit of open files" in fault for fault in found)
        resource.prlimit(hostwatch.process.pid, resource.RLIMIT_NOFILE, (1024, 1024))
        followed(lab, web, "10.123.5.5", 20)


def test_a_full_disk_for_the_log(lab: Lab, small: str) -> None:
    """Standard error has one line and no traceback. hostwatch goes on, and so does the log once there is space."""
    web = lab.run("web", labels=WANTS_DB)
    service = lab.run("db", address="10.123.5.5")
    chosen = lab.configured(f"log: {{file: {small}/log}}\n")
    with lab.hostwatch("-c", chosen, ready="") as hostwatch:
        log, fill = inside(hostwatch, f"{small}/log"), inside(hostwatch, f"{small}/fill")
        followed(lab, web, "10.123.5.5")
        inside(hostwatch, f"{small}/hosts").unlink()
        os.truncate(log, 4096)
        with fill.open("wb", buffering=0) as file:
            file.write(b"\0" * 8192)
        for number in range(3):
            move(lab, service, f"10.123.6.{number}")
            followed(lab, web, f"10.123.6.{number}")
        eventually(lambda: hostwatch.log)
        assert hostwatch.log.count("\n") == 1
        assert f"cannot write the log to {small}/log: No space left on device; make room" in hostwatch.log
        fill.unlink()
        move(lab, service, "10.123.6.7")
        eventually(lambda: "10.123.6.7" in log.read_text(errors="replace"))
        eventually(lambda: "is written to" in hostwatch.log)
