"""Notifications without an engine: failures, a container that stays stale, a changed order of addresses."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast

import anyio
import anyio.lowlevel
import pytest

from hostwatch.control import delivery, restarts
from hostwatch.control.delivery import Means
from hostwatch.control.figures import Figures, NotificationResult
from hostwatch.control.notify import Notifier
from hostwatch.control.source import Actions, EngineError, ExecResult, GoneError
from hostwatch.core.block.records import Block, Directive, Record
from hostwatch.core.model import ContainerKey, FileKind, State
from hostwatch.core.store.store import Store
from tests.core.build import STOPPED, box, hosts, ip, key, on, store
from tests.logged import logged

WEB = key("web")


def block(*addresses: str) -> Block:
    """A block in which `db` has these addresses."""
    return Block(tuple(Record(ip(address), ("db",)) for address in addresses))


class Stubborn:
    """Carries out its actions, after so many failures."""

    def __init__(self, *failures: Exception | ExecResult) -> None:
        self.failures = list(failures)
        self.asked: list[str] = []

    async def restart(self, key: ContainerKey) -> None:  # noqa: ARG002
        await self._answer("restart")

    async def kill(self, key: ContainerKey, signal: str) -> None:  # noqa: ARG002
        await self._answer(signal)

    async def exec(self, key: ContainerKey, command: Sequence[str], user: str = "") -> ExecResult:  # noqa: ARG002
        return await self._answer(" ".join(command)) or ExecResult(0, b"", b"")

    async def _answer(self, asked: str) -> ExecResult | None:
        self.asked.append(asked)
        await anyio.lowlevel.checkpoint()
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, Exception):
            raise failure
        return failure


@pytest.fixture
def log() -> Iterator[list[str]]:
    """The logged lines, from INFO on."""
    with logged() as lines:
        yield lines


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_RETRY_BACKOFF_SECONDS", (0.01, 0.05))


@asynccontextmanager
async def notifying(
    known: Store, actions: Stubborn, debounce: float = 0.0, results: dict[NotificationResult, int] | None = None
) -> AsyncIterator[Notifier]:
    """A notifier for containers whose files had `db` at 10.0.0.5."""
    counted = Figures().notifications if results is None else results
    async with anyio.create_task_group() as tasks:
        notifier = Notifier(Means(cast("Actions", actions)), known, tasks, debounce, counted)
        notifier.published(WEB, block("10.0.0.5"), block("10.0.0.5"), 0.0)
        yield notifier
        tasks.cancel_scope.cancel()


def subscribed(notification: str = "SIGHUP") -> Store:
    """A subscriber with a notification."""
    labels = hosts("@{db.ip} db", notify=notification)
    return store(box("web", on("front", "10.0.0.2"), labels=labels), box("db", on("front", "10.0.0.5")))


def counted(results: dict[NotificationResult, int]) -> dict[str, int]:
    """The counts by their labels."""
    return {result.value: count for result, count in results.items()}


async def until(lines: list[str], words: str) -> str:
    """The first line with these words."""
    with anyio.fail_after(5):
        while not (found := [line for line in lines if words in line]):  # noqa: ASYNC110
            await anyio.sleep(0.005)
    return found[0]


async def test_a_notification_that_fails_is_tried_again(log: list[str]) -> None:
    """The first failure and the success are logged, each try is counted."""
    actions, results = Stubborn(*[EngineError("the engine is busy")] * 5), Figures().notifications
    async with notifying(subscribed(), actions, results=results) as notifier:
        notifier.published(WEB, Block(), block("10.0.0.6"), 0.0)
        await until(log, "web: notified by SIGHUP (db 10.0.0.5 → 10.0.0.6)")
    assert counted(results) == {"delivered": 1, "failed": 5, "given_up": 0}
    assert actions.asked == ["SIGHUP"] * 6
    assert log[:-1] == ["web: could not be notified by SIGHUP: the engine is busy; it will be tried again"]


async def test_it_is_not_tried_for_ever(log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The log says once that it is given up."""
    monkeypatch.setattr(delivery, "_RETRY_SECONDS", 0.2)
    async with notifying(subscribed(), Stubborn(*[EngineError("busy")] * 99)) as notifier:
        notifier.published(WEB, Block(), block("10.0.0.6"), 0.0)
        await until(log, "web: not notified by SIGHUP, and given up: busy")
    assert len(log) == 2


