"""Following the host's own addresses: only while the configuration says so, and without giving up."""

import errno
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from hostwatch.control import host_address
from hostwatch.control.host_address import HostAddressLoop
from hostwatch.core.model import ContainerKey, HostAddresses
from hostwatch.core.rules import Rules
from hostwatch.core.store.store import Store
from tests.core.build import box, hosts, key, on, store

AUTO = Rules(advertise="auto")
ONE = HostAddresses(ipaddress.IPv4Address("192.0.2.1"))
TWO = HostAddresses(ipaddress.IPv4Address("192.0.2.2"))


class Kernel:
    """The host's routes, in memory."""

    def __init__(self) -> None:
        self.own = ONE
        self.opened = 0
        self.is_open = False
        self.is_allowed = True
        self._news = anyio.Event()

    def open(self) -> "Kernel":
        """Begin to follow."""
        if not self.is_allowed:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        assert not self.is_open
        self.opened, self.is_open = self.opened + 1, True
        return self

    def found(self) -> HostAddresses:
        """The addresses now."""
        assert self.is_open
        return self.own

    async def changed(self) -> None:
        """Wait for the next change."""
        await self._news.wait()
        self._news = anyio.Event()

    def close(self) -> None:
        """End."""
        self.is_open = False

    def move(self, own: HostAddresses) -> None:
        """Have other addresses."""
        self.own = own
        self._news.set()


class Followed:
    """A loop with its store and kernel, and what it tells."""

    def __init__(self, rules: Rules) -> None:
        self.kernel = Kernel()
        self.told: list[tuple[frozenset[ContainerKey], str]] = []
        web = box("web", on("front", "10.0.0.2"), labels=hosts("@{self.PublicIp} me"))
        self.store: Store = store(web, rules=rules)
        self.loop = HostAddressLoop(self.store, self.kernel.open, lambda *told: self.told.append(told))

    def adopt(self, rules: Rules) -> None:
        """Other rules, as after SIGHUP."""
        self.store.adopt(self.store.adoption(rules))
        self.loop.adopt()

    async def until(self, own: HostAddresses | None) -> None:
        """Wait until the store has these addresses."""
        with anyio.fail_after(10):
            while self.store.host_addresses != own:  # noqa: ASYNC110  # nobody tells
                await anyio.sleep(0.001)


@asynccontextmanager
async def following(rules: Rules = AUTO) -> AsyncIterator[Followed]:
    """A running loop."""
    made = Followed(rules)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.loop.run)
        yield made
        tasks.cancel_scope.cancel()


async def test_the_addresses_are_followed() -> None:
    """Each change is told once, with the files that it concerns."""
    async with following() as made:
        await made.until(ONE)
        assert made.told == [(frozenset([key("web")]), "the host's address")]
        made.kernel.move(ONE)
        made.kernel.move(TWO)
        await made.until(TWO)
        made.kernel.move(HostAddresses())
        await made.until(HostAddresses())
        assert len(made.told) == 3
    assert not made.kernel.is_open


@pytest.mark.parametrize("advertise", [None, ipaddress.ip_address("198.51.100.1")])
async def test_nothing_is_opened_unless_the_configuration_says_auto(advertise: ipaddress.IPv4Address | None) -> None:
    """Until it does, and no longer than that."""
    other = Rules(advertise=advertise)
    async with following(other) as made:
        await anyio.sleep(0.05)
        assert made.kernel.opened == 0
        made.adopt(AUTO)
        await made.until(ONE)
        assert made.kernel.is_open
        made.adopt(other)
        with anyio.fail_after(10):
            while made.kernel.is_open:  # noqa: ASYNC110  # nobody tells
                await anyio.sleep(0.001)
        made.kernel.is_allowed = False
        made.adopt(AUTO)
        await made.until(None)


async def test_where_netlink_is_not_allowed_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again."""
    monkeypatch.setattr(host_address, "_AGAIN_SECONDS", (0.01, 0.01))
    made = Followed(AUTO)
    made.kernel.is_allowed = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.loop.run)
        await anyio.sleep(0.05)
        assert (made.store.host_addresses, made.told) == (None, [])
        made.kernel.is_allowed = True
        await made.until(ONE)
        tasks.cancel_scope.cancel()
