"""The machines of pages: an engine for each kind of page, which lasts, and a machine for each page, which is new."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Self

import docker

from tests.reader import beside, stand_ins
from tests.reader.machine import Machine, booted
from tests.reader.page import Page, PageError


class Machines:
    """Engines by kind. Each is started when a page needs it first, and ends with all."""

    def __init__(self, directory: Path) -> None:
        """Machines whose disks are below this directory."""
        self._directory = directory
        self._engines: dict[str, beside.PageEngine] = {}
        self._pages = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def machine(self, page: Page) -> Iterator[Machine]:
        """A fresh machine for a page, with its images."""
        if page.machine != "docker":
            raise PageError(f"{page.path}: no machine {page.machine!r}; there are: docker, none")
        engine = self._engine(page.machine)
        self._pages += 1
        disk = self._directory / f"page-{self._pages}"
        disk.mkdir()
        with closing(_client(engine)) as client:
            for image in page.images:
                stand_ins.make(client, image)
            with booted(engine, disk) as machine:
                yield machine
            _clean(client)

    def _engine(self, kind: str) -> beside.PageEngine:
        if kind not in self._engines:
            self._engines[kind] = beside.start("28.5", f"reader-{os.getpid()}")
            self._stack.callback(self._engines[kind].stop)
            with closing(_client(self._engines[kind])) as client:
                stand_ins.replace_busybox(client)
        return self._engines[kind]


def _client(engine: beside.PageEngine) -> docker.DockerClient:
    return docker.DockerClient(base_url=engine.docker_host, timeout=60)


def _clean(client: docker.DockerClient) -> None:
    """Remove what a page has left."""
    for container in client.containers.list(all=True):
        container.remove(force=True, v=True)
    client.networks.prune()
    client.volumes.prune(filters={"all": True})
