"""When the store counts as away, and what it costs to try again."""

import socket

import pytest

from hostwatch.control.key_values import Away, Back, StoreAddress, StoreError
from hostwatch.etcd.failures import DENIED, ServerError
from hostwatch.etcd.outage import Outage, Pauses
from hostwatch.etcd.servers import Servers


def test_a_store_is_away_when_all_its_servers_have_failed() -> None:
    """A single server fails twice before: a watch may end without a reason. Each reason is told once."""
    one, three = Outage(1), Outage(3)
    assert one.answered() == three.answered() == [Back()]
    assert one.answered() == []
    assert one.failed("a", "broken") == []
    assert one.failed("a", "gone") == [Away("gone")]
    assert one.failed("a", "gone") == []
    assert one.is_pause_due
    assert one.answered() == [Back()]
    assert one.failed("a", "gone") == [Away("gone")]  # it answered for a moment only
    assert one.answered() == [Back()]
    one.ended()
    assert one.failed("a", "broken") == []
    told = [three.failed(server, f"{server} is gone") for server in "abcab"]
    assert told == [[], [], [Away("a is gone (and 2 more of its servers fail)")], [], []]
    assert not three.is_pause_due
    assert three.failed("c", "c answers: no leader") == [Away("c answers: no leader (and 2 more of its servers fail)")]
    assert three.is_pause_due


def test_whoever_refuses_is_asked_less_often() -> None:
    """A login costs the server more than a connection costs us."""
    pauses = Pauses()
    away = [pauses.failed(ServerError("gone"), 0.0) for _ in range(10)]
    refused = [pauses.failed(ServerError("no", DENIED), 0.0) for _ in range(10)]
    assert (away[0], away[-1]) == (0.2, 1.5)
    assert (refused[0], refused[-1]) == (1.0, 30.0)
    assert pauses.failed(StoreError("too many keys"), 1.0) == 15.0
    pauses.succeeded()
    assert pauses.failed(StoreError("too many keys"), 1.0) == 0.5


async def test_a_store_of_which_no_server_answers_refuses_nothing() -> None:
    """It is asked again soon, so that a lease that ran out meanwhile is granted at its return."""
    with socket.socket() as one, socket.socket() as other:
        addresses = []
        for each in (one, other):  # nobody listens there
            each.bind(("127.0.0.1", 0))
            addresses.append(f"http://127.0.0.1:{each.getsockname()[1]}")
        servers = Servers(StoreAddress(tuple(addresses)))
        try:
            with pytest.raises(StoreError, match="1 more of its servers fail") as caught:
                await servers.ask("/v3/lease/grant", {})
        finally:
            await servers.aclose()
    pauses = Pauses()
    waits = [pauses.failed(caught.value, 0.0) for _ in range(10)]
    assert (waits[0], waits[-1]) == (0.2, 1.5)
