"""The machines of pages: an engine for each kind of page, which lasts, and machines for each page, which are new."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Self

import docker

from tests.built import packages
from tests.hosts_lab import Host
from tests.hosts_lab.switch import Switch
from tests.image import REPOSITORY
from tests.reader import beside, stand_ins
from tests.reader.beside import PageEngine
from tests.reader.machine import booted, installed, with_pipx
from tests.reader.page import Page, PageError
from tests.reader.seat import Seat

_VERSIONS = {"docker": "28.5", "podman": "podman-5.8"}
_ENGINES = {"docker": "docker", "debian": "docker", "pipx": "docker", "podman": "podman"}
"""The engine that a kind of page needs."""
_BOOTS = {"debian": installed, "pipx": with_pipx}
_HOST = "docker-host"
_AS_USER = {"XDG_RUNTIME_DIR": "/run/user/1000"}
_SEVERAL = ("two-hosts", "swarm")
_OWN_IMAGE = "hostwatch"
_OWN_NETWORKS = ("bridge", "host", "none", "podman")


class Machines:
    """Engines by kind. One that stands alone is started when a page needs it first, and ends with all."""

    def __init__(self, directory: Path) -> None:
        """Machines whose disks are below this directory."""
        self._directory = directory
        self._engines: dict[str, PageEngine] = {}
        self._pages = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def seats(self, page: Page) -> Iterator[Mapping[str, Seat]]:
        """Where the reader of a page sits, by the prompt there, with its images."""
        self._pages += 1
        disk = self._directory / f"page-{self._pages}"
        with ExitStack() as stack:
            if kind := _ENGINES.get(page.machine):
                engine = self._engine(kind)
                stack.callback(_clean, engine)
                engines = {_HOST: engine}
            elif page.machine == "rootless":
                engine = beside.start_rootless(f"rr{os.getpid()}", _HOST)
                stack.callback(engine.stop)
                engines = {_HOST: engine}
            elif page.machine in _SEVERAL:
                engines = stack.enter_context(_hosts(disk, is_swarm=page.machine == "swarm"))
            else:
                kinds = ", ".join([*_ENGINES, "rootless", *_SEVERAL, "none"])
                raise PageError(f"{page.path}: there is no machine {page.machine!r}; there are: {kinds}")
            seats = {}
            for name, engine in engines.items():
                _give_images(engine, page)
                (disk / name).mkdir(parents=True)
                boot = _BOOTS.get(page.machine, booted)
                seats[name] = Seat(stack.enter_context(boot(engine, disk / name)))
            first = next(iter(seats.values()))
            if page.machine == "rootless":
                first.machine.run("systemctl", "start", "user@1000")
                seats = {"mia": Seat(first.machine, "mia", "/home/mia/shop", _AS_USER)}
            for seat in seats.values():
                for name in page.files:
                    _give_file(seat, name)
            yield {"": first, **seats}

    def _engine(self, kind: str) -> PageEngine:
        if kind not in self._engines:
            self._engines[kind] = beside.start(_VERSIONS[kind], f"r{kind[0]}{os.getpid()}", _HOST)
            self._stack.callback(self._engines[kind].stop)
        return self._engines[kind]


@contextmanager
def _hosts(disk: Path, *, is_swarm: bool) -> Iterator[dict[str, PageEngine]]:
    """Two hosts on a network of their own, 10.250.0.1 and 10.250.0.2, with one swarm if so."""
    switch = Switch(disk)
    with ExitStack() as stack:
        stack.callback(switch.stop)
        switch.start()
        hosts = []
        for number, name in enumerate("ab", 1):
            engine = beside.start(_VERSIONS["docker"], f"r{name}{os.getpid()}", name)
            stack.callback(engine.stop)
            hosts.append(Host(number, engine, switch, disk / name))
            hosts[-1].plug()
        if is_swarm:
            manager, worker = hosts
            manager.docker("swarm", "init", f"--advertise-addr={manager.address}")
            token = manager.docker("swarm", "join-token", "--quiet", "worker").strip()
            worker.docker("swarm", "join", f"--token={token}", f"--advertise-addr={worker.address}", manager.address)
        yield {host.name: host.engine for host in hosts if isinstance(host.engine, PageEngine)}


def _client(engine: PageEngine) -> docker.DockerClient:
    return docker.DockerClient(base_url=engine.docker_host, timeout=60)


def _give_images(engine: PageEngine, page: Page) -> None:
    with closing(_client(engine)) as client:
        for image in ("busybox:latest", *page.images):
            if image == _OWN_IMAGE:
                _load_own(client)
            else:
                stand_ins.make(client, image)


def _load_own(client: docker.DockerClient) -> None:
    """Give the engine the released image, unless a page before this one did."""
    if not client.images.list(name=_OWN_IMAGE):
        (archive,) = packages().glob(f"{_OWN_IMAGE}-*-image.tar")
        with archive.open("rb") as file:
            client.images.load(file)


def _give_file(seat: Seat, pattern: str) -> None:
    """Put files of the repository, or packages, into the reader's directory."""
    place = REPOSITORY if "/" in pattern else packages()
    found = sorted(place.glob(pattern))
    if not found:
        raise PageError(f"there is no file {pattern!r}")
    for file in found:
        copy = seat.machine.root / seat.directory.lstrip("/") / file.relative_to(place)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)


def _clean(engine: PageEngine) -> None:
    """Remove what a page has left."""
    with closing(_client(engine)) as client:
        for container in client.containers.list(all=True):
            container.remove(force=True, v=True)
        for network in client.networks.list():
            if network.name not in _OWN_NETWORKS:
                network.remove()
        client.volumes.prune(filters=None if engine.is_podman else {"all": True})