async def test_a_command_that_fails_is_tried_three_times(log: list[str]) -> None:
    """A person must mend an error of the command itself."""
    actions, results = Stubborn(*[ExecResult(1, b"", b"host not found in upstream")] * 9), Figures().notifications
    async with notifying(subscribed("exec: nginx -s reload"), actions, results=results) as notifier:
        notifier.published(WEB, Block(), block("10.0.0.6"), 0.0)
        line = await until(log, "given up")
    assert line.endswith("exec: nginx -s reload, and given up: exit status 1: host not found in upstream")
    assert len(actions.asked) == 3
    assert counted(results) == {"delivered": 0, "failed": 3, "given_up": 1}


async def test_a_container_that_is_gone_is_not_notified_again(log: list[str]) -> None:
    """The engine answers that it is gone."""
    actions, results = Stubborn(GoneError("no such container")), Figures().notifications
    async with notifying(subscribed(), actions, results=results) as notifier:
        notifier.published(WEB, Block(), block("10.0.0.6"), 0.0)
        assert (await until(log, "could not")).endswith("no such container")
        await anyio.sleep(0.1)
    assert len(actions.asked) == 1
    assert counted(results) == {"delivered": 0, "failed": 1, "given_up": 1}


@pytest.mark.parametrize("fate", ["gone", "stopped", "started since"])
async def test_a_container_that_has_ended_or_was_started_is_not_notified_again(log: list[str], fate: str) -> None:
    """A container that starts reads the new records."""
    known, actions = subscribed(), Stubborn(*[EngineError("busy")] * 99)
    async with notifying(known, actions) as notifier:
        notifier.published(WEB, Block(), block("10.0.0.6"), 0.0)
        await until(log, "could not")
        if fate == "gone":
            known.drop(WEB)
        elif fate == "stopped":
            known.put(box("web", labels=hosts("@{db.ip} db", notify="SIGHUP"), state=STOPPED))
        else:
            web = known.container(WEB)
            assert web is not None
            known.put(replace(web, started=4e9))
        await until(log, "web: no longer to be notified by SIGHUP: it ")
        asked = len(actions.asked)
        await anyio.sleep(0.1)
        assert len(actions.asked) == asked


async def test_a_newer_change_takes_the_place_of_a_retried_one(log: list[str]) -> None:
    """There is one notification, not one for each change."""
    actions = Stubborn(*[EngineError("busy")] * 3)
    async with notifying(subscribed(), actions) as notifier:
        notifier.published(WEB, Block(), block("10.0.0.6"), 0.0)
        await until(log, "could not")
        actions.failures = [EngineError("busy")] * 2
        notifier.published(WEB, Block(), block("10.0.0.7"), 0.0)
        await until(log, "web: notified")
        await anyio.sleep(0.1)
    assert [line for line in log if "web: notified" in line] == ["web: notified by SIGHUP (db 10.0.0.6 → 10.0.0.7)"]


