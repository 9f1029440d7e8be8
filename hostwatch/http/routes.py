"""The paths that are answered. All of them read only, and none leads to a file but the page's own ones."""

import time
from collections.abc import Iterable
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
from aiohttp import web
from loguru import logger

from hostwatch.control.figures import Figures
from hostwatch.control.gauges import Gauges
from hostwatch.control.inquiry import InquiryError, inquiry
from hostwatch.control.subscribers import NoNameError, NoSubscriberError
from hostwatch.control.view import View
from hostwatch.http.encoding import encoded
from hostwatch.http.events import Events, SlowReaderError
from hostwatch.http.files import PageFile, page_files
from hostwatch.http.gate import SEND_SECONDS, plain, sent

_LONG_ANSWERS = 4
"""So many long answers are made and sent at a time, so that a crowd of clients takes little memory."""
_SCRAPES = 1
"""So many texts for Prometheus are made at a time: each takes a thread for some milliseconds."""
_MOST_STREAMS = 200
"""Event streams: one for each open page, and room left among the connections for other requests."""


_FILES = page_files()


def routes(view: View, events: Events) -> Iterable[web.RouteDef]:
    """The paths of one address."""
    answers, streams = _Answers(view), _Streams(events)
    return [
        web.get("/healthz", answers.healthz),
        web.get("/readyz", answers.readyz),
        web.get("/metrics", answers.metrics),
        web.get("/api/v1/state", answers.state),
        web.get("/api/v1/why/{subscriber:.+}", answers.why),
        web.get("/api/v1/history", answers.history),
        web.get("/api/v1/events", streams.events),
        *(web.get(file.path, partial(_page, file)) for file in _FILES),
    ]


class _Answers:
    """Answers that end."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._long = anyio.CapacityLimiter(_LONG_ANSWERS)
        self._scrapes = anyio.CapacityLimiter(_SCRAPES)

    async def healthz(self, _request: web.Request) -> web.StreamResponse:
        """Whether the process works: it answers."""
        return plain("ok")

    async def readyz(self, _request: web.Request) -> web.StreamResponse:
        """Whether it does its work, or waits to do it in the place of another hostwatch."""
        if self._view.is_standby:
            return plain("standby: another hostwatch keeps the files")
        reason = self._view.unready
        return plain("ready") if reason is None else plain(reason.replace("\n", " "), 503)

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """What is counted and measured, as text for Prometheus."""
        accepted = ",".join(request.headers.getall("Accept", []))
        async with self._scrapes:
            gauges = await self._view.gauges()
            text, kind = await anyio.to_thread.run_sync(_exposition, self._view.figures, gauges, accepted)
        return web.Response(body=text, headers={"Content-Type": kind})

    async def state(self, request: web.Request) -> web.StreamResponse:
        """The answer of `status --json`."""
        async with self._long:
            try:
                found = await self._view.state(request.query.getall("subscriber", []))
            except NoSubscriberError as error:
                return plain(str(error), 404)
            return await _json(request, found)

    async def why(self, request: web.Request) -> web.StreamResponse:
        """The answer of `why --json`."""
        async with self._long:
            try:
                found = await self._view.why(request.match_info["subscriber"], request.query.getall("name", []))
            except (NoSubscriberError, NoNameError) as error:
                return plain(str(error), 404)
            return await _json(request, found)

    async def history(self, request: web.Request) -> web.StreamResponse:
        """The answer of `history --json`."""
        try:
            asked = inquiry(request.query.items(), time.time())
        except InquiryError as error:
            return plain(str(error), 400)
        async with self._long:
            return await _json(request, await self._view.past(asked))


class _Streams:
    """Answers that go on until the client leaves, or does not read."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._count = 0

    async def events(self, request: web.Request) -> web.StreamResponse:
        """An event for each change."""
        if self._count >= _MOST_STREAMS:
            return plain("too many event streams", 503, {"Retry-After": "10"})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        self._count += 1
        try:
            await self._send(request, response)
        except (SlowReaderError, TimeoutError) as error:
            reason = str(error) or f"it has not read for {SEND_SECONDS:.0f} s"
            logger.debug("HTTP: an event stream is closed, as its client is too slow: {}", reason)
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._count -= 1
        return response

    async def _send(self, request: web.Request, response: web.StreamResponse) -> None:
        with self._events.stream(_last(request)) as stream:
            await response.prepare(request)
            await response.write(_BEGINNING)
            while True:
                text = await stream.next()
                with anyio.fail_after(SEND_SECONDS):
                    await response.write(text)


async def _page(file: PageFile, _request: web.Request) -> web.StreamResponse:
    return web.Response(body=file.content, content_type=file.kind, charset="utf-8")


def _exposition(figures: Figures, gauges: Gauges, accepted: str) -> tuple[bytes, str]:
    from hostwatch.http.metrics import exposition  # noqa: PLC0415 (loads prometheus_client)

    return exposition(figures, gauges, accepted)


_BEGINNING = b"retry: 1000\n\n"
"""A browser connects anew after a second."""


def _last(request: web.Request) -> int | None:
    """The number of the last change that the client has."""
    given = request.headers.get("Last-Event-ID", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 20 else None


async def _json(request: web.Request, value: Any) -> web.StreamResponse:
    body = await anyio.to_thread.run_sync(encoded, value)
    return await sent(request, web.Response(body=body, content_type="application/json"))
