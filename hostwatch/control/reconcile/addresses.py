"""The address that a hosts file tells of its own container: the engine's line has it before any event.

It is passed on to the informer, which decides when to believe it.
"""

from collections.abc import Iterable
from typing import Protocol

from hostwatch.control.causes import connection_of, start_of
from hostwatch.control.reconcile.plan import Observation
from hostwatch.core.block.hostsfile import own_addresses
from hostwatch.core.model import Address, ContainerKey


class Early(Protocol):
    """The informer's side of early addresses: what a hosts file says before the engine publishes it."""

    def starting(self, key: ContainerKey, addresses: Iterable[Address], cause: str) -> None:
        """The engine has written a file of a container that is being started, with these addresses of its own."""

    def running(self, key: ContainerKey, addresses: Iterable[Address], cause: str) -> None:
        """The file of a running container says that it has these addresses, which may be its own word."""


def tell_starting(early: Early, seen: Observation, text: bytes) -> None:
    """Pass on what the file of a container that is being started says; a resolv.conf says just that."""
    container = seen.container
    addresses = own_addresses(text, container.own_hostname) if seen.tells_address else ()
    early.starting(seen.key, addresses, start_of(container.name))


def tell_running(early: Early, seen: Observation, text: bytes) -> None:
    """Pass on what the file of a running container says, if it was changed."""
    if seen.tells_address and seen.is_changed and seen.is_running:
        container = seen.container
        early.running(seen.key, own_addresses(text, container.own_hostname), connection_of(container.name))
