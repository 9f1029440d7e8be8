"""A busy store: it tells changes, but answers questions late. Its followers must not make it busier."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import anyio
import pytest
from aiohttp import web

from hostwatch.control.clock import loop_time
from hostwatch.control.key_values import Put, StoreAddress
from tests.etcd.told import away, told
from tests.servers import Etcd

_LONGER_THAN_A_PROBE_SECONDS = 4.0
"""A probe is made a second after the last one, and may take two."""


class Busy:
    """A server before an etcd that holds questions up, if asked to, and passes all else on."""

    def __init__(self, target: str) -> None:
        self._target = target
        self.holds = False
        self.held = 0
        self.watches = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Pass a request on."""
        self.watches += request.path == "/v3/watch"
        if self.holds and request.path == "/v3/kv/range":
            self.held += 1
            await anyio.sleep_forever()
        async with (
            aiohttp.ClientSession() as session,
            session.post(self._target + request.path, data=await request.read()) as answer,
        ):
            response = web.StreamResponse(status=answer.status)
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            return response


@asynccontextmanager
async def busy(target: str) -> AsyncIterator[tuple[Busy, StoreAddress]]:
    """Such a server, and its address."""
    made = Busy(target)
    runner = web.ServerRunner(web.Server(made.handle, handler_cancellation=True), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield made, StoreAddress((f"http://127.0.0.1:{runner.addresses[0][1]}",))
    finally:
        await runner.cleanup()


@pytest.mark.slow
@pytest.mark.parametrize("server", ["3.5"], indirect=True)
async def test_a_watch_that_tells_changes_is_not_begun_anew(server: Etcd) -> None:
    """All followers at once would have them told again, by a server that is late already."""
    prefix = f"/{uuid.uuid4().hex}/"
    async with busy(server.urls[0]) as (store, address), told(address, prefix) as follower:
        await follower.some(2)
        until = None
        while until is None or loop_time() < until:
            await away(server.put, f"{prefix}a", "1")
            assert isinstance(await follower.next(), Put)
            store.holds = True  # the watch has begun
            until = until or loop_time() + _LONGER_THAN_A_PROBE_SECONDS
        assert (store.watches, store.held > 0) == (1, True)
