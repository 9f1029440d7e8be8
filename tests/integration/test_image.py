"""The image that is released: loaded into an engine and started by each Docker Compose with config/compose.yaml."""

import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from tests import engine as engines
from tests import image, released
from tests.conftest import Lab, eventually
from tests.contained import COMPOSE_FILE, SUBSCRIBER, compose, followed, log, override

pytestmark = pytest.mark.parametrize("engine", ["28.5"], indirect=True)

LARGEST = 80_000_000
"""Bytes that hostwatch may add to its base."""
LOOK = """
import importlib.util, pathlib, ssl, sys
import aiohttp, httptools, kazoo, pydantic, rich, sqlite3, uvloop, yaml
import hostwatch.daemon
print([name for name in ("pip", "setuptools", "ensurepip", "docker") if importlib.util.find_spec(name)])
compiled = [module.__cached__ for module in [*sys.modules.values()] if getattr(module, "__cached__", None)]
print([path for path in compiled if not pathlib.Path(path).exists()])
print(len(ssl.create_default_context().get_ca_certs()) > 100)
"""
"""Imports what hostwatch runs with; tells what should not be there, what has no byte code, and whether https works."""
EAGER = "healthcheck: {interval: 1s, start_period: 0s, retries: 30}"


@pytest.fixture(scope="module", autouse=True)
def loaded(engine: engines.Engine, built: Path) -> None:
    """Load the image."""
    released.load(engine.docker_host, built)


@pytest.fixture(params=image.COMPOSES)
def contained(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Container]:
    """hostwatch by config/compose.yaml, which lies in a directory without the repository."""
    alone = lab.directory / "somewhere" / "else" / COMPOSE_FILE.name
    alone.parent.mkdir(parents=True)
    shutil.copy(COMPOSE_FILE, alone)
    files = [alone, override(lab, EAGER)]
    compose(lab.engine, files, "up", "--detach", version=request.param)
    [container] = lab.client.containers.list(filters={"label": "com.docker.compose.service=hostwatch"})
    yield container
    compose(lab.engine, files, "down", version=request.param)
    with pytest.raises(docker.errors.NotFound):
        container.reload()


def test_each_compose_runs_it(lab: Lab, contained: Container) -> None:
    """It is taken as it is, not built; it becomes healthy, says its version, and serves a container."""
    project = tomllib.loads((image.REPOSITORY / "pyproject.toml").read_text())["project"]
    of_release = lab.client.images.get(f"hostwatch:{project['version']}")
    assert contained.image == of_release

    def is_healthy() -> bool:
        contained.reload()
        return bool(contained.health == "healthy")

    eventually(is_healthy)
    commit = of_release.labels["org.opencontainers.image.revision"]
    said = f"hostwatch {project['version']} ({commit})\n".encode()
    assert contained.exec_run(["hostwatch", "--version"]).output == said
    web = lab.run("web", labels=SUBSCRIBER)
    lab.run("db", address="10.123.5.5")
    followed(lab, web, "10.123.5.5")
    assert "Traceback" not in log(contained)


def test_it_says_what_it_is(lab: Lab) -> None:
    """By the labels that the OCI's image specification names; its time is the commit's."""
    found = lab.client.images.get("hostwatch")
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in found.labels.items()}
    project = tomllib.loads((image.REPOSITORY / "pyproject.toml").read_text())["project"]
    assert labels.pop("created") == found.attrs["Created"]
    assert re.fullmatch("[0-9a-f]{12}", labels.pop("revision"))
    assert labels == {
        "title": project["name"],
        "description": project["description"],
        "licenses": project["license"],
        "version": project["version"],
    }


def test_it_is_small_and_has_nothing_that_it_does_not_run(lab: Lab, built: Path) -> None:
    """Compiled modules have their byte code already, as the root is read-only. There is no pip and no compiler."""
    base, own = released.sizes(built)
    assert own < LARGEST, own
    assert base < LARGEST, base
    output = lab.client.containers.run("hostwatch", ["-c", LOOK], entrypoint="/opt/hostwatch/bin/python3", remove=True)
    assert output == b"[]\n[]\nTrue\n"