async def test_a_stale_container_without_a_debounce_does_not_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its state is checked some times a second, and then the notification comes."""
    known, actions = subscribed(), Stubborn()
    async with notifying(known, actions) as notifier:
        known.mark_stale(WEB)
        notifier.published(WEB, Block(), block("10.0.0.6"), 0.0)
        looks = 0

        def is_stale(file: ContainerKey) -> bool:
            nonlocal looks
            looks += 1
            container = known.container(file)
            return container is not None and container.state is State.UNKNOWN

        monkeypatch.setattr(notifier, "_is_stale", is_stale)
        await anyio.sleep(0.5)
        assert 1 <= looks < 20
        assert not actions.asked
        web = known.container(WEB)
        assert web is not None
        known.put(replace(web, state=State.RUNNING))
        with anyio.fail_after(5):
            while not actions.asked:  # noqa: ASYNC110
                await anyio.sleep(0.01)


async def test_another_order_is_a_change(log: list[str]) -> None:
    """Most programs take the first address."""
    known = subscribed()
    async with notifying(known, Stubborn()) as notifier:
        notifier.published(WEB, block("10.0.0.5"), block("10.0.0.5", "10.0.0.6"), 0.0)
        await until(log, "db 10.0.0.5 → 10.0.0.5,10.0.0.6")
        notifier.published(WEB, block("10.0.0.5"), block("10.0.0.6", "10.0.0.5"), 0.0)
        await until(log, "web: notified by SIGHUP (db 10.0.0.5,10.0.0.6 → 10.0.0.6,10.0.0.5)")


def resolv(address: str) -> Block:
    """A block of a resolv.conf with this nameserver."""
    return Block((Directive(ip(address), ("nameserver",)),))


RESOLV = FileKind.RESOLV


@asynccontextmanager
async def restarting(log: list[str], notify: str = "restart") -> AsyncIterator[tuple[Notifier, Stubborn, Store]]:
    """A notifier for a container that was restarted for its resolv.conf a moment ago."""
    labels = {"hostwatch.resolv": "nameserver host", "hostwatch.hosts": "@{db.ip} db", "hostwatch.notify": notify}
    known, actions = store(box("web", on("front", "10.0.0.2"), labels=labels)), Stubborn()
    async with notifying(known, actions) as notifier:
        notifier.published(WEB, resolv("192.0.2.1"), resolv("192.0.2.2"), 0.0, RESOLV)
        await until(log, "nameserver 192.0.2.1 → 192.0.2.2")
        yield notifier, actions, known


async def test_a_container_is_restarted_once_a_minute_for_its_resolv_conf(
    log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes in that time are one restart at its end."""
    monkeypatch.setattr(restarts, "_PAUSE_SECONDS", 0.5)
    async with restarting(log) as (notifier, actions, _):
        notifier.published(WEB, Block(), resolv("192.0.2.3"), 0.0, RESOLV)
        await until(log, "web: restarted in ")
        notifier.published(WEB, Block(), resolv("192.0.2.4"), 0.0, RESOLV)
        await anyio.sleep(0.05)
        assert actions.asked == ["restart"]
        await until(log, "nameserver 192.0.2.2 → 192.0.2.3")
        await anyio.sleep(0.05)
    assert actions.asked == ["restart", "restart"]


@pytest.mark.parametrize("notify", ["restart", "SIGHUP"])
async def test_a_change_of_the_hosts_file_and_a_signal_do_not_wait(log: list[str], notify: str) -> None:
    """Only restarts for the resolv.conf alone are spaced."""
    async with restarting(log, notify) as (notifier, actions, _):
        if notify == "restart":
            notifier.published(WEB, Block(), block("10.0.0.6"), 0.0)
        notifier.published(WEB, Block(), resolv("192.0.2.3"), 0.0, RESOLV)
        await until(log, "nameserver 192.0.2.2 → 192.0.2.3")
    assert actions.asked == [notify, notify]
    assert "restarted in" not in "".join(log)


async def test_a_restart_that_waits_is_not_needed_after_another_one(
    log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application has read the file at that start."""
    monkeypatch.setattr(restarts, "_PAUSE_SECONDS", 0.3)
    async with restarting(log) as (notifier, actions, known):
        notifier.published(WEB, Block(), resolv("192.0.2.3"), 0.0, RESOLV)
        await until(log, "web: restarted in ")
        web = known.container(WEB)
        assert web is not None
        known.put(replace(web, started=4e9))
        await until(log, "web: no longer to be notified by restart: it was started since")
    assert actions.asked == ["restart"]
