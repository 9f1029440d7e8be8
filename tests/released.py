"""The image among the packages of this tree."""

import json
import tarfile
from pathlib import Path
from typing import Any

import docker

_SECONDS = 120
"""An engine takes ten to load the image, and more beside other tests."""


def archive(built: Path) -> Path:
    """The archive for `docker load`."""
    (found,) = built.glob("*-image.tar")
    return found


def description(built: Path) -> dict[str, Any]:
    """What the image says of itself."""
    with tarfile.open(archive(built)) as tar:
        (manifest,) = json.loads(_read(tar, "manifest.json"))
        found: dict[str, Any] = json.loads(_read(tar, manifest["Config"]))
    return found


def sizes(built: Path) -> list[int]:
    """The bytes in the files of each layer, the base first."""
    with tarfile.open(archive(built)) as tar:
        (manifest,) = json.loads(_read(tar, "manifest.json"))
        layers = [tarfile.open(fileobj=tar.extractfile(name)) for name in manifest["Layers"]]  # noqa: SIM115
        return [sum(entry.size for entry in layer) for layer in layers]


def load(docker_host: str, built: Path) -> None:
    """Give an engine the image, as `hostwatch` and under its version."""
    client = docker.DockerClient(base_url=docker_host, timeout=_SECONDS)
    with archive(built).open("rb") as file:
        client.images.load(file)
    client.close()


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None, name
    return file.read()
