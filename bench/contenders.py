"""The contenders: hostwatch, a bare script as the floor, a plain one that lists everything, and any peer by command.

Each runs beside the engine of a lab, as a process of its own, and is up before anything is measured. hostwatch runs as
it does by default: without a configuration, and with the real-time priority that it takes by itself if it may.
"""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import docker

from tests import engine as engines
from tests.conftest import Lab, make_lab

HERE = Path(__file__).parent
READY_SECONDS = 30.0
AT_ONCE = 8
"""How many containers are started at once, where many are needed."""


class BenchError(Exception):
    """A measurement failed. The message gives the reason."""


@dataclass(frozen=True)
class Contender:
    """A program that keeps hosts files: one of ours, by its name, or another one, by its command."""

    name: str
    command: str = ""
    """With the placeholders `{socket}`, `{root}` (the engine's data root) and `{file}` (the one file that it keeps)."""

    @property
    def is_peer(self) -> bool:
        """Whether it is not ours. Such a program keeps one file, not those of containers."""
        return bool(self.command)

    def file(self, lab: Lab) -> Path:
        """The one file that a peer keeps."""
        return lab.directory / f"{self.name}.d" / "hosts"


HOSTWATCH, FLOOR, LISTER = Contender("hostwatch"), Contender("floor"), Contender("lister")


def peer(text: str) -> Contender:
    """A contender from `NAME=COMMAND`."""
    name, separator, command = text.partition("=")
    if not separator or not name.replace("-", "").isalnum():
        raise ValueError(f"{text!r} is not NAME=COMMAND")
    return Contender(name, command)


@contextmanager
def lab(version: str) -> Iterator[Lab]:
    """A private engine without containers, with a network. It ends with the context."""
    engine = engines.start(version, f"bench-{version}-{os.getpid()}")
    try:
        with (
            tempfile.TemporaryDirectory() as directory,
            closing(docker.DockerClient(base_url=engine.docker_host, timeout=120)) as client,
            make_lab(engine, client, Path(directory)) as made,
        ):
            yield made
    finally:
        engine.stop()


def exact(lab: Lab) -> str:
    """The engine's whole version, for the notes."""
    return f"engine {lab.client.version()['Version']}"


def with_host_file(lab: Lab, path: Path) -> tuple[str, ...]:
    """hostwatch's arguments to keep a file on the host, with every name."""
    return "-c", lab.configured(f'subscribers: {{host: {{file: {path}, services: "*"}}}}')


@contextmanager
def running(contender: Contender, lab: Lab, host_file: Path | None = None) -> Iterator[int]:
    """The running contender; yields its process id. Those that are ours also keep that file on the host."""
    if contender == HOSTWATCH:
        with lab.hostwatch(*(with_host_file(lab, host_file) if host_file is not None else ())) as hostwatch:
            yield hostwatch.process.pid
        return
    log = lab.directory / f"{contender.name}.log"
    with log.open("wb") as errors:
        output = subprocess.DEVNULL if contender.is_peer else subprocess.PIPE
        process = subprocess.Popen(
            _command(contender, lab, host_file), env=lab.environ, stdout=output, stderr=errors, start_new_session=True
        )
    try:
        if process.stdout is not None and process.stdout.readline() != b"ready\n":
            raise BenchError(f"{contender.name} did not start: {log.read_text()[-500:]}")
        yield process.pid
        if process.poll() is not None:
            raise BenchError(f"{contender.name} ended with status {process.returncode}: {log.read_text()[-500:]}")
    finally:
        with suppress(ProcessLookupError):  # a peer's command may have started others
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _command(contender: Contender, lab: Lab, host_file: Path | None) -> list[str]:
    if not contender.is_peer:
        files = [str(host_file)] if host_file is not None else []
        return [sys.executable, str(HERE / f"{contender.name}.py"), str(lab.engine.data_root), *files]
    file = contender.file(lab)
    file.parent.mkdir(exist_ok=True)
    file.write_text("127.0.0.1\tlocalhost\n")
    places = {"socket": lab.engine.socket, "root": lab.engine.data_root, "file": file}
    return [word.format_map(places) for word in shlex.split(contender.command)]


@contextmanager
def beside(lab: Lab, count: int) -> Iterator[None]:
    """So many containers that do nothing: `idle-0` and so on."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        idle = list(pool.map(lambda place: lab.run(f"idle-{place}", "exec sleep 1000000"), range(count)))
        yield
        list(pool.map(lambda container: container.remove(force=True), idle))


def wait_for(check: Callable[[], object], what: str, seconds: float = READY_SECONDS) -> None:
    """Wait until the check is true."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise BenchError(f"{what}: not so after {seconds:.0f} s")
        time.sleep(0.02)


@contextmanager
def busy_cores() -> Iterator[None]:
    """A busy loop for each core, at the usual priority."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
