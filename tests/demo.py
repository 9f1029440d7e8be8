"""`make demo`: a private engine, a database and two web containers, and hostwatch; then the database moves.

Shows the web containers' `/etc/hosts` before and after, and how long it took; fails if it did not happen.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
from docker.models.containers import Container

from tests import engine as engines

VERSION = "20.10"
CONFIG = Path(__file__).parent.parent / "config" / "hostwatch.yaml"
SECONDS = 10.0


def main() -> None:
    """Run the demo on the terminal."""
    say(f"starting a private Docker Engine {VERSION} (fetched from Debian's packages the first time)")
    with private_engine() as engine, contextlib.closing(docker.DockerClient(base_url=engine.docker_host)) as client:
        client.networks.create("shop")
        database = start(client, "db")
        webs = [start(client, name, {"tier": "web"}) for name in ("web-1", "web-2")]
        with hostwatch(engine):
            old = address(database)
            wait_for(engine, webs, old)
            show(webs, f"before: the database is at {old}")
            say("the database goes, and comes back on another address")
            database.remove(force=True)
            start(client, "somebody-else")
            begun = int(time.time())
            database = start(client, "db")
            new = address(database)
            wait_for(engine, webs, new)
        show(webs, f"after: the database is at {new}")
        written = max(hosts_path(engine, web).stat().st_mtime_ns for web in webs)
        say(f"both files were right {told(written, published(client, database, begun))}")


def published(client: docker.DockerClient, container: Container, since: int) -> int:
    """The time at which the engine published the container's start (nanoseconds since the epoch)."""
    wanted = {"container": str(container.id), "event": "start", "type": "container"}
    events = client.events(since=since, until=int(time.time()) + 1, filters=wanted, decode=True)
    return int(next(iter(events))["timeNano"])


def told(written: int, start: int) -> str:
    """The time at which the files were right, relative to the start of the database."""
    milliseconds = (written - start) / 1e6
    when = "before" if milliseconds < 0 else "after"
    return f"{abs(milliseconds):.1f} ms {when} the engine published the start of the database"


@contextlib.contextmanager
def private_engine() -> Iterator[engines.Engine]:
    """An engine for this run alone."""
    engine = engines.start(VERSION, f"demo-{os.getpid()}")
    try:
        yield engine
    finally:
        engine.stop()


@contextlib.contextmanager
def hostwatch(engine: engines.Engine) -> Iterator[None]:
    """hostwatch with the configuration of `config/`; its log goes to the terminal."""
    command = [sys.executable, "-m", "hostwatch", "run", "--config", str(CONFIG), "--docker-host", engine.docker_host]
    say("$ hostwatch run --config config/hostwatch.yaml")
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.terminate()
        process.wait(5)


def start(client: docker.DockerClient, name: str, labels: dict[str, str] | None = None) -> Container:
    """A busybox that sleeps, on the network `shop`."""
    return client.containers.run(
        "busybox", ["sleep", "600"], name=name, network="shop", labels=labels or {}, detach=True
    )


def address(container: Container) -> str:
    """The container's address on the network `shop`."""
    container.reload()
    return str(container.attrs["NetworkSettings"]["Networks"]["shop"]["IPAddress"])


def wait_for(engine: engines.Engine, webs: list[Container], expected: str) -> None:
    """Wait until each hosts file has the line."""
    deadline = time.monotonic() + SECONDS
    while not all(f"{expected:<16}db\n" in hosts(engine, web) for web in webs):
        if time.monotonic() > deadline:
            show(webs, "but the files say:")
            sys.exit(f"FAILED: no line for db at {expected} within {SECONDS:g} s")
        time.sleep(0.01)


def hosts(engine: engines.Engine, container: Container) -> str:
    """The container's /etc/hosts."""
    return hosts_path(engine, container).read_text()


def hosts_path(engine: engines.Engine, container: Container) -> Path:
    """The path of the container's /etc/hosts on the host."""
    return engine.data_root / "containers" / str(container.id) / "hosts"


def show(webs: list[Container], title: str) -> None:
    """The hosts files, for people."""
    say(title)
    for web in webs:
        text = web.exec_run(["cat", "/etc/hosts"]).output
        assert isinstance(text, bytes)
        print(f"  {web.name}:/etc/hosts")
        print("".join(f"    {line}\n" for line in text.decode().splitlines()), end="", flush=True)


def say(text: str) -> None:
    """Print one line."""
    print(f"\n>>> {text}", flush=True)


if __name__ == "__main__":
    main()
