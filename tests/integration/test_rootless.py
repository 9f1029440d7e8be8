"""An engine of a user without privileges: its socket is below $XDG_RUNTIME_DIR, its hosts files in the user's home."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest

from tests.conftest import Lab, eventually, make_lab
from tests.engine import start_rootless
from tests.engine.rootless import USER

AS_USER = """\
import os, sys
import anyio._backends._asyncio, concurrent.futures.thread, uvloop  # later they may be out of its sight
import hostwatch.cli.running, hostwatch.control.status, hostwatch.doctor
from hostwatch.cli import main
user = int(sys.argv.pop(1))
os.setgroups([])
os.setresgid(user, user, user)
os.setresuid(user, user, user)
main()
"""
WANTS_DB = {"hostwatch.hosts": "@{db.ip} db"}


@pytest.fixture(scope="module")
def rootless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The newest engine, run by a user."""
    if not Path("/dev/net/tun").exists():
        pytest.skip("slirp4netns, which brings a user's engine its network, needs /dev/net/tun")
    engine = start_rootless(f"rootless-{os.getpid()}")
    try:
        client = docker.DockerClient(base_url=engine.docker_host)
        with closing(client), make_lab(engine, client, tmp_path_factory.mktemp("rootless")) as lab:
            yield lab
    finally:
        engine.stop()


def test_root_serves_a_users_engine(rootless: Lab) -> None:
    """hostwatch writes the files in the user's home, and their owner stays."""
    rootless.run("db", address="10.123.7.7")
    web = rootless.run("web", labels=WANTS_DB)
    assert rootless.hosts_path(web).stat().st_uid == USER
    with rootless.hostwatch():
        eventually(lambda: rootless.records(web) == {"db": ["10.123.7.7"]})
        late = rootless.run("late", labels=WANTS_DB)
        eventually(lambda: rootless.records(late) == {"db": ["10.123.7.7"]})
    assert rootless.hosts_path(web).stat().st_uid == USER
    assert rootless.seen(web) == rootless.hosts(web)


def test_the_user_serves_the_engine_without_privileges(rootless: Lab) -> None:
    """The socket and the files belong to the user."""
    rootless.clear()
    rootless.run("db", address="10.123.7.7")
    web = rootless.run("web", labels=WANTS_DB)
    bare = rootless.hosts(web)
    for command, block in [("sync", {"db": ["10.123.7.7"]}), ("clean", {})]:
        found = as_user(rootless, command)
        assert found.returncode == 0, found.stderr
        assert rootless.records(web) == block
    assert rootless.hosts(web) == bare


def as_user(lab: Lab, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a hostwatch command as the engine's user."""
    command = [sys.executable, "-c", AS_USER, str(USER), *arguments]
    return subprocess.run(command, env=lab.environ, capture_output=True, text=True, timeout=60, check=False)
