"""Following catalogs: what is believed of their answers, and what stays while they are away."""

import ipaddress
import threading
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import ClassVar

import anyio
import pytest

from hostwatch.control import catalog_follower, etcd_catalog
from hostwatch.control.catalog import Catalog, CatalogError
from hostwatch.control.catalogs import CatalogLoop
from hostwatch.control.etcd_catalog import EtcdCatalog
from hostwatch.control.key_values import Away, Back, Change, Deleted, Listed, Put
from hostwatch.control.key_values import Entry as StoreEntry
from hostwatch.control.remotes import Remotes
from hostwatch.core.catalog import INSTANCE_LIMIT, Entry, Instance, Refusal, etcd_instance
from hostwatch.core.rules import Match, Rules, ServiceRule
from tests.core.build import ENGINE, box, hosts, on, store, told
from tests.logged import logged

A = Catalog("consul", ("http://a:8500",), "db")
B = Catalog("zookeeper", ("b:2181",), "/db")
RULES = Rules(services=tuple(ServiceRule(key, Match(), (key,), is_from_catalog=True) for key in ("db", "other")))
LINE = "@{db.ip} db"


def at(*addresses: str) -> list[Entry]:
    """Instances with these addresses."""
    return [Instance(f"node/{each}", ipaddress.ip_address(each), each) for each in addresses]


class Shelf:
    """Catalogs in memory."""

    def __init__(self) -> None:
        self.entries: list[Entry] | CatalogError = []
        self.open: list[Catalog] = []
        self.opened = 0
        self.version = 1
        self._news = anyio.Event()

    @asynccontextmanager
    async def connect(self, catalog: Catalog) -> AsyncIterator["Connection"]:
        """A connection to one."""
        self.opened += 1
        if isinstance(self.entries, CatalogError):
            raise self.entries
        self.open.append(catalog)
        try:
            yield Connection(self)
        finally:
            self.open.remove(catalog)

    def become(self, entries: list[Entry] | CatalogError) -> None:
        """Have these entries from now on, or be away."""
        self.entries = entries
        self.version += 1
        self._news.set()
        self._news = anyio.Event()

    async def after(self, version: int) -> None:
        """Wait for another version than this."""
        while self.version == version:
            await self._news.wait()


class Connection:
    """A connection to a catalog."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._seen = 0

    async def entries(self, within: float) -> Iterable[Entry]:
        """The whole list."""
        with anyio.move_on_after(within):
            await self._shelf.after(self._seen)
        self._seen = self._shelf.version
        if isinstance(self._shelf.entries, CatalogError):
            raise self._shelf.entries
        return iter(self._shelf.entries)


class Followed:
    """A loop with a store, in which `web` wants the line of `db`."""

    def __init__(self, catalogs: Mapping[str, Catalog]) -> None:
        self.shelf = Shelf()
        self.store = store(box("web", on("front", "172.18.0.2"), labels=hosts(LINE)), rules=RULES)
        self.remotes = Remotes(self.store, lambda _files, _cause: None)
        self.loop = CatalogLoop(catalogs, self.remotes, self.shelf.connect)

    @property
    def line(self) -> str:
        """The line of `db`, or why there is none."""
        return " | ".join(told(self.store, "web"))

    async def until(self, line: str) -> None:
        """Wait until the line is so."""
        with anyio.fail_after(10):
            while self.line != line:  # noqa: ASYNC110  # nobody tells
                await anyio.sleep(0.001)

    async def until_state(self, fault: str, *, is_up: bool, source: str = "catalog:db") -> None:
        """Wait until the catalog's state is so."""
        with anyio.fail_after(10):
            while True:
                state = self.remotes.states.get(source)
                if state is not None and (state.is_up, fault in state.fault) == (is_up, True):
                    return
                await anyio.sleep(0.001)


@asynccontextmanager
async def following(
    entries: list[Entry], catalogs: Mapping[str, Catalog] | None = None, grace: float = 60.0
) -> AsyncIterator[Followed]:
    """A running loop, with such entries in all catalogs."""
    made = Followed(catalogs if catalogs is not None else {"db": replace(A, grace_seconds=grace)})
    made.shelf.entries = entries
    await made.remotes.identified(ENGINE)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.loop.run)
        yield made
        tasks.cancel_scope.cancel()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_follower, "_AGAIN_SECONDS", (0.01, 0.01))


