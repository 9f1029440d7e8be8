"""The instances of a service in Consul: against a server of this file, which follows Consul's documentation.

It does what the pages "Blocking Queries" and "Health HTTP Endpoint" say of the index, of `wait`, `passing`, `tag` and
tokens. There is no real Consul among the packages that tests may use.
"""

import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme
from aiohttp import web

from hostwatch.catalogs.consul import following_index, opened
from hostwatch.control.catalog import Catalog, CatalogError, Credentials
from hostwatch.core.catalog import Entry, Instance

LONG = 60.0


@dataclass
class Consul:
    """An agent with the service `db`."""

    instances: list[dict[str, Any]] = field(default_factory=list)
    index: int = 7
    token: str = ""
    words: str = "ACL not found"
    hides: bool = False
    """Whether it answers without what a token may not read, instead of refusing it."""
    answer: web.Response | None = None
    """Another answer to everything."""
    questions: list[dict[str, str]] = field(default_factory=list)
    news: anyio.Event = field(default_factory=anyio.Event)

    def become(self, *instances: dict[str, Any], index: int | None = None) -> None:
        """Have these instances, and a higher index unless told otherwise."""
        self.instances, self.index = [*instances], self.index + 3 if index is None else index
        self.news.set()
        self.news = anyio.Event()

    async def health(self, request: web.Request) -> web.Response:
        """`/v1/health/service/:service`."""
        asked = dict(request.query)
        self.questions.append(asked)
        if self.answer is not None:
            return web.Response(status=self.answer.status, text=self.answer.text, headers=self.answer.headers)
        allowed = not self.token or request.headers.get("X-Consul-Token") == self.token
        if not allowed and not self.hides:
            return web.Response(status=403, text=f"{self.words}: {request.headers.get('X-Consul-Token')}")
        if int(asked.get("index", "0")) >= self.index > 0:
            with anyio.move_on_after(float(asked["wait"].removesuffix("s")) * (1 + 1 / 16)):
                await self.news.wait()
        fits = [
            each
            for each in self.instances
            if request.match_info["service"] == "db"
            and ("tag" not in asked or asked["tag"] in each["Service"]["Tags"])
            and ("passing" not in asked or all(check["Status"] == "passing" for check in each["Checks"]))
        ]
        headers = {"X-Consul-Index": str(self.index)} | (
            {} if allowed else {"X-Consul-Results-Filtered-By-ACLs": "true"}
        )
        return web.json_response(fits if allowed else [], headers=headers)


def instance(number: int, *tags: str, address: str | None = None, status: str = "passing") -> dict[str, Any]:
    """An instance as Consul tells it, on the node 10.0.0.NUMBER."""
    return {
        "Node": {"Node": f"node-{number}", "Address": f"10.0.0.{number}", "Datacenter": "dc1"},
        "Service": {"ID": f"db-{number}", "Service": "db", "Tags": [*tags], "Address": address or "", "Port": 5432},
        "Checks": [{"CheckID": "serfHealth", "Status": "passing"}, {"CheckID": "db", "Status": status}],
    }


@asynccontextmanager
async def serving(consul: Consul, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The agent at an address of loopback; its URL."""
    app = web.Application()
    app.router.add_get("/v1/health/service/{service}", consul.health)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield f"{'http' if context is None else 'https'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def addresses(entries: Iterable[Entry]) -> list[str]:
    """The addresses of the instances."""
    return [str(each.address) for each in entries if isinstance(each, Instance)]


async def test_the_passing_instances_are_followed() -> None:
    """With the tag; by the service's own address if it has one; each change once, without a question in between."""
    consul = Consul([instance(1, "primary"), instance(2), instance(3, "primary", status="critical")])
    async with serving(consul) as url, opened(Catalog("consul", (url,), "db", "primary")) as catalog:
        (first,) = await catalog.entries(LONG)
        assert isinstance(first, Instance)
        assert (first.key, first.name, first.host, str(first.address)) == ("node-1/db-1", "db-1", "node-1", "10.0.0.1")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep, 0.05)
            tasks.start_soon(_become, consul, instance(1, "primary"), instance(3, "primary", address="10.9.0.3"))
            assert addresses(await catalog.entries(LONG)) == ["10.0.0.1", "10.9.0.3"]
        # Nothing has changed, so that the answer comes after `wait`.
        assert addresses(await catalog.entries(1.0)) == ["10.0.0.1", "10.9.0.3"]
        assert consul.questions == [
            {"passing": "1", "tag": "primary"},
            {"passing": "1", "tag": "primary", "index": "7", "wait": "60s"},
            {"passing": "1", "tag": "primary", "index": "10", "wait": "1s"},
        ]


async def _become(consul: Consul, *instances: dict[str, Any]) -> None:
    await anyio.sleep(0.05)
    consul.become(*instances)


