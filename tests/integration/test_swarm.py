"""A swarm of two real nodes: names cross them over an overlay network, with nothing to configure."""

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests import released
from tests.conftest import eventually
from tests.contained import COMPOSE_FILE
from tests.hosts_lab import Host, Laboratory, laboratory

MANAGER, WORKER = ("--constraint=node.role==manager", "--constraint=node.role==worker")
FIRST_ACT = ("busybox", "sh", "-c", "cat /etc/hosts > /seen; exec sleep 1000")
ASLEEP = ("busybox", "sleep", "1000")
STACK_FILE = COMPOSE_FILE.with_name("stack.yaml")
IGNORED = """\
version: "3.8"
services:
  hostwatch:
    image: hostwatch
    build: {context: .}
    restart: unless-stopped
    network_mode: none
    security_opt: ["no-new-privileges:true"]
    init: true
    read_only: true
    cap_drop: [ALL]
    cap_add: [LEASE]
    networks: [absent]
networks:
  absent: {external: true}
"""
"""What config/stack.yaml says of the keys that a stack ignores. Nothing comes of it, as it has no such network."""


@pytest.fixture(scope="module")
def swarm() -> Iterator[Laboratory]:
    """A manager with 26.1 and a worker with 28.5, with hostwatch on each."""
    with laboratory("swarm", f"swarm-{os.getpid()}") as made:
        for host in made.hosts:
            host.start_hostwatch("timing: {linger: 100ms}\n")
        yield made


def lines(text: str) -> dict[str, list[str]]:
    """The names in the block of a hosts file, with their addresses."""
    found: dict[str, list[str]] = {}
    block = text.partition("# hostwatch: begin\n")[2].partition("# hostwatch: end\n")[0]
    for line in block.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        for name in names:
            found.setdefault(name, []).append(address)
    return found


def identity(host: Host, name: str) -> str:
    """The id of a running container, by a part of its name."""
    return eventually(partial(host.docker, "ps", "--quiet", "--no-trunc", f"--filter=name={name}")).strip()


def block(host: Host, name: str) -> dict[str, list[str]]:
    """The block of a container."""
    return lines(Path(host.engine.data_root, "containers", identity(host, name), "hosts").read_text())


def address(host: Host, name: str, network: str = "mesh") -> str:
    """The address of a container on a network."""
    form = f"{{{{(index .NetworkSettings.Networks {network!r}).IPAddress}}}}".replace("'", '"')
    return host.docker("inspect", "--format", form, identity(host, name)).strip()


def serve(host: Host, name: str, *options: str) -> None:
    """Make a swarm service, by the manager."""
    host.docker("service", "create", "--detach", "--no-resolve-image", f"--name={name}", *options)


def test_names_cross_the_nodes_of_a_swarm(swarm: Laboratory) -> None:
    """Containers, services with tasks on both nodes, and a virtual address; before the first instruction of a task."""
    a, b = swarm.hosts
    b.docker("run", "-d", "--name=db", "--network=mesh", *ASLEEP)
    serve(a, "queue", "--endpoint-mode=dnsrr", "--mode=global", "--network=mesh", *ASLEEP)
    serve(a, "web", "--replicas=1", WORKER, "--network=mesh", *ASLEEP)
    db, web = address(b, "db"), address(b, "web.1")
    queue = sorted(address(host, "queue.") for host in swarm.hosts)
    asked = "--container-label=hostwatch.services=db,web,tasks.web,queue,none"
    serve(a, "shop", MANAGER, asked, "--network=mesh", *FIRST_ACT)
    seen = partial(a.docker, "exec", identity(a, "shop"), "cat", "/seen")
    found = lines(eventually(seen))
    virtual = found.pop("web")
    assert {name: sorted(addresses) for name, addresses in found.items()} == {
        "db": [db],
        "tasks.web": [web],
        "queue": queue,
    }
    assert virtual not in ([db], [web])
    assert virtual[0].startswith("10.0.")