async def test_the_instances_are_the_services_replicas() -> None:
    """One connection serves all services with the same catalog. Each address is one, whatever the number of ports."""
    async with following([*at("10.1.0.1", "10.1.0.2"), *at("10.1.0.2")], {"db": A, "other": A}) as made:
        await made.until("10.1.0.1 db | 10.1.0.2 db")
        made.shelf.become(at("10.1.0.2", "10.1.0.3"))
        await made.until("10.1.0.2 db | 10.1.0.3 db")
        assert made.remotes.of("catalog:other").keys() == {"10.1.0.2", "10.1.0.3"}
        assert (made.shelf.opened, made.remotes.states["catalog:other"].endpoints) == (1, 2)
    assert made.shelf.open == []


async def test_a_catalog_that_is_away_changes_nothing() -> None:
    """It is told once, whatever the number of attempts, and followed again when it is back."""
    with logged() as lines:
        async with following(at("10.1.0.1")) as made:
            await made.until("10.1.0.1 db")
            made.shelf.become(CatalogError("cannot connect"))
            await made.until_state("cannot connect", is_up=False)
            opened = made.shelf.opened
            with anyio.fail_after(10):
                while made.shelf.opened < opened + 5:  # noqa: ASYNC110  # nobody tells
                    await anyio.sleep(0.001)
            assert made.line == "10.1.0.1 db"
            made.shelf.become(at("10.1.0.2"))
            await made.until("10.1.0.2 db")
            await made.until_state("", is_up=True)
    assert lines == [
        "Consul http://a:8500, db: it answers; instances: 1",
        "Consul http://a:8500, db: cannot connect; what was known stays",
        "Consul http://a:8500, db: it answers; instances: 1",
    ]


async def test_what_a_catalog_has_is_counted_when_it_answers_again() -> None:
    """And not what is kept of it meanwhile."""
    with logged() as lines:
        async with following(at("10.1.0.1")) as made:
            await made.until("10.1.0.1 db")
            made.shelf.become(CatalogError("cannot connect"))
            await made.until_state("cannot connect", is_up=False)
            made.shelf.become([])
            await made.until_state("no instance at all", is_up=True)
    assert lines[-1] == "Consul http://a:8500, db: it answers; instances: 0"


async def test_nothing_at_all_is_not_believed_at_first() -> None:
    """What was known stays until the time is over."""
    async with following(at("10.1.0.1"), grace=0.5) as made:
        await made.until("10.1.0.1 db")
        made.shelf.become([])
        await made.until_state("no instance at all, which is not believed for 0.5 s", is_up=True)
        assert made.line == "10.1.0.1 db"
        await made.until("Gone db: no instance in its catalog")
        await made.until_state("", is_up=True)


async def test_nothing_at_all_at_the_start_leaves_the_name_unknown() -> None:
    """The same holds if every entry is refused. An instance ends the doubt."""
    async with following([Refusal("node/1", "a name")]) as made:
        await made.until_state("no instance at all, which is not believed for 60 s; nothing is known", is_up=True)
        assert made.line.startswith("Unknown")
        made.shelf.become(at("10.1.0.1"))
        await made.until("10.1.0.1 db")
        made.shelf.become([])
        await made.until_state("what was known stays", is_up=True)


async def test_a_loss_begins_the_doubt_anew() -> None:
    """A catalog that comes and goes without any instance is not believed after the sum of these times."""
    async with following(at("10.1.0.1"), grace=0.5) as made:
        await made.until("10.1.0.1 db")
        for _ in range(3):
            made.shelf.become([])
            await made.until_state("not believed", is_up=True)
            await anyio.sleep(0.2)
            made.shelf.become(CatalogError("gone"))
            await made.until_state("gone", is_up=False)
        assert made.line == "10.1.0.1 db"


async def test_an_entry_is_refused_once() -> None:
    """Until it changes. Of many at once some are told, and of too many the first count."""
    with logged() as lines:
        async with following([*at("10.1.0.1"), Refusal("node/2", "x is a name")]) as made:
            await made.until_state("refused entries: 1", is_up=True)
            for address, reason in (("10.1.0.3", "x is a name"), ("10.1.0.4", "y is a name")):
                made.shelf.become([*at(address), Refusal("node/2", reason)])
                await made.until(f"{address} db")
            made.shelf.become(at("10.1.0.1"))
            await made.until("10.1.0.1 db")
            made.shelf.become(
                [*at("10.1.0.2"), *(Refusal(f"node/{number}", "bad") for number in range(INSTANCE_LIMIT))]
            )
            await made.until("10.1.0.2 db")
            await made.until_state("1 entries are over the limit of 10000 and left out", is_up=True)
    refused = [line.partition("the entry ")[2] for line in lines if "the entry" in line]
    assert refused[:2] == ["node/2 is refused: x is a name", "node/2 is refused: y is a name"]
    assert len(refused) == 22
    assert lines[-1].endswith(f"{INSTANCE_LIMIT - 21} more entries are refused")


