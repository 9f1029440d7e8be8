"""Edits of files, and events that hostwatch missed: the block becomes right again, and nothing else is touched."""

import io
import os
import signal
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from tests import engine as engines
from tests.conftest import Lab, eventually, make_lab, newest_only

WANTS = {"hostwatch.hosts": "@{db.ip} db db.internal\n@{cache.ip} cache"}
BLOCK = """\
# hostwatch: begin
10.123.7.7      db db.internal
# withheld: @{cache.ip} cache  (cache: no running container)
# hostwatch: end
"""
WITHOUT_CACHE = {"db": ["10.123.7.7"], "db.internal": ["10.123.7.7"]}
WITH_CACHE = WITHOUT_CACHE | {"cache": ["10.123.7.9"]}


def overwrite(path: Path, text: bytes) -> None:
    """Write in place, as a shell's `>` does: the container reads the same file."""
    path.write_bytes(text)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "another address": lambda text: text.replace(b"10.123.7.7", b"10.99.99.9"),
    "another name": lambda text: text.replace(b" db.internal", b" db.example"),
    "a line inside the block": lambda text: text.replace(b"# hostwatch: end", b"10.9.9.9 intruder\n# hostwatch: end"),
    "no block": lambda text: text.partition(b"# hostwatch: begin")[0],
    "no end": lambda text: text.replace(b"# hostwatch: end\n", b""),
    "no begin": lambda text: text.replace(b"# hostwatch: begin\n", b""),
    "two blocks": lambda text: text + text.partition(b"# hostwatch: begin")[2].join([b"# hostwatch: begin", b""]),
    "a block with tabs": lambda text: text.replace(b"10.123.7.7      ", b"10.123.7.7\t"),
    "blank lines in the block": lambda text: text.replace(b"begin\n", b"begin\n\n\n"),
    "no last newline": lambda text: text.removesuffix(b"\n"),
}


@newest_only
@pytest.mark.parametrize("by_exec", [False, True])
def test_a_block_that_is_changed_back_and_forth(lab: Lab, *, by_exec: bool) -> None:
    """hostwatch heals it at once five times, then logs that once and slows down. New records are written at once."""
    db = lab.run("db", address="10.123.7.7")
    web = lab.run("web", labels={"hostwatch.hosts": "@{db.ip} db"})
    elsewhere = (
        f"docker: {{root: {lab.directory}}}\ntiming: {{resync: 1s, linger: 0}}\n" if by_exec else "timing: {linger: 0}"
    )
    with lab.hostwatch("-c", lab.configured(elsewhere), ready="web: ") as hostwatch:
        path, right = lab.hosts_path(web), lab.hosts(web)
        theirs = right.replace("10.123.7.7      db", "192.0.2.7       other")
        for number in range(5):
            path.write_text(theirs)
            eventually(lambda: path.read_text() == right)
            # The line about the change comes after the one about the rivalry.
            eventually(lambda number=number: hostwatch.log.count("other 192.0.2.7 → -") == number + 1)  # type: ignore[misc]
            assert hostwatch.log.count("again and again") == (number == 4)
        # The wait begins when ours is written; a command takes its time for that.
        begun = path.stat().st_mtime if not by_exec else time.time()
        path.write_text(theirs)
        eventually(lambda: path.read_text() == right)
        assert path.stat().st_mtime - begun > 0.7
        path.write_text(theirs)
        db.rename("cache")
        eventually(lambda: "withheld" in path.read_text(), 2 if not by_exec else 4)
    assert hostwatch.log.count("again and again") == 1


def test_every_damage_to_the_block_is_mended(lab: Lab) -> None:
    """The same file gets back the same text, with a log line that says drift."""
    with lab.hostwatch() as hostwatch:
        lab.run("db", address="10.123.7.7")
        web = lab.run("web", labels=WANTS)
        path = lab.hosts_path(web)
        right = with_block_at_end(lab, web)
        for name, damage in DAMAGES.items():
            print(f"damage: {name}")  # shown if it is not mended
            damaged = damage(right)
            assert damaged != right
            overwrite(path, damaged)
            eventually(lambda: path.read_bytes() == right)
        overwrite(path, b"")
        eventually(lambda: path.read_text() == BLOCK)
    assert hostwatch.log.count("drift") >= 2, hostwatch.log


