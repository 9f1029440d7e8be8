"""Servers that are no etcd, or one with bad manners: each is named, and costs neither memory nor time."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hostwatch.control.key_values import Away, Back, Listed, StoreAddress, StoreError
from hostwatch.etcd.servers import Servers
from hostwatch.etcd.store import EtcdStore
from tests.etcd.told import a_store, told

HEADER = {"cluster_id": "1", "revision": "5", "raft_term": "2"}


def answer(body: str, status: str = "200 OK", fields: str = "") -> bytes:
    """A whole answer of HTTP."""
    return f"HTTP/1.1 {status}\r\n{fields}Content-Length: {len(body)}\r\n\r\n{body}".encode()


@asynccontextmanager
async def answering(reply: Callable[[str], bytes]) -> AsyncIterator[tuple[StoreAddress, list[str]]]:
    """A server that answers each request by its path, and the heads of the requests that came."""
    heads: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                heads.append(head)
                length = next(line for line in head.splitlines() if line.lower().startswith("content-length"))
                await reader.readexactly(int(length.partition(":")[2]))
                writer.write(reply(head.split()[1]))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield StoreAddress((f"http://127.0.0.1:{port}",)), heads


async def refused(reply: bytes, **known: Any) -> str:
    """What is said of a server that answers so."""
    async with answering(lambda _: reply) as (address, _), a_store(replace(address, **known)) as store:
        with pytest.raises(StoreError) as caught:
            await store.get("/a")
        return str(caught.value)


REPLIES = {
    "a redirection": (answer("", "302 Found", "Location: http://127.0.0.1:1/\r\n"), "a redirection, which is not"),
    "a page": (answer("<html>nginx</html>"), "does not answer as an etcd (no JSON)"),
    "depth": (answer("[" * 100_000), "does not answer as an etcd (no JSON)"),
    "a list": (answer("[]"), "does not answer as an etcd (no object of JSON)"),
    "a number for a key": (answer('{"kvs": [{"key": 5}]}'), "a list of another form"),
    "depth in an error": (answer("[" * 3000, "500 Oh"), "answers: [[["),
    "no end of a number": (answer('{"kvs": [{"key": "YQ==", "lease": 1e999}]}'), "a list of another form"),
    "no end of a code": (answer('{"code": 1e999, "message": "x"}', "500 Oh"), "answers: "),
    "length": (answer("x" * ((1 << 20) + 1)), "with more than 1048576 bytes"),
    "no gateway": (answer("<html>no such page</html>", "404 Not Found"), "404 to /v3/kv/range; name the client port"),
    "a proxy": (answer("<html>bad</html>", "502 Bad Gateway"), "answers: status 502"),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", "does not answer as an etcd"),
    "as 3.4": (answer('{"error":"etcdserver: x","message":"etcdserver: x","code":8}', "429 Much"), "etcdserver: x"),
    "as 3.5": (answer('{"code":8, "message":"etcdserver: y", "details":[]}', "429 Much"), "etcdserver: y"),
    "as a stream": (answer('{"error":{"code":8, "message":"etcdserver: z"}}', "429 Much"), "etcdserver: z"),
    "colours": (answer(json.dumps({"message": "\x1b[31m\udcffred"}), "500 Oh"), r"answers: \x1b[31m\udcffred"),
    "a long reason": (answer(json.dumps({"message": "long " * 5000}), "500 Oh"), "answers: "),
}


@pytest.mark.parametrize("kind", REPLIES)
async def test_an_answer_that_is_none_is_named(kind: str) -> None:
    """In one sentence of bounded length."""
    reply, said = REPLIES[kind]
    fault = await refused(reply)
    assert said in fault
    assert len(fault) < 500


async def test_proxies_and_cookies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment may name a proxy for other programs."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    reply = answer(json.dumps({"header": HEADER}), fields="Set-Cookie: a=b; Path=/\r\n")
    async with answering(lambda _: reply) as (address, heads), a_store(address) as store:
        assert await store.get("/a") is None
        assert await store.get("/a") is None
    assert len(heads) == 2
    assert not [head for head in heads if "cookie" in head.lower() or "gzip" in head.lower()]


REPEATED = ('what? {"name": "me", "password": "the \\"pass word"}', '{"message": "no user the \\"pass word"}')


@pytest.mark.parametrize("body", REPEATED)
async def test_a_password_that_is_repeated_is_not_told(body: str, tmp_path: Path) -> None:
    """By whatever answers in the place of an etcd, as a proxy that shows what it was asked."""
    file = tmp_path / "password"
    file.write_text('the "pass word')
    fault = await refused(answer(body, "400 Bad"), user="me", password_file=file)
    assert "does not answer as an etcd" in fault
    assert "pass word" not in fault


async def test_a_refused_password_is_not_shown_at_each_attempt(tmp_path: Path) -> None:
    """It costs the server 70 ms of work each time, and there may be a hundred hosts. Another one is tried at once."""
    file = tmp_path / "password"
    file.write_text("wrong")
    said = "etcdserver: authentication failed, invalid user ID or password"
    reply = answer(json.dumps({"code": 3, "message": said}), "400 Bad")
    async with answering(lambda _: reply) as (address, heads):
        store = EtcdStore(replace(address, user="me", password_file=file))
        for password, logins in (("wrong", 1), ("wrong", 1), ("other", 2), ("other", 2)):
            file.write_text(password)
            with pytest.raises(StoreError, match="check `user` and the password"):
                await store.get("/a")
            assert len(heads) == logins
        await store.aclose()


WATCHES = {
    "no line": "x" * ((4 << 20) + 1),
    "no JSON": "x\n",
    "an error": '{"error": {"grpc_code": 14, "message": "etcdserver: no leader"}}\n',
    "a refusal": '{"result": {"canceled": true, "created": true, "cancel_reason": "rpc error: code = PermissionDenied'
    ' desc = etcdserver: permission denied"}}\n',
    "an event at once": '{"result": {"events": []}}\n',
    "a bad event": '{"result": {"created": true}}\n{"result": {"events": [{"kv": 7}]}}\n',
    "an end": '{"result": {"created": true}}\n',
}
SAID = {
    "no line": None,  # all is listed again
    "no JSON": "no JSON",
    "an error": "no leader; most of its servers must run",
    "a refusal": "permission denied; grant it",
    "an event at once": "a watch that begins with an event",
    "a bad event": "an event of another form",
    "an end": "ended the watch",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", WATCHES)
async def test_a_watch_that_is_none_is_named(kind: str) -> None:
    """It is begun again, at a growing pace."""

    def reply(path: str) -> bytes:
        if path == "/v3/watch":
            return answer(WATCHES[kind])
        return answer(json.dumps({"header": HEADER}))

    async with answering(reply) as (address, heads), told(address, "/p/") as follower:
        assert await follower.some(2) == [Back(), Listed(())]
        found = await follower.next()
        if SAID[kind] is None:
            assert found == Listed(())
        else:
            assert isinstance(found, Away)
            assert str(SAID[kind]) in found.fault
        asked = len(heads)
        await asyncio.sleep(0.2)
        assert len(heads) < asked + 10


def test_hosts_spread_over_the_servers() -> None:
    """Each begins with one by lot."""
    urls = tuple(f"http://127.0.0.1:{port}" for port in range(1, 4))
    firsts = {Servers(StoreAddress(urls)).current for _ in range(100)}
    assert firsts == set(urls)


async def test_all_servers_that_fail_are_counted() -> None:
    """One of them is named."""
    store = EtcdStore(StoreAddress(("http://127.0.0.1:1", "http://127.0.0.1:2")))
    with pytest.raises(StoreError, match=r"http://127.0.0.1:1 refuses connections; .* \(and 1 more"):
        await store.get("/a")
    await store.aclose()
