"""The instances of a service in a real ZooKeeper, written as SmartStack's Nerve writes them."""

import json
import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from kazoo.client import KazooClient
from kazoo.security import make_digest_acl

from hostwatch.catalogs.zookeeper import ZooKeeperCatalog, opened
from hostwatch.control.catalog import Catalog, CatalogError, Credentials
from hostwatch.core.catalog import Entry, Instance, Refusal
from tests.servers import ZOOKEEPERS, ZooKeeper, zookeeper

PATH = "/nerve/services/search"
LONG = 60.0


@pytest.fixture(scope="module", params=ZOOKEEPERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZooKeeper]:
    """A server of each version."""
    with zookeeper(request.param, tmp_path_factory.mktemp("zookeeper"), tls=True) as running:
        yield running


@contextmanager
def nerve(server: ZooKeeper) -> Iterator[Any]:
    """Nerve's client: what it registers is gone when its session is."""
    client = KazooClient(server.address, timeout=4)
    client.start(30)
    client.delete("/nerve", recursive=True)
    try:
        yield client
    finally:
        client.stop()
        client.close()


def register(client: Any, host: str, **more: object) -> str:
    """Register an instance, as Nerve does; returns its node."""
    value = json.dumps({"host": host, "port": 80} | more).encode()
    return str(client.create(f"{PATH}/host_", value, ephemeral=True, sequence=True, makepath=True))


def addresses(entries: Iterable[Entry]) -> list[str]:
    """The addresses of the instances."""
    return [str(each.address) for each in entries if isinstance(each, Instance)]


async def until(catalog: ZooKeeperCatalog, expected: list[str]) -> None:
    """Read until these are the addresses."""
    with anyio.fail_after(20):
        while (found := addresses(await catalog.entries(LONG))) != expected:
            print(found)


async def test_each_change_is_told(server: ZooKeeper) -> None:
    """A path that is not there yet, instances that come, change and go, and one that is refused."""
    with nerve(server) as client:
        async with opened(Catalog("zookeeper", (server.address,), PATH)) as catalog:
            assert [*await catalog.entries(LONG)] == []
            first = await anyio.to_thread.run_sync(lambda: register(client, "10.1.0.1", name="a"))
            await until(catalog, ["10.1.0.1"])
            second = await anyio.to_thread.run_sync(lambda: register(client, "10.1.0.2"))
            await until(catalog, ["10.1.0.1", "10.1.0.2"])
            await anyio.to_thread.run_sync(client.set, first, b'{"host": "10.1.0.9", "name": "a"}')
            await until(catalog, ["10.1.0.9", "10.1.0.2"])
            await anyio.to_thread.run_sync(client.set, second, b'{"host": "db.example.org"}')
            refused, instance = sorted(await catalog.entries(LONG), key=lambda each: isinstance(each, Instance))
            assert isinstance(refused, Refusal)
            assert refused.reason == "db.example.org is a name, and no address"
            assert isinstance(instance, Instance)
            assert (instance.name, instance.key) == ("a", first.rpartition("/")[2])
            await anyio.to_thread.run_sync(client.delete, first)
            await until(catalog, [])
            await anyio.to_thread.run_sync(client.set, second, None)
            (refused,) = await catalog.entries(LONG)
            assert isinstance(refused, Refusal)
            assert refused.reason == "not JSON"
            # Without news everything is read again.
            assert [type(each) for each in await catalog.entries(0.05)] == [Refusal]


async def test_a_server_that_is_away(server: ZooKeeper) -> None:
    """It is told at once when it ends, with the reason, and kazoo's threads end, too."""
    catalog = Catalog("zookeeper", (server.address,), PATH)
    with nerve(server) as client:
        client.create(f"{PATH}/one", b'{"host": "10.1.0.1"}', makepath=True)
    before = threading.active_count()
    async with opened(catalog) as connection:
        await until(connection, ["10.1.0.1"])
        server.kill()
        with pytest.raises(CatalogError, match=r"cannot be reached \(.*\); is it there"):
            await connection.entries(LONG)
    async with opened(catalog) as connection:
        with pytest.raises(CatalogError, match="Connection refused"):
            await connection.entries(LONG)
    server.start()
    await anyio.to_thread.run_sync(server.await_answer)
    async with opened(catalog) as connection:
        await until(connection, ["10.1.0.1"])
    with anyio.fail_after(20):
        while threading.active_count() > before + 1:  # noqa: ASYNC110 (one is a worker of anyio's)
            await anyio.sleep(0.05)


async def test_who_may_read(server: ZooKeeper, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With the wrong password the path and the file are named, and no secret in any log of a library."""
    caplog.set_level(logging.DEBUG)
    password = tmp_path / "password"
    credentials = Credentials(user="watch", password_file=password)
    catalog = Catalog("zookeeper", (server.address,), PATH, credentials=credentials)
    with nerve(server) as client:
        client.create(f"{PATH}/one", b'{"host": "10.1.0.1"}', makepath=True)
        for path in (f"{PATH}/one", PATH):
            client.set_acls(path, [make_digest_acl("watch", "secret", all=True)])
        password.write_text("wrong\n")
        async with opened(catalog) as connection:
            with pytest.raises(CatalogError) as raised:
                await connection.entries(LONG)
        assert str(raised.value) == f"it does not let us read {PATH}; mend `user` or {password}"
        password.write_text("secret\n")
        async with opened(catalog) as connection:
            assert addresses(await connection.entries(LONG)) == ["10.1.0.1"]
        assert "SetACL" in caplog.text
        assert not [text for text in ("watch:wrong", "watch:secret") if text in caplog.text]
        client.add_auth("digest", "watch:secret")
        client.delete("/nerve", recursive=True)


async def test_tls(server: ZooKeeper) -> None:
    """Many instances come through. An authority that is not given is not trusted, and a stranger is not let in."""
    with nerve(server) as client:
        client.create(PATH, makepath=True)
        for number in range(100):
            client.create_async(f"{PATH}/host_{number:03}", b'{"host": "10.1.0.%d"}' % number)
        client.sync(PATH)

    def asked(directory: str, *, ours: bool = True) -> Catalog:
        ca, certificate, key = (server.certificates / directory / f"{name}.pem" for name in ("ca", "cert", "key"))
        known = Credentials(is_tls=True, ca=ca if ours else None, certificate=certificate, key=key)
        return Catalog("zookeeper", (server.secure_address,), PATH, credentials=known)

    async with opened(asked("client")) as connection:
        await until(connection, [f"10.1.0.{number}" for number in range(100)])
        assert len(addresses(await connection.entries(0.05))) == 100
    for catalog, fault in ((asked("client", ours=False), "CERTIFICATE_VERIFY_FAILED"), (asked("stranger"), "")):
        async with opened(catalog) as connection:
            with pytest.raises(CatalogError, match=f"cannot be reached .*{fault}"):
                await connection.entries(LONG)
    with pytest.raises(CatalogError, match=r"cannot read .*none/ca.pem \(No such file or directory\); mend `tls`"):
        await opened(asked("none")).__aenter__()