def test_foreign_lines_stay_byte_for_byte(lab: Lab) -> None:
    """Encodings, CRs, blank lines, tabs, before the block and behind it; the owner and the mode stay, too."""
    with lab.hostwatch():
        db = lab.run("db", address="10.123.7.7")
        web = lab.run("web", labels=WANTS)
        path = lab.hosts_path(web)
        right = with_block_at_end(lab, web)
        os.chown(path, 1234, 4321)
        path.chmod(0o640)
        identity = standing(path)
        before = right.removesuffix(BLOCK.encode()) + b"\n10.1.1.1\tM\xfcller\r\n\t \n#\xff\xfe\n"
        behind = b"10.2.2.2\tdb2 \r\n\n::1 six # hostwatch: begin\n"
        overwrite(path, before + BLOCK.encode() + behind + b"no newline")
        db.remove(force=True)
        lab.run("db", address="10.123.7.8")
        block = BLOCK.replace("10.123.7.7", "10.123.7.8").encode()
        eventually(lambda: path.read_bytes().removesuffix(b"\n") == before + block + behind + b"no newline")
    assert standing(path) == identity


@newest_only
def test_a_file_without_records_is_never_written(lab: Lab) -> None:
    """It gets no block, and not even a missing newline. Lines that were foreign before hostwatch stay foreign."""
    with lab.hostwatch() as hostwatch:
        web = lab.run("web", labels={"hostwatch.services": "*"}, network_mode="none")
        stranger = lab.run("stranger", network_mode="none")
        before = {}
        for container in (web, stranger):
            path = lab.hosts_path(container)
            overwrite(path, path.read_bytes() + b"10.1.1.1 mine")
            before[path] = path.read_bytes(), path.stat().st_mtime_ns
        stranger.rename("somebody")
        late = lab.run("late", labels={"hostwatch.hosts": "192.0.2.1 fixed"}, network_mode="bridge")
        eventually(lambda: lab.records(late))
        assert hostwatch.stop() == 0
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before


def test_containers_that_cannot_help_are_served_alike(lab: Lab) -> None:
    """They are paused, have a read-only root, or have no shell: the file is written from outside."""
    image_with_sleep_alone(lab)
    with lab.hostwatch():
        db = lab.run("db", address="10.123.7.7")
        paused = lab.run("paused", labels=WANTS)
        strict = lab.run("strict", labels=WANTS, read_only=True, cap_drop=["ALL"], user="1000:1000")
        bare = lab.client.containers.run(
            "sleep-alone", ["/sleep", "1000"], name="bare", labels=WANTS, network="front", detach=True
        )
        assert not has_shell(bare)
        for web in (paused, strict, bare):
            settled(lab, web)
        paused.pause()
        db.remove(force=True)
        lab.run("db", address="10.123.7.8")
        for web in (paused, strict, bare):
            eventually(lambda web=web: lab.records(web).get("db") == ["10.123.7.8"])  # type: ignore[misc]
        paused.unpause()
        assert "10.123.7.8" in lab.seen(strict)


@newest_only
def test_a_killed_hostwatch_makes_it_right_when_it_is_back(lab: Lab) -> None:
    """It repairs all changes since. A container that is no subscriber any more loses its block."""
    with lab.hostwatch() as hostwatch:
        db = lab.run("db", address="10.123.7.7")
        web = lab.run("web", labels=WANTS)
        settled(lab, web)
        hostwatch.stop(signal.SIGKILL)
    db.remove(force=True)
    lab.run("other", address="10.123.7.7")
    lab.run("cache", address="10.123.7.9")
    overwrite(lab.hosts_path(web), lab.hosts(web).replace("# hostwatch: end\n", "10.9.9.9 intruder\n").encode())
    late = lab.run("late", labels=WANTS)
    with lab.hostwatch():
        for container in (web, late):
            eventually(lambda container=container: lab.records(container) == {"cache": ["10.123.7.9"]})  # type: ignore[misc]
        lab.run("db", address="10.123.7.8")
        for container in (web, late):
            eventually(lambda container=container: lab.records(container).get("db") == ["10.123.7.8"])  # type: ignore[misc]


