"""This host as a member of a cluster: its name, what it publishes, and how it stands with the shared store."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from hostwatch.control.remotes import Published, Remotes, SourceState
from hostwatch.core.cluster.publishing import Publishing
from hostwatch.core.cluster.values import NODES, SERVICES
from hostwatch.core.model import EngineId
from hostwatch.core.remote import CLUSTER


@dataclass(frozen=True, slots=True)
class Membership:
    """What makes this host a member."""

    store: str
    """The shared store, for people: the URLs of its servers."""
    prefix: str
    """What all keys begin with."""
    node: str
    """The name of this host."""
    engine: EngineId
    """Its engine: the name belongs to it."""
    publishing: Publishing
    ttl_seconds: float
    """How long the others keep what a host published that is not heard of."""
    version: str = ""
    """Of this hostwatch."""

    @property
    def lease_seconds(self) -> float:
        """The time of the lease that this host's keys live by.

        It is a second shorter, as etcd looks for leases that ran out every half second, and lines stay for `linger`.
        """
        return self.ttl_seconds - 1

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Where this host's keys are, and whose."""
        return self.store, self.prefix, self.node, self.engine

    @property
    def node_key(self) -> str:
        """The key by which the name belongs to this host."""
        return f"{self.prefix}{NODES}{self.node}"

    @property
    def services_key(self) -> str:
        """What the keys of this host's services begin with."""
        return f"{self.prefix}{SERVICES}{self.node}/"


class Standing:
    """How this host stands with the shared store, as `Remotes` has it for people."""

    def __init__(self, membership: Membership, remotes: Remotes, count: Callable[[], tuple[int, int]]) -> None:
        """`count` tells how many endpoints and how many other hosts are known."""
        self._name = membership.store
        self._remotes = remotes
        self._count = count
        self._faults: dict[str, str] = {}
        self._since = time.time()
        self.is_up = False
        """Whether the store answers."""
        self.published = Published(membership.node)
        """What this host publishes."""

    def turned(self, *, is_up: bool) -> None:
        """The store answers, or is away."""
        if self.is_up != is_up:
            self.is_up, self._since = is_up, time.time()

    def fault(self, part: str, fault: str) -> str:
        """What is wrong with one part of the work, empty for nothing; returns what it was before."""
        before = self._faults.get(part, "")
        self._faults[part] = fault
        return before

    def report(self) -> None:
        """Tell how all stands now."""
        fault = "; ".join(dict.fromkeys(filter(None, self._faults.values())))
        endpoints, hosts = self._count()
        state = SourceState("cluster", self._name, self.is_up, self._since, fault, endpoints, hosts, self.published)
        self._remotes.report(CLUSTER, state)
