"""The log that people tail: one line for each change of a hosts file, withheld line, fault and refused label."""

from collections.abc import Iterable
from dataclasses import dataclass

from loguru import logger

from hostwatch.core.inventory import Inventory
from hostwatch.core.model import Address, ContainerKey
from hostwatch.core.records import Block
from hostwatch.core.selection import LabelFault

_MOST_TOLD = 100
"""How many names, and addresses of one, a line tells: a container may have put thousands between the markers."""


@dataclass(frozen=True, slots=True)
class NameChange:
    """A name's addresses before and after; none for a name that was not there, or is not any more."""

    name: str
    old: tuple[Address, ...]
    new: tuple[Address, ...]

    @property
    def addresses(self) -> frozenset[Address]:
        """The addresses that came or went."""
        return frozenset(self.old) ^ frozenset(self.new)

    def __str__(self) -> str:
        return f"{self.name} {_listed(self.old)} → {_listed(self.new)}"


def name_changes(before: Block, after: Block) -> tuple[NameChange, ...]:
    """What is different for the names of two blocks, in the order of the newer one."""
    old, new = _by_name(before), _by_name(after)
    return tuple(
        NameChange(name, old.get(name, ()), new.get(name, ()))
        for name in dict.fromkeys([*new, *old])
        if old.get(name) != new.get(name)
    )


def log_change(
    subscriber: str, cause: str, changes: Iterable[NameChange], seconds: float, *, quiet: bool = False
) -> None:
    """A hosts file was written; `seconds` is the time since the cause arrived.

    A write that changed no name (the reason of a withheld line, say), or that is `quiet`, is no news.
    """
    listed = tuple(changes)
    logger.bind(
        subscriber=subscriber,
        cause=cause,
        changes=[
            {"name": change.name, "old": _texts(change.old), "new": _texts(change.new)}
            for change in listed[:_MOST_TOLD]
        ],
        ms=round(seconds * 1000, 1),
    ).log(
        "INFO" if listed and not quiet else "DEBUG",
        "{}: {} ({}, {:.1f} ms)",
        subscriber,
        "; ".join(_short([*map(str, listed)])) or "only comments changed",
        cause,
        seconds * 1000,
    )


def log_withheld(subscriber: str, before: Block, after: Block) -> None:
    """A line for each template line that is withheld from now on, and for each that is not any more."""
    old = {withheld.line: withheld.reason for withheld in before.withheld}
    new = {withheld.line: withheld.reason for withheld in after.withheld}
    for line, reason in new.items():
        if line not in old:
            logger.bind(subscriber=subscriber, line=line, reason=reason).info(
                "{}: withheld: {} ({})", subscriber, line, reason
            )
    for line in old.keys() - new.keys():
        logger.bind(subscriber=subscriber, line=line).info("{}: no longer withheld: {}", subscriber, line)


class LabelJournal:
    """A line for each refused label, once for each container."""

    def __init__(self) -> None:
        self._told: dict[ContainerKey, tuple[LabelFault, ...]] = {}

    def tell(self, key: ContainerKey, inventory: Inventory) -> None:
        """Report the container's refused labels, if that was not done before."""
        container, faults = inventory.container(key), inventory.roles(key).faults
        if container is None or not faults or self._told.get(key) == faults:
            return
        self._told[key] = faults
        for fault in faults:
            logger.bind(container=container.name, label=fault.label, reason=fault.reason).warning(
                "{}: label {} is refused: {}", container.name, fault.label, fault.reason
            )

    def forget(self, key: ContainerKey) -> None:
        """The container is gone."""
        self._told.pop(key, None)


def _by_name(block: Block) -> dict[str, tuple[Address, ...]]:
    names: dict[str, list[Address]] = {}
    for record in block.records:
        for name in record.names:
            names.setdefault(name, []).append(record.address)
    return {name: tuple(addresses) for name, addresses in names.items()}


def _listed(addresses: Iterable[Address]) -> str:
    return ",".join(_texts(addresses)) or "-"


def _texts(addresses: Iterable[Address]) -> list[str]:
    return _short([str(address) for address in addresses])


def _short(texts: list[str]) -> list[str]:
    return texts if len(texts) <= _MOST_TOLD else [*texts[:_MOST_TOLD], f"and {len(texts) - _MOST_TOLD} more"]