class Watched(Instance):
    """An instance that notes the threads in which it is compared."""

    threads: ClassVar[set[int]] = set()

    def __eq__(self, other: object) -> bool:
        self.threads.add(threading.get_ident())
        return super().__eq__(other)

    __hash__ = Instance.__hash__


async def test_thousands_are_not_compared_on_the_event_loop() -> None:
    """It would take tens of milliseconds."""

    def many() -> list[Entry]:
        return [Watched(f"node/{n}", ipaddress.ip_address(0x0A090000 + n), str(n)) for n in range(1_000)]

    async with following(many()) as made:
        await made.until_state("", is_up=True)
        Watched.threads.clear()
        made.shelf.become(many())
        with anyio.fail_after(10):
            while not Watched.threads:  # noqa: ASYNC110  # nobody tells
                await anyio.sleep(0.001)
        assert threading.get_ident() not in Watched.threads


async def test_a_new_configuration() -> None:
    """A service that goes loses its addresses; one with another catalog keeps them until that answers."""
    async with following(at("10.1.0.1"), {"db": A, "other": A}) as made:
        await made.until("10.1.0.1 db")
        made.shelf.become(CatalogError("away"))
        await made.loop.adopt({"db": B})
        assert "catalog:other" not in made.remotes.states
        assert not made.remotes.of("catalog:other")
        await made.until_state("away", is_up=False)
        assert made.line == "10.1.0.1 db"
        made.shelf.become(at("10.1.0.9"))
        await made.until("10.1.0.9 db")
        assert made.shelf.open == [B]
        await made.loop.adopt({})
        await made.until("Gone db: no instance in its catalog")
        with anyio.fail_after(10):
            while made.shelf.open:  # noqa: ASYNC110  # nobody tells
                await anyio.sleep(0.001)


async def test_without_a_catalog_nothing_is_opened() -> None:
    """Until one is configured."""
    async with following(at("10.1.0.1"), {}) as made:
        await anyio.sleep(0.02)
        assert made.shelf.opened == 0
        assert made.line == "Gone db: no instance in its catalog"
        await made.loop.adopt({"db": A})
        await made.until("10.1.0.1 db")


async def test_the_changes_of_etcd() -> None:
    """Single changes are taken in; those of a moment are one. Its absence is an error with the store's reason."""
    send, received = anyio.create_memory_object_stream[Change](10)
    catalog = EtcdCatalog(received)

    async def found(*changes: Change) -> list[str]:
        for change in changes:
            send.send_nowait(change)
        entries = await catalog.entries(10.0)
        return sorted(str(each.address) for each in entries if isinstance(each, Instance))

    with send, received:
        first = Listed((StoreEntry("/s/a", b"10.1.0.1:80", 1), StoreEntry("/s/b", None, 2)))
        assert await found(Back(), first) == ["10.1.0.1"]
        changed = Put(StoreEntry("/s/b", b'{"host": "10.1.0.2"}', 3)), Put(StoreEntry("/s/c", b"10.1.0.3", 4))
        assert await found(*changed) == ["10.1.0.1", "10.1.0.2", "10.1.0.3"]
        assert await found(Deleted("/s/a"), Deleted("/s/none")) == ["10.1.0.2", "10.1.0.3"]
        with pytest.raises(CatalogError, match="no server answers"):
            await found(Away("no server answers"))


async def test_a_change_of_etcd_is_judged_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside thousands of other keys, another one may change each second."""
    judged = list[str]()

    def counted(key: str, value: bytes | None) -> Instance | Refusal:
        judged.append(key)
        return etcd_instance(key, value)

    monkeypatch.setattr(etcd_catalog, "etcd_instance", counted)
    send, received = anyio.create_memory_object_stream[Change](10)
    catalog = EtcdCatalog(received)
    with send, received:
        send.send_nowait(Listed((StoreEntry("/s/a", b"10.1.0.1", 1), StoreEntry("/s/b", b"10.1.0.2", 1))))
        next(iter(await catalog.entries(10.0)))
        assert judged == ["/s/a"], "the caller was interrupted"
        for change in (Put(StoreEntry("/s/c", b"10.1.0.3", 2)), Put(StoreEntry("/s/a", b"10.1.0.4", 3))):
            judged.clear()
            send.send_nowait(change)
            found = [str(each.address) for each in await catalog.entries(10.0) if isinstance(each, Instance)]
        assert found == ["10.1.0.4", "10.1.0.2", "10.1.0.3"]
        assert judged == ["/s/a"]
