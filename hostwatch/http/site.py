"""Answers at one listening socket. Loaded once the first client is there, as aiohttp takes 15 MB and 0.3 s."""

import asyncio
from pathlib import Path
from typing import NoReturn, cast

import anyio
from aiohttp import web

from hostwatch.control.view import View
from hostwatch.http.connections import Connections
from hostwatch.http.events import Events
from hostwatch.http.gate import Gate, add_headers
from hostwatch.http.routes import routes
from hostwatch.http.sockets import Listening

_END_SECONDS = 0.3
"""Time for the connections to close at the end."""


async def answer(view: View, events: Events, listening: Listening) -> NoReturn:
    """Answer for ever."""
    gate = Gate(listening.address)
    application = web.Application(middlewares=[gate.passed])
    application.on_response_prepare.append(add_headers)
    application.add_routes(routes(view, events))
    runner = web.AppRunner(
        application, handle_signals=False, access_log=None, handler_cancellation=True, shutdown_timeout=_END_SECONDS
    )
    await runner.setup()
    connections = gate.connections = Connections(cast("web.Server", runner.server))
    loop = asyncio.get_running_loop()
    create = loop.create_unix_server if isinstance(listening.address.place, Path) else loop.create_server
    server = await create(connections, sock=listening.socket)
    try:
        await anyio.sleep_forever()
    finally:
        server.close()
        connections.abort()
        with anyio.move_on_after(_END_SECONDS * 2, shield=True):
            await runner.cleanup()
    raise AssertionError("it sleeps for ever")
