"""What each proposed subscriber would have in its file now, by the rules and the resolver of the daemon."""

import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hostwatch.config.settings import Settings
from hostwatch.core.model import Container, State
from hostwatch.core.resolve.desired import outcomes
from hostwatch.core.resolve.outcome import Outcome, Published
from hostwatch.core.rules import Rules, SubscriberRule
from hostwatch.core.store.store import Store
from hostwatch.proposal.entries import SERVICES, SUBSCRIBERS, Entry


@dataclass(frozen=True, slots=True)
class Effect:
    """The lines that an entry would put into one file, and how many other files it concerns."""

    file: str
    """The name of the container, or the path on the host."""
    lines: tuple[str, ...]
    others: int


def effects(store: Store, entries: Iterable[Entry]) -> dict[str, Effect]:
    """The effect of each subscriber among the entries, by its key. The store has the rules of all of them then."""
    rules = _rules(entries)
    store.adopt(store.adoption(rules))
    for engine in {container.key.engine for container in store.containers}:
        store.add_host_files(engine, socket.gethostname())
    return {rule.key: found for rule in rules.subscribers if (found := _effect(store, rule)) is not None}


def _rules(entries: Iterable[Entry]) -> Rules:
    written: dict[str, dict[str, object]] = {SERVICES: {}, SUBSCRIBERS: {}}
    for entry in entries:
        written[entry.section][entry.key] = dict(entry.content)
    return Settings.model_validate(written).rules()


def _effect(store: Store, rule: SubscriberRule) -> Effect | None:
    """The effect on the first file, which stands for all."""
    everyone = [c for c in (*store.containers, *store.host_files) if c.state is not State.STOPPED and rule.holds(c)]
    if not everyone:
        return None
    first = min(everyone, key=lambda container: (container.name, container.key))
    lines = (line for outcome in _asked(store, first, rule) for line in _told(outcome))
    return Effect(str(first.host_file or first.name), tuple(lines), len(everyone) - 1)


def _asked(store: Store, reader: Container, rule: SubscriberRule) -> tuple[Outcome, ...]:
    """The outcomes of the lines that this entry alone requests."""
    sharing = store.sharing(store.joins.file_of(reader.key))
    return outcomes(
        store,
        [
            request
            for request in sharing.requests
            if request.subscriber.key == reader.key and request.query.subscription == rule.subscription
        ][:1],
    )


def _told(outcome: Outcome) -> Iterator[str]:
    if not isinstance(outcome, Published):
        yield f"withheld: {outcome.reason}"
        return
    for record in outcome.records:
        yield from (line.decode() for line in record.lines())