async def test_an_index_that_goes_back_or_is_nothing() -> None:
    """The first begins anew, the second counts as 1; questions that are answered at once are limited."""
    assert [following_index(9, told) for told in ("9", "12", "8", "", "no", "1" * 30)] == [9, 12, 0, 0, 0, 0]
    assert [following_index(0, told) for told in ("0", "", "5")] == [1, 1, 5]
    consul = Consul([instance(1)])
    async with serving(consul) as url, opened(Catalog("consul", (url,), "db")) as catalog:
        await catalog.entries(LONG)
        consul.become(instance(2), index=2)  # a snapshot was restored
        assert addresses(await catalog.entries(1.0)) == ["10.0.0.2"]
        assert addresses(await catalog.entries(LONG)) == ["10.0.0.2"]
        assert [asked.get("index") for asked in consul.questions] == [None, "7", None]
        consul.become(instance(2), index=0)
        with anyio.move_on_after(0.5):
            while True:
                await catalog.entries(LONG)
        assert 3 < len(consul.questions) < 20


async def test_tokens(tmp_path: Path) -> None:
    """The file's token is sent; a wrong one is refused with the file's name, and never told."""
    token = tmp_path / "token"
    token.write_text("0f1e-secret\n")
    consul = Consul([instance(1)], token="0f1e-secret")
    async with serving(consul) as url:
        catalog = Catalog("consul", (url,), "db", credentials=Credentials(token_file=token))
        async with opened(catalog) as connection:
            assert addresses(await connection.entries(LONG)) == ["10.0.0.1"]
        token.write_text("wrong-secret")
        async with opened(catalog) as connection:
            with pytest.raises(CatalogError) as raised:
                await connection.entries(LONG)
            words = f"answers 403 (ACL not found: (the token)); the token in {token} needs service:read and node:read"
            assert str(raised.value) == f"it {words}"
            consul.words = "x" * 90  # a message is cut after some more
            with pytest.raises(CatalogError) as raised:
                await connection.entries(LONG)
            assert "wro" not in str(raised.value)
            consul.hides = True
            with pytest.raises(CatalogError, match="it hides the instances from us"):
                await connection.entries(LONG)
        for text, fault in (("", "must hold a single line"), ("a\nb", "must hold a single line")):
            token.write_text(text)
            with pytest.raises(CatalogError, match=fault):
                await opened(catalog).__aenter__()
        token.unlink()
        with pytest.raises(CatalogError, match=r"cannot read .*token \(No such file"):
            await opened(catalog).__aenter__()


async def test_a_password_that_is_repeated_is_not_told(tmp_path: Path) -> None:
    """By a proxy before the agent, which shows what it was asked."""
    password = tmp_path / "password"
    password.write_text("secret\n")
    consul = Consul(answer=web.Response(text="Bad: Basic bWU6c2VjcmV0", status=400))
    known = Credentials(user="me", password_file=password)
    async with serving(consul) as url, opened(Catalog("consul", (url,), "db", credentials=known)) as catalog:
        with pytest.raises(CatalogError, match=r"it answers 400 \(Bad: \(the password\)\)"):
            await catalog.entries(LONG)


@pytest.mark.parametrize(
    ("text", "status", "fault"),
    [
        ("No cluster leader", 500, r"it answers 500 \(No cluster leader\)"),
        ("", 301, "it answers 301"),
        ("<html>", 200, "its answer is no list of instances; is a Consul there?"),
        ('[{"Node":', 200, "its answer is no valid JSON"),
        ("[" * 100_000, 200, "its answer is no valid JSON"),
    ],
)
async def test_another_answer_is_no_list(text: str, status: int, fault: str) -> None:
    """It is told, with what was said."""
    consul = Consul(answer=web.Response(text=text, status=status, headers={"Location": "http://192.0.2.1/"}))
    async with serving(consul) as url, opened(Catalog("consul", (url,), "db")) as catalog:
        with pytest.raises(CatalogError, match=fault):
            [*await catalog.entries(LONG)]


async def test_tls(tmp_path: Path) -> None:
    """Only the given authority is trusted; an agent that is away is told."""
    ours, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.issue_cert("127.0.0.1").configure_cert(server)
    ours.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with serving(Consul([instance(1)]), server) as url:
        async with opened(Catalog("consul", (url,), "db", credentials=Credentials(ca=tmp_path / "ca.pem"))) as catalog:
            assert addresses(await catalog.entries(LONG)) == ["10.0.0.1"]
        async with opened(Catalog("consul", (url,), "db")) as catalog:
            with pytest.raises(CatalogError, match=r"its certificate is not trusted \(.*\); give its authority"):
                await catalog.entries(LONG)
    async with opened(Catalog("consul", (url,), "db")) as catalog:
        with pytest.raises(CatalogError, match=r"cannot connect \(.*refused.*\)"):
            await catalog.entries(LONG)
