"""The daemon on a large engine, which is simulated here."""

import gc
from contextlib import AsyncExitStack
from pathlib import Path

import anyio

from bench import simulated
from hostwatch.app import daemon_for
from hostwatch.config.settings import Settings
from hostwatch.docker.connect import Connection
from hostwatch.docker.engine import DockerEngine
from tests.conftest import Lab, eventually, newest_only


async def test_the_first_read_is_frozen_for_the_garbage_collector(tmp_path: Path) -> None:
    """Otherwise each collection would hold up the event loop for 0.2 s with 10,000 containers."""
    made, socket = simulated.world(200, tmp_path), tmp_path / "engine.sock"
    gc.unfreeze()
    try:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(simulated.Server(made, tmp_path).listening(socket))
            connection = Connection("the engine", "http://localhost", str(socket))
            source = await stack.enter_async_context(DockerEngine(connection))
            daemon = stack.enter_context(daemon_for(Settings(), source))
            tasks = await stack.enter_async_context(anyio.create_task_group())
            tasks.start_soon(daemon.run)
            with anyio.fail_after(10):
                await daemon.compared()
            assert gc.get_freeze_count() > len(made.boxes)
            tasks.cancel_scope.cancel()
    finally:
        gc.unfreeze()
    for subscriber in made.subscribers:
        text = (tmp_path / "containers" / subscriber.id / "hosts").read_text()
        assert simulated.wanted(made, subscriber) in text


@newest_only
def test_lines_beyond_a_files_limit_are_withheld(lab: Lab) -> None:
    """A container's file gets the lines that fit, by path and by exec. The host's own may have megabytes."""
    names = [" ".join(f"service-{n}-{m}.of-a-large-project.internal.example" for m in range(10)) for n in range(600)]
    lines = [f"10.1.{n >> 8}.{n & 255} {each}" for n, each in enumerate(names)]
    hosts = lab.directory / "hosts"
    blocked = "".join(f"0.0.0.0 ads-{n}.example.net\n" for n in range(100_000))
    hosts.write_text(blocked)
    web, inside = lab.run("web"), lab.run("inside")
    template = "\n      ".join(lines)
    subscribers = f"""\
  web:
    match: {{name: web}}
    hosts: &lines |
      {template}
  inside: {{match: {{name: inside}}, writer: exec, hosts: *lines}}
  this: {{file: {hosts}, hosts: *lines}}
"""
    with lab.hostwatch("-c", lab.configured(f"subscribers:\n{subscribers}")) as hostwatch:
        eventually(lambda: all("hostwatch: end" in lab.hosts(each) for each in (web, inside)))
        eventually(lambda: hosts.read_text().endswith("# hostwatch: end\n"))
        assert 260_000 < len(lab.hosts(web)) <= 1 << 18
        assert 70_000 < len(lab.hosts(inside)) < 120_000
        for each in (web, inside):
            found = lab.block(each)
            count = len(found) - 1
            assert [line.split() for line in found[:count]] == [line.split() for line in lines[:count]]
            assert found[count].startswith(f"# withheld: and {600 - count} more lines")
        assert hosts.read_text().startswith(blocked)
        assert hosts.read_text().count(" service-") == 6000
        eventually(lambda: "inside: withheld: and " in hostwatch.log)
        eventually(lambda: "(too much for a hosts file of 256 KiB)" in hostwatch.log)
