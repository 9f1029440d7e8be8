"""The tests of the store's client run on the event loop of the daemon, beside real servers."""

import asyncio
from collections.abc import Callable, Iterator, Mapping

import pytest
import uvloop

from tests.servers import ETCDS, Etcd, etcd

QUICK = ("--heartbeat-interval=20", "--election-timeout=200")
"""Milliseconds, a fifth of what is usual: another leader is elected soon, and a lease may last a second."""


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loop by its name."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="module", params=(ETCDS[0], ETCDS[-1]))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """One node of the oldest version and of the newest; `tests/etcd/test_outages.py` has the one between."""
    with etcd(request.param, tmp_path_factory.mktemp("etcd"), args=QUICK) as made:
        yield made