@pytest.fixture
def lasting(engine: engines.Engine, tmp_path: Path) -> Iterator[Lab]:
    """A lab on an engine of its own. Its containers live on without their daemon."""
    own = engines.start(engine.version, f"{engine.name}-live", args=["--live-restore"])
    client = docker.DockerClient(base_url=own.docker_host, timeout=60)
    try:
        with make_lab(own, client, tmp_path) as lab:
            yield lab
    finally:
        client.close()
        own.stop()


def test_while_the_engine_is_away_records_stay(lasting: Lab) -> None:
    """Unknown facts change nothing. One line tells the loss and one the return. Then all becomes right."""
    lab = lasting
    with lab.hostwatch("-c", lab.configured("timing: {linger: 0}")) as hostwatch:
        lab.run("db", address="10.123.7.7")
        cache = lab.run("cache", address="10.123.7.9")
        web = lab.run("web", labels=WANTS)
        right = eventually(lambda: lab.records(web) == WITH_CACHE and lab.hosts_path(web).read_bytes())
        cache.reload()
        lab.engine.kill()
        eventually(lambda: "lost the engine" in hostwatch.log)
        end_inside(lab.engine, cache.attrs["State"]["Pid"])
        # Longer than the first few attempts to connect again. No event shows that nothing happens, so the test sleeps.
        time.sleep(1)
        assert lab.hosts_path(web).read_bytes() == right
        lab.engine.start()
        eventually(lambda: lab.records(web) == WITHOUT_CACHE, 30)
        lab.client.containers.get("db").remove(force=True)
        lab.run("db", address="10.123.7.8")
        eventually(lambda: lab.records(web).get("db") == ["10.123.7.8"])
        eventually(lambda: hostwatch.log.count("connected to engine") == 2)
    assert hostwatch.log.count("lost the engine") == 1
    assert hostwatch.log.count("connected to engine") == 2
    assert "ERROR" not in hostwatch.log


def settled(lab: Lab, web: Container) -> bytes:
    """The file's text once its block is right."""
    eventually(lambda: BLOCK in lab.hosts(web))
    return lab.hosts_path(web).read_bytes()


def with_block_at_end(lab: Lab, web: Container) -> bytes:
    """The file's text once its block is right and at the end, although the engine may have written behind it."""
    foreign = settled(lab, web).replace(BLOCK.encode(), b"")
    overwrite(lab.hosts_path(web), foreign + BLOCK.encode())
    return foreign + BLOCK.encode()


def standing(path: Path) -> tuple[int, ...]:
    """Inode, mode and owner."""
    status = path.stat()
    return status.st_ino, status.st_mode, status.st_uid, status.st_gid


def image_with_sleep_alone(lab: Lab) -> None:
    """An image of a single static program."""
    program = (engines.fetch(lab.engine.version) / "usr/bin/busybox").read_bytes()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("sleep")
        entry.size, entry.mode = len(program), 0o755
        tar.addfile(entry, io.BytesIO(program))
    lab.client.api.import_image_from_data(archive.getvalue(), repository="sleep-alone", tag="latest")


def has_shell(container: Container) -> bool:
    """Whether a shell runs in the container. Some engines answer with an error, some with an exit code."""
    try:
        return container.exec_run(["sh", "-c", "true"]).exit_code == 0
    except docker.errors.APIError:
        return False


def end_inside(engine: engines.Engine, pid: int) -> None:
    """Kill a process of a container without the engine, by its id in the engine's namespaces."""
    subprocess.run(engine.enter("sh", "-c", f"kill -KILL {pid}"), check=True, timeout=10)
