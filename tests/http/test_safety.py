"""What a hostile client, or a page in a browser of this machine, can do to the server: nothing."""

import gc
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import anyio
import pytest

from hostwatch.http import connections, gate
from tests.effort import examples
from tests.http.site import answer, parsed, serving

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self';"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.:9464",
        "127.0.0.1:1",
        "127.8.9.10",
        "[::1]:9464",
        "[::1]",
        "watch.example.org",
        "192.0.2.7:80",
    ],
)
async def test_its_own_names_are_answered(tmp_path: Path, host: str) -> None:
    """Those of loopback, with any port, as one may be forwarded, and those of the configuration."""
    async with serving(tmp_path, "watch.example.org", "192.0.2.7") as site:
        status, _, body = await site.got("/healthz", f"Host: {host}")
        assert (status, body) == (200, b"ok\n")


@pytest.mark.parametrize(
    "headers",
    [
        ["Host: evil.example"],
        ["Host: localhost.evil.example"],
        ["Host: 127.0.0.1.evil.example"],
        ["Host: 192.0.2.1"],
        ["Host: localhost@evil.example"],
        ["Host: evil.example:127.0.0.1"],
        ["Host: [::1"],
        ["Host: "],
        ["X-Forwarded-Host: localhost"],
        ["Host: localhost", "Host: evil.example"],
        ["Host: 2130706433"],
    ],
)
@pytest.mark.parametrize("path", ["/", "/healthz", "/api/v1/state", "/api/v1/events", "/nothing"])
async def test_a_foreign_host_is_refused(tmp_path: Path, headers: list[str], path: str) -> None:
    """A page of another host whose name leads to 127.0.0.1 reads nothing."""
    async with serving(tmp_path) as site:
        status, _, body = await site.got(path, *headers)
        assert status in (400, 421)
        assert b"connected" not in body


async def test_on_the_control_socket_any_host_counts(tmp_path: Path) -> None:
    """No browser reaches it."""
    async with serving(tmp_path) as site, await anyio.connect_unix(site.control) as stream:
        text = await answer(stream, b"GET /healthz HTTP/1.1\r\nHost: whatever\r\nConnection: close\r\n\r\n")
        assert parsed(text)[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/healthz", "/api/v1/state", "/api/v1/events"])
async def test_nothing_changes_anything(tmp_path: Path, method: str, path: str) -> None:
    """Every method but GET and HEAD is refused."""
    async with serving(tmp_path) as site:
        status, _, body = await site.got(path, method=method)
        assert status in (400, 404, 405)
        assert b"ok" not in body
        assert b"connected" not in body


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "/api/v1/state", "/api/v1/history", "/nothing", "/api/v1/history?x=y"]
)
async def test_every_answer_has_the_headers(tmp_path: Path, path: str) -> None:
    """It can neither be framed nor cached, and no script but the page's own runs."""
    async with serving(tmp_path) as site:
        for headers in ([], ["Host: evil"]):
            _, found, _ = await site.got(path, *headers)
            assert found["Content-Security-Policy"] == POLICY
            assert found["X-Content-Type-Options"] == "nosniff"
            assert found["Cache-Control"] == "no-store"
            assert found["Cross-Origin-Resource-Policy"] == "same-origin"
            assert "Access-Control-Allow-Origin" not in found


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/page/../../../etc/passwd",
        "/page/%2e%2e/%2e%2e/routes.py",
        "/page//etc/passwd",
        "/page/..%2froutes.py",
        "/page/index.html\0",
        "/page/",
        "//etc/passwd",
        "/api/v1/state/../../../etc/passwd",
        "/%00",
        "/" + "a" * 8000,
        "http://evil.example/healthz",
    ],
)
async def test_a_path_leads_to_no_file(tmp_path: Path, path: str) -> None:
    """Only a fixed list of paths is answered."""
    async with serving(tmp_path) as site:
        status, _, body = await site.got(path)
        assert status in (400, 404, 421), body
        assert b"root:" not in body


@pytest.mark.parametrize(
    "text",
    [
        GET + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
        GET + b"".join(b"X-%d: a\r\n" % number for number in range(10_000)) + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 100,
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"\0" * 10_000,
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    ],
    ids=["long header", "many headers", "long path", "TLS", "version", "zeros", "chunks", "length"],
)
async def test_nonsense_is_refused(tmp_path: Path, text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is closed, and others are answered."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 1.0)
    async with serving(tmp_path) as site:
        found = await site.sent(text)
        assert not found or parsed(found)[0] in (200, 400, 405), found
        assert (await site.got("/healthz"))[0] == 200


# Slow clients.


@pytest.mark.slow
async def test_a_request_that_does_not_end_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was sent: nothing, a part, or a part after a whole one; also if it goes on byte by byte."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    async with serving(tmp_path) as site:
        for beginning in (b"", GET, GET + b"\r\n" + GET):
            text = await site.sent(beginning)
            assert text.count(b"200 OK") == beginning.count(b"\r\n\r\n")
        async with site.connected() as stream, anyio.create_task_group() as tasks:

            async def read() -> None:
                assert await answer(stream, b"") == b""
                tasks.cancel_scope.cancel()

            tasks.start_soon(read)
            with suppress(anyio.BrokenResourceError), anyio.fail_after(20):
                await stream.send(b"GET /")
                while True:
                    await stream.send(b"a")
                    await anyio.sleep(0.05)


@pytest.mark.slow
async def test_an_answer_that_is_not_read_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes one of the few places of long answers for that time only."""
    monkeypatch.setattr(gate, "SEND_SECONDS", 0.3)
    async with serving(tmp_path) as site, AsyncExitStack() as stack:
        site.view.answer = {"long": "x" * (16 << 20)}
        streams = [await stack.enter_async_context(site.connected()) for _ in range(5)]
        for stream in streams:
            await stream.send(b"GET /api/v1/state HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await anyio.sleep(3)
        assert max([len(await answer(stream, b"")) for stream in streams]) < 16 << 20
        site.view.answer = {}
        assert (await site.got("/api/v1/state"))[2] == b'{"words": []}'


async def test_too_many_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is refused; the control socket has a number of its own. A place that is free is given again."""
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 5)
    async with serving(tmp_path) as site:
        async with AsyncExitStack() as stack:
            for _ in range(5):
                stream = await stack.enter_async_context(site.connected())
                await stream.send(GET + b"\r\n")
                assert b"200 OK" in await stream.receive()
            assert (await site.got("/healthz"))[0] == 503
            async with await anyio.connect_unix(site.control) as stream:
                assert b"200 OK" in await answer(stream, GET + b"Connection: close\r\n\r\n")
        with anyio.fail_after(10):
            while (await site.got("/healthz"))[0] != 200:  # noqa: ASYNC110  # nobody tells
                await anyio.sleep(0.02)


@pytest.mark.slow
async def test_many_requests_leave_nothing(tmp_path: Path) -> None:
    """Thousands, on one connection and on many, take no memory that is not given back."""
    request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with serving(tmp_path) as site:

        async def ask(count: int) -> None:
            async with site.connected() as stream:
                for _ in range(count):
                    await stream.send(request)
                    text = b""
                    while b"hostwatch_build_info{" not in text or not text.endswith(b"\n"):
                        text += await stream.receive()

        async def ask_all(connections: int, requests: int) -> int:
            for _ in range(connections):
                await ask(requests)
            gc.collect()
            return len(gc.get_objects())

        before = await ask_all(20, 20)
        assert await ask_all(examples(200), 10) < before + 1_000
