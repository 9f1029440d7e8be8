"""What a swarm's gossip tells: the answers of real engines (26.1 as manager, 28.5 as worker), and hostile ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from hostwatch.core.gossip import Gossip
from hostwatch.core.model import EngineId, NetworkId, NetworkKey
from hostwatch.docker.decode import gossip as decode

RECORDED = Path(__file__).with_name("gossip")
MESH = NetworkKey(EngineId("engine"), NetworkId("1wjp55c54fzds920zo999dl83"))


def decoded(data: Any) -> Gossip:
    """The result for an answer."""
    reader = decode.GossipReader(MESH, data if isinstance(data, str) else json.dumps(data))
    for _ in reader.steps():
        pass
    return reader.gossip()


def test_a_node_that_is_not_on_the_network_hears_nothing() -> None:
    assert not decoded({"Name": "mesh", "Driver": "overlay", "Containers": {}}).is_joined
    assert decoded(of_service("", task("db"))).is_joined


def names(found: Gossip) -> dict[str, list[str]]:
    """The names that may be looked up, with the addresses."""
    result: dict[str, list[str]] = {}
    for endpoint in found.endpoints.values():
        for name in endpoint.names:
            result.setdefault(name, []).append(str(endpoint.ipv4 or endpoint.ipv6))
    return {name: sorted(addresses) for name, addresses in result.items()}


def of_service(service: str, *tasks: Any, virtual: str = "<nil>", **more: Any) -> dict[str, Any]:
    """An answer with one service, or with containers outside services."""
    return {"Name": "mesh", "Services": {service: {"VIP": virtual, "Tasks": list(tasks)}}, **more}


def task(name: Any, address: str = "10.0.1.9", identity: Any = "e1", host: Any = "10.250.0.2") -> dict[str, Any]:
    """A task of an answer."""
    return {"Name": name, "EndpointID": identity, "EndpointIP": address, "Info": {"Host IP": host}}


def test_the_manager_of_two_nodes() -> None:
    """It has `client`, a task of `web` and one of `rr` of its own: these count for their services alone."""
    found = decoded((RECORDED / "manager-26.1.json").read_text())
    assert names(found) == {
        "db": ["10.0.1.4"],
        "web": ["10.0.1.6"],
        "tasks.web": ["10.0.1.7", "10.0.1.8", "10.0.1.9"],
        "web.1.39dp8git5a41z3anptmfle1nt": ["10.0.1.7"],
        "web.3.ketum7zzhwozlxgwpzx7xmqof": ["10.0.1.9"],
        "rr": ["10.0.1.10", "10.0.1.11"],
        "tasks.rr": ["10.0.1.10", "10.0.1.11"],
        "rr.pemnskl8vktutbyiukaliv07j.aanu3nutccvdqjkpgpi39le3u": ["10.0.1.11"],
    }
    hosts = {endpoint.name[:5]: endpoint.host for endpoint in found.endpoints.values()}
    assert hosts == {
        "db": "10.250.0.2",
        "web": "",
        **dict.fromkeys(("web.1", "web.3", "rr.pe"), "10.250.0.2"),
        **dict.fromkeys(("web.2", "rr.b0"), "10.250.0.1"),
    }
    assert (set(found.own), set(found.nodes)) == ({"10.250.0.1"}, {"10.250.0.1", "10.250.0.2"})
    assert (found.refused, {"10.0.1.2", "10.0.1.3"} <= set(map(str, found.local))) == ({}, True)


def test_its_worker() -> None:
    """Both see the same, but for what is their own."""
    manager, worker = (decoded((RECORDED / f"{name}.json").read_text()) for name in ("manager-26.1", "worker-28.5"))
    own = {"client", "web.2.ldonia0obmxz1vkx0akxn4t0t", "rr.b0xypws0dcxacqgsxgbtjnnxm.s73nadthrmuvb2u7spclach65"}
    assert names(worker).keys() - names(manager).keys() == own
    for name in ("web", "tasks.web", "rr", "tasks.rr"):
        assert names(worker)[name] == names(manager)[name]
    assert worker.own == {"10.250.0.2"}


def test_replicas_are_in_the_order_of_their_numbers() -> None:
    found = decoded((RECORDED / "manager-26.1.json").read_text())
    numbers = {endpoint.name[:5]: (endpoint.number, endpoint.group) for endpoint in found.endpoints.values()}
    assert numbers["web.3"] == ("3", "swarm:web")
    assert numbers["rr.pe"] == ("", "swarm:rr")  # of a global service: its node's id


def test_the_short_names_of_a_stack() -> None:
    """The engine's DNS has them on the stack's networks; the gossip does not tell them."""
    stack: dict[str, Any] = {"Labels": {"com.docker.stack.namespace": "shop"}}
    tasks = (task("shop_web.1.t1"),)
    assert names(decoded(of_service("shop_web", *tasks, virtual="10.0.1.5", **stack))) == {
        "shop_web": ["10.0.1.5"],
        "web": ["10.0.1.5"],
        "tasks.shop_web": ["10.0.1.9"],
        "tasks.web": ["10.0.1.9"],
        "shop_web.1.t1": ["10.0.1.9"],
    }
    assert "web" not in names(decoded(of_service("shop_web", *tasks)))
    answer = of_service("shop_web", *tasks, **stack)
    answer["Services"][""] = {"Tasks": [task("web", "10.0.1.8", "e2")]}
    assert names(decoded(answer))["web"] == ["10.0.1.8"]


@pytest.mark.parametrize("name", ["a b", "x\n10.0.0.1 y", "-", "a" * 300, "localhost", "1.2.3.4", ""])
@pytest.mark.parametrize("service", [False, True])
def test_bad_names_are_left_out_and_told(name: str, service: bool) -> None:
    """The good beside them stay."""
    answer = of_service(name, task("t1")) if service and name else of_service("", task(name))
    answer["Services"]["good"] = {"VIP": "<nil>", "Tasks": [task("good.1.t2", identity="e2")]}
    found = decoded(answer)
    assert names(found).keys() == {"good", "tasks.good", "good.1.t2"}
    assert len(found.refused) == 1
    assert all(what.isprintable() and len(what) < 120 for what in found.refused)


def test_the_name_of_a_task_is_safe_for_people() -> None:
    """It is looked up under its service's names although its own is none."""
    found = decoded(of_service("web", task("\x1b[31m\n10.0.0.1 y" + "x" * 5_000)))
    assert names(found).keys() == {"web", "tasks.web"}
    assert all(each.name.isprintable() and len(each.name) <= 1_000 for each in found.endpoints.values())


