"""The daemon inside: nothing blocks its event loop, and nothing of it is left after its end."""

import json
import re
import signal
import subprocess
import threading
from contextlib import ExitStack
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from blockbuster import blockbuster_ctx

from hostwatch.app import daemon_for
from hostwatch.config.file import load
from hostwatch.docker.connect import located_engine
from hostwatch.docker.engine import DockerEngine
from tests.conftest import Lab, eventually
from tests.proxy import proxied

pytestmark = pytest.mark.parametrize("engine", ["28.5"], indirect=True)


async def test_nothing_blocks_the_event_loop(lab: Lab, tmp_path: Path) -> None:
    """Every blocking call in the loop is an error, in a start, a move, drift and an end."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1\tlocalhost\n")
    settings = load(Path(lab.configured(f'subscribers: {{host: {{file: {hosts}, services: "*"}}}}\n')))

    def history() -> None:
        web = lab.run("web", labels={"hostwatch.hosts": "@{db.ip} db"})
        for address in ("10.123.5.5", "10.123.5.6"):
            service = lab.run("db", address=address)
            eventually(lambda wanted=address: wanted in lab.hosts(web) and wanted in hosts.read_text())  # type: ignore[misc]
            service.remove(force=True)
        lab.hosts_path(web).write_text("127.0.0.1\tlocalhost\n")
        eventually(lambda: "withheld" in lab.hosts(web))

    threads = threading.active_count()
    with ExitStack() as stack, blockbuster_ctx("hostwatch"):
        async with (
            DockerEngine(located_engine(lab.engine.docker_host, {})) as source,
            anyio.create_task_group() as tasks,
        ):
            daemon = stack.enter_context(daemon_for(settings, source))
            tasks.start_soon(daemon.run)
            await anyio.to_thread.run_sync(history)
            tasks.cancel_scope.cancel()
    assert threading.active_count() <= threads + 20  # idle workers of anyio, none of ours


def test_it_ends_at_once_while_requests_hang(lab: Lab, tmp_path: Path) -> None:
    """SIGTERM does not wait for an engine that holds up requests."""
    with proxied(lab.engine.socket, tmp_path / "proxy.sock") as proxy:
        lab.environ["DOCKER_HOST"] = proxy.host
        with lab.hostwatch() as hostwatch:
            proxy.hold = re.compile(r"/containers/\w+/json")
            lab.run("db")
            eventually(lambda: proxy.held)
            hostwatch.process.send_signal(signal.SIGTERM)
            assert hostwatch.process.wait(20) == 0  # after five seconds it would end as a failure


def test_on_exit_remove_takes_the_blocks_out(lab: Lab, tmp_path: Path) -> None:
    """`on_exit: remove` restores the files. The history has it, and the next daemon's first change is none of its own.

    A line that was withheld is no longer, as nobody writes why.
    """
    config = lab.configured(f"on_exit: remove\nhistory: {{file: {tmp_path}/history.db}}\n")
    web = lab.run("web", labels={"hostwatch.hosts": "192.0.2.1 fixed\n@{db.ip} db"})
    before = lab.hosts(web)
    with lab.hostwatch("-c", config) as hostwatch:
        eventually(lambda: "fixed" in lab.hosts(web))
        assert hostwatch.stop() == 0
    assert lab.hosts(web) == before
    assert hostwatch.log.count("blocks removed: web\n") == 1
    last = [json.loads(line) for line in lab.command("history", "-c", config, "--json").stdout.splitlines()][-1]
    assert (last["id"], last["cause"], last["no_longer_withheld"]) == (2, "removal", ["@{db.ip} db"])
    assert last["changes"] == [{"name": "fixed", "old": ["192.0.2.1"], "new": []}]
    with lab.hostwatch("-c", config) as again:
        eventually(lambda: "web: fixed - → 192.0.2.1 (resync" in again.log)


def test_a_block_that_cannot_be_removed_at_the_end_is_told(lab: Lab) -> None:
    """The other blocks are still removed."""
    web, stuck = (lab.run(name, labels={"hostwatch.hosts": "192.0.2.1 fixed"}) for name in ("web", "stuck"))
    with lab.hostwatch("-c", lab.configured("on_exit: remove")) as hostwatch:
        eventually(lambda: "fixed" in lab.hosts(web) and "fixed" in lab.hosts(stuck))
        try:
            subprocess.run(["chattr", "+i", lab.hosts_path(stuck)], check=True)
            assert hostwatch.stop() == 0
        finally:
            subprocess.run(["chattr", "-i", lab.hosts_path(stuck)], check=True)
    assert re.search(r" WARNING stuck: its block was not removed: \S", hostwatch.log), hostwatch.log
    assert re.search(r" INFO +blocks removed: web\n", hostwatch.log), hostwatch.log
