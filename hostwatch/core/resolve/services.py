"""The answers to a look-up of a name: a service, an ambiguity, or nothing."""

import enum
from dataclasses import dataclass

from hostwatch.core.model import Claim, Container
from hostwatch.core.references import SELF
from hostwatch.core.rules import ServiceRule


class Tier(enum.Enum):
    """The tier in which a service was found."""

    SELF = "self"
    CONFIG = "config"
    COMPOSE = "compose"
    CONTAINER = "container"
    ALIAS = "alias"
    LABEL = "label"
    OVERLAY = "overlay"
    """An endpoint of another host on an overlay network that the subscriber is on."""
    CLUSTER = "cluster"
    """An endpoint that another hostwatch publishes."""


@dataclass(frozen=True, slots=True)
class Service:
    """A name with the containers behind it, in any state, in replica order."""

    name: str
    tier: Tier
    containers: tuple[Container, ...]
    rule: ServiceRule | None = None

    @property
    def ids(self) -> frozenset[str]:
        """The ids of its containers."""
        return frozenset(container.key.id for container in self.containers)

    def names_as_asked(self, name: str) -> tuple[str, ...]:
        """The names that the configuration gives it, or else `name`, as it was written in the request."""
        return self.rule.names if self.rule is not None else (name,)

    @property
    def yields(self) -> bool:
        """Whether all its containers have ended and did not come back. A service of the configuration never yields."""
        return self.tier is not Tier.CONFIG and all(c.claim is Claim.YIELDING for c in self.containers)


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Two services claim the name in one tier, so that it stands for neither."""

    reason: str
    yields: bool = False
    """Whether all claimants have ended and did not come back."""
    tier: Tier = Tier.CONFIG
    """The tier in which they claim it."""
    containers: tuple[Container, ...] = ()
    """The claimants; empty if services of the configuration claim it."""


Answer = Service | Ambiguous | None
"""`None`: nothing has the name."""


def own_service(subscriber: Container) -> Service:
    """The service that `self` stands for."""
    return Service(SELF, Tier.SELF, (subscriber,))
