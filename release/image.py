"""The image as an archive for `docker load`, made without an engine: tar files, and JSON that describes them.

It has two layers: Python as Debian has it, and hostwatch. What it runs, and how, is as in `config/Dockerfile`.
"""

import hashlib
import io
import json
import tarfile
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from release import base, environment
from release.build import Build

_SECOND = 10**9
"""In nanoseconds, in which the image states times."""
_PATH = ("/opt/hostwatch/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


@dataclass(frozen=True)
class Layer:
    """A layer of the image: its tar file, and what is said of it in the image's history."""

    archive: Path
    digest: str
    told: str


def build(build: Build) -> list[Path]:
    """Make the archive. Raises `ReleaseError`."""
    roots = build.scratch / "image-base", build.scratch / "image-own"
    base.make(build, roots[0])
    environment.make(build, roots[0], base.PYTHON)
    own = environment.PREFIX.relative_to("/")
    (roots[1] / own).parent.mkdir(parents=True)
    (roots[0] / own).rename(roots[1] / own)
    (roots[0] / own).parent.mkdir(exist_ok=True)
    told = f"Debian {base.SUITE} with Python {base.PYTHON}", f"hostwatch {build.version} in {environment.PREFIX}"
    layers = [_layer(build, root, text) for root, text in zip(roots, told, strict=True)]
    return [_archive(build, layers)]


def _layer(build: Build, root: Path, told: str) -> Layer:
    """All files of a root: in order, with no later time than the release's, and no name of a user."""
    archive = root.with_suffix(".tar")

    def entry(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.mtime, info.uname, info.gname = min(int(info.mtime), build.epoch), "", ""
        return info

    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            tar.add(path, path.relative_to(root), recursive=False, filter=entry)
    with archive.open("rb") as file:
        return Layer(archive, hashlib.file_digest(file, "sha256").hexdigest(), told)


def _archive(build: Build, layers: list[Layer]) -> Path:
    path = build.into / f"hostwatch-{build.version}-image.tar"
    image = json.dumps(description(build, layers), sort_keys=True).encode()
    name = f"{hashlib.sha256(image).hexdigest()}.json"
    tags = [f"hostwatch:{build.version}", "hostwatch:latest"]
    files = [f"{layer.digest}/layer.tar" for layer in layers]
    manifest = json.dumps([{"Config": name, "RepoTags": tags, "Layers": files}]).encode()
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for layer, file in zip(layers, files, strict=True):
            with layer.archive.open("rb") as content:
                tar.addfile(_entry(build, file, layer.archive.stat().st_size), content)
        tar.addfile(_entry(build, name, len(image)), io.BytesIO(image))
        tar.addfile(_entry(build, "manifest.json", len(manifest)), io.BytesIO(manifest))
    return path


def _entry(build: Build, name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = size, build.epoch
    return info


def description(build: Build, layers: list[Layer]) -> dict[str, Any]:
    """What the image says of itself, as the OCI's image specification has it."""
    created = datetime.fromtimestamp(build.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "architecture": build.run("dpkg", "--print-architecture").strip(),
        "os": "linux",
        "created": created,
        "config": {
            "Env": [f"PATH={':'.join(_PATH)}"],
            "Entrypoint": ["hostwatch"],
            "Cmd": ["run"],
            "StopSignal": "SIGTERM",
            "Healthcheck": {
                "Test": ["CMD", "hostwatch", "health"],
                "Interval": 60 * _SECOND,
                "Timeout": 10 * _SECOND,
                "StartPeriod": 30 * _SECOND,
                "Retries": 2,
            },
            "Labels": _labels(build, created),
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.digest}" for layer in layers]},
        "history": [{"created": created, "created_by": layer.told} for layer in layers],
    }


def _labels(build: Build, created: str) -> dict[str, str]:
    project = tomllib.loads((build.source / "pyproject.toml").read_text())["project"]
    labels = {
        "title": project["name"],
        "description": project["description"],
        "licenses": project["license"],
        "version": build.version,
        "revision": build.commit,
        "created": created,
    }
    return {f"org.opencontainers.image.{name}": text for name, text in labels.items()}
