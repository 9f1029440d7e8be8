"""The tests of the store's client run on the event loop of the daemon, beside real servers."""

import asyncio
from collections.abc import Callable, Iterator, Mapping

import pytest
import uvloop

from tests.servers import ETCDS, Etcd, etcd


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loop by its name."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="module", params=ETCDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """One node of each version."""
    with etcd(request.param, tmp_path_factory.mktemp("etcd")) as made:
        yield made