def test_a_service_that_moves_is_followed(swarm: Laboratory) -> None:
    """To another address there, and to this node, whose own containers come first."""
    a, b = swarm.hosts
    a.docker("run", "-d", "--name=client", "--network=mesh", "--label=hostwatch.services=cache", *ASLEEP)
    assert block(a, "client") == {}
    b.docker("run", "-d", "--name=cache", "--network=mesh", *ASLEEP)
    eventually(lambda: block(a, "client") == {"cache": [address(b, "cache")]})
    b.docker("rm", "--force", "cache")
    eventually(lambda: block(a, "client") == {})
    b.docker("run", "-d", "--name=cache", "--network=mesh", *ASLEEP)
    eventually(lambda: block(a, "client") == {"cache": [address(b, "cache")]})
    a.docker("run", "-d", "--name=cache", "--network=mesh", *ASLEEP)
    eventually(lambda: block(a, "client") == {"cache": [address(a, "cache")]})


def test_the_short_names_of_a_stack(swarm: Laboratory) -> None:
    """On the stack's own network; what hostwatch tells is what the engine's DNS answers."""
    a, b = swarm.hosts
    a.docker("network", "create", "--driver=overlay", "--label=com.docker.stack.namespace=blog", "blog_default")
    serve(a, "blog_api", WORKER, "--network=name=blog_default,alias=api", *ASLEEP)
    asked = "--container-label=hostwatch.services=api,tasks.api"
    serve(a, "blog_ui", MANAGER, asked, "--network=name=blog_default,alias=ui", *ASLEEP)
    identity(b, "blog_api")
    eventually(lambda: len(block(a, "blog_ui")) == 2)
    for name, found in block(a, "blog_ui").items():
        assert found[0] in a.docker("exec", identity(a, "blog_ui"), "nslookup", name)
    assert block(a, "blog_ui")["tasks.api"] == [address(b, "blog_api", "blog_default")]


def deploy(manager: Host, client: Host, file: Path) -> subprocess.CompletedProcess[str]:
    """Deploy a stack on a manager by the docker command of a host. The nodes' paths differ by their names alone."""
    state = manager.engine.directory.with_name("{{.Node.Hostname}}")
    variables = {"DOCKER_SOCKET": str(state / "docker.sock"), "DOCKER_ROOT": str(state / "data")}
    words = ["stack", "deploy", "--resolve-image=never", f"--compose-file={file}", "hostwatch"]
    command = client.engine.enter("docker", f"--host=unix:///host{manager.engine.socket}", *words)
    return subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, timeout=60, check=False)


def test_what_a_stack_ignores(swarm: Laboratory, tmp_path: Path) -> None:
    """As config/stack.yaml says: these keys, and no others that it has."""
    file = tmp_path / "stack.yaml"
    file.write_text(IGNORED)
    for host in swarm.hosts:
        done = deploy(swarm.hosts[0], host, file)
        assert "Ignoring unsupported options: build, network_mode, restart, security_opt\n" in done.stderr
        assert 'network "absent" is declared as external, but could not be found' in done.stderr


def test_a_stack_runs_it_on_every_node(swarm: Laboratory, built: Path) -> None:
    """By config/stack.yaml, with the released image and the rights that the file gives; names cross the nodes."""
    a, b = swarm.hosts
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda host: released.load(host.engine.docker_host, built), swarm.hosts))
    for host in swarm.hosts:
        host.hostwatch.stop()  # it would keep the files
    done = deploy(a, a, STACK_FILE)
    assert done.returncode == 0, done.stderr
    assert "Ignoring" not in done.stderr
    for host in swarm.hosts:
        container = identity(host, "hostwatch_hostwatch")
        given = json.loads(host.docker("inspect", "--format={{json .HostConfig}}", container))
        assert given["NetworkMode"] == "bridge"
        assert given["ReadonlyRootfs"] is given["Init"] is True
        assert given["CapDrop"] == ["ALL"]
        assert given["CapAdd"] == ["CAP_DAC_OVERRIDE", "CAP_LEASE", "CAP_SYS_NICE"]
    for asking, asked in ((a, b), (b, a)):
        asked.docker("run", "-d", f"--name=of-{asked.name}", "--network=mesh", *ASLEEP)
        wants = f"--label=hostwatch.services=of-{asked.name}"
        asking.docker("run", "-d", f"--name=on-{asking.name}", "--network=mesh", wants, *ASLEEP)
    for asking, asked in ((a, b), (b, a)):
        wanted = {f"of-{asked.name}": [address(asked, f"of-{asked.name}")]}
        eventually(partial(_has, asking, f"on-{asking.name}", wanted))


def _has(host: Host, name: str, wanted: dict[str, list[str]]) -> bool:
    return block(host, name) == wanted
