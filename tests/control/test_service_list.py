"""The services of `status`: a swarm's tasks stand under their service, each once."""

import ipaddress

from hostwatch.control.service_list import services
from hostwatch.control.turns import Turns
from hostwatch.core.remote import RemoteEndpoint, remote_container, remote_key
from tests.core.build import ENGINE, box, net, on, store


def task(number: int, host: str) -> RemoteEndpoint:
    """A task of the service `web`, as the gossip tells it."""
    address = ipaddress.IPv4Address(f"10.0.1.{number}")
    return RemoteEndpoint(
        f"e{number}",
        f"web.{number}.t",
        host,
        ("tasks.web",),
        "swarm:web",
        "web",
        ipv4=address,
        network=net("mesh").key.id,
        network_name="mesh",
    )


async def test_a_task_of_this_host_is_listed_once() -> None:
    """The gossip tells it as well, since the service's name stands for it too."""
    own = box("web.1.t", on("mesh", "10.0.1.1"), labels={"com.docker.swarm.service.name": "web"})
    made = store(net("mesh", "10.0.1.0/24", driver="overlay"), own, box("other", on("front", "10.0.1.2")))
    for endpoint in (task(1, "10.250.0.1"), task(2, "10.250.0.2")):
        key = remote_key(ENGINE, "overlay:mesh", endpoint.id)
        made.put_remote(key, remote_container(key, endpoint))
    listed = {each["name"]: each["containers"] for each in await services(made, Turns())}
    assert [(each["name"], each["elsewhere"] is None) for each in listed["web"]] == [
        ("web.1.t", True),
        ("web.2.t", False),
    ]
    assert listed.keys() == {"web", "other"}
