"""A lab on one host of the laboratory, so that tests of several hosts say things as those of one do."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import docker
from docker.models.networks import Network

from tests.conftest import Lab, environment
from tests.hosts_lab.host import Host
from tests.hosts_lab.laboratory import OVERLAY, ROUTED, Laboratory


@contextmanager
def labs(of: Laboratory, directory: Path) -> Iterator[list[Lab]]:
    """A lab for each host: with the overlay network of a swarm, or with the routed one."""
    name = OVERLAY if of.kind == "swarm" else ROUTED
    with ExitStack() as stack:
        yield [stack.enter_context(_lab(host, name, directory / host.name)) for host in of.hosts]


@contextmanager
def _lab(host: Host, name: str, directory: Path) -> Iterator[Lab]:
    directory.mkdir(parents=True)
    # A worker of a swarm does not list a network that none of its containers is on.
    network = Network({"Name": name})
    with closing(docker.DockerClient(base_url=host.engine.docker_host, timeout=60)) as client:
        yield Lab(host.engine, client, network, directory, environment(host.engine), host.within)
