"""All services that this host publishes, kept up to date: a change is taken in for the containers that it concerns.

A caller that must not keep others waiting takes some steps at a time.
"""

from collections.abc import Iterable
from functools import partial

from hostwatch.core.cluster.publishing import Publishing
from hostwatch.core.cluster.shares import Share, shares_of
from hostwatch.core.cluster.values import Replica
from hostwatch.core.model import ContainerKey, EngineId
from hostwatch.core.resolve.grouping import Pending
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.results import Kept


class Publication:
    """The replicas of each service that is published."""

    def __init__(self, lister: Lister, publishing: Publishing, engine: EngineId) -> None:
        self._lister = lister
        self._results = lister.results
        self._candidates: Kept[None, frozenset[ContainerKey]] = Kept(
            lister.results, lambda _: frozenset(lister.by_index("container", engine))
        )
        self._taken_in: frozenset[ContainerKey] = frozenset()
        """The candidates whose shares are taken in, or wait for that."""
        self._shares: Pending[ContainerKey, tuple[Share, ...]] = Pending(
            lister.results, partial(shares_of, lister, publishing)
        )
        self._known: dict[ContainerKey, tuple[Share, ...]] = {}
        self._services: dict[str, dict[ContainerKey, Share]] = {}

    def close(self) -> None:
        """Drop what is kept."""
        self._results.forget(self._candidates)
        self._results.forget(self._shares)

    def shrink(self, most: int) -> bool:
        """Drop so much of what is kept; returns whether there may be more. Nothing is asked of it any more."""
        return self._results.forget(self._shares, most)

    def advance(self, most: int) -> set[str] | None:
        """Take in so many changes; returns the services that they concern, `None` if there was no change left."""
        if self._results.overdue and not self._results.settle(most):
            return set()  # what is dropped is to be taken in
        near, pending = self._candidates(None), self._shares.pending
        if near is not self._taken_in:
            pending.update(dict.fromkeys(near ^ self._taken_in))
            self._taken_in = near
        if not pending:
            return None
        return {name for _ in range(min(most, len(pending))) for name in self._take_in(pending.popitem()[0])}

    def _take_in(self, key: ContainerKey) -> set[str]:
        """Take in one container; returns the services before and now."""
        before = self._known.pop(key, ())
        after = self._shares(key) if key in self._taken_in else ()
        if before == after:
            if after:
                self._known[key] = after
            return set()
        for share in before:
            members = self._services[share.service]
            del members[key]
            if not members:
                del self._services[share.service]
        for share in after:
            self._services.setdefault(share.service, {})[key] = share
        if after:
            self._known[key] = after
        return {share.service for share in (*before, *after)}

    @property
    def services(self) -> Iterable[str]:
        """The ends of the keys of all services."""
        return self._services.keys()

    def replicas(self, service: str, before: Iterable[Replica]) -> tuple[Replica, ...]:
        """The replicas of a service. One that is not known now is as `before`; if it is not there, it is none."""
        shares = sorted(self._services.get(service, {}).items(), key=lambda item: item[1].order)
        known = {replica.id: replica for replica in before}
        found: dict[str, Replica] = {}
        for key, share in shares:
            replica = share.replica if share.is_known else known.get(share.replica.id)
            if replica is not None and (share.is_known or not self._is_taken(key, replica)):
                found.setdefault(replica.id, replica)
        return tuple(found.values())

    def _is_taken(self, key: ContainerKey, replica: Replica) -> bool:
        """Whether another container has one of the addresses by now."""
        addresses = [address for address in (replica.ipv4, replica.ipv6) if address is not None]
        return any(self._lister.holders(key.engine, address) - {key} for address in addresses)


def publication_of(lister: Lister, publishing: Publishing, engine: EngineId) -> Publication:
    """What is published, made once and kept up to date."""
    return lister.lasting(_publication, (publishing, engine))


def _publication(lister: Lister, key: tuple[Publishing, EngineId]) -> Publication:
    return Publication(lister, *key)