@pytest.mark.parametrize(
    "odd",
    [
        {"Services": None},
        {"Services": {"": {"Tasks": None}}},
        {"Services": {"": {"Tasks": "x"}}},
        {"Services": {"": {"Tasks": [None, 1, [], {"Name": 1}, task("a", identity=7), task("b", identity="x" * 65)]}}},
        {"Services": {"": {"Tasks": [task("a", "nowhere"), task("b", "", "e2")]}}},
        {"Containers": [], "Peers": {"a": 1}, "Labels": []},
        {"Peers": [None, {"IP": "x"}, {"IP": 7}]},
    ],
)
def test_answers_of_another_form_tell_nothing(odd: dict[str, Any]) -> None:
    assert decoded({"Name": "mesh", **odd}).endpoints == {}


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"Services":{"a":{"Tasks":[{]}}}', '{"Name" "x"}', '{"a":1 2}', "null"]
)
def test_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decoded(text)


def test_thousands_of_tasks() -> None:
    """They are read in steps, and only so many are taken in."""
    tasks = (task(f"web.{number}.t{number}", "10.0.1.9", f"e{number}") for number in range(decode.MOST_ENDPOINTS + 10))
    reader = decode.GossipReader(MESH, json.dumps(of_service("web", *tasks)))
    assert sum(1 for _ in reader.steps()) > decode.MOST_ENDPOINTS
    found = reader.gossip()
    assert (len(found.endpoints), len(found.refused)) == (decode.MOST_ENDPOINTS, 1)
