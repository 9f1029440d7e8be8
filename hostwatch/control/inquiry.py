"""What somebody asks of the history, by a command or by HTTP: which changes, or the blocks of which moment."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hostwatch.control.blocks import FileBlock
from hostwatch.control.history import Change
from hostwatch.core.block.records import Block
from hostwatch.core.durations import seconds_of
from hostwatch.core.mentions import given_by
from hostwatch.core.model import ContainerKey
from hostwatch.core.names import folded, shown

Json = Mapping[str, Any]

USUAL_LIMIT = 1_000
"""How many changes are told if nobody asks for more or fewer: as many as are in memory."""
MOST = 1_000_000
"""How many changes can be asked for."""
_DIGITS = 18
"""The longest number in decimal digits. SQLite's integers have some more."""
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?", re.ASCII)


class InquiryError(ValueError):
    """What is asked makes no sense. The message says what would."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is asked. Everything given must hold; of several subscribers or names, one."""

    words: tuple[str, ...] = ()
    """What the subscribers are called: names, beginnings of ids, keys of the configuration."""
    names: frozenset[str] = frozenset()
    """Names in hosts files, in lower case."""
    since: float | None = None
    """Only changes from this time on (seconds since the epoch)."""
    after: int | None = None
    """Only changes with higher numbers."""
    at: float | None = None
    """The blocks of this moment are asked for, instead of changes."""
    limit: int = USUAL_LIMIT
    """At most so many changes, the newest."""
    owners: frozenset[ContainerKey] = frozenset()
    """The files that the words mean as keys of the configuration."""
    beginnings: tuple[str, ...] = ()
    """The words that may be beginnings of ids."""

    def resolved(self, known: Collection[str], owners: Iterable[ContainerKey]) -> "Inquiry":
        """The same with the files that the words mean as keys of the configuration.

        A word among the `known` names is no beginning of an id, as `db` may be the beginning of any.
        """
        beginnings = tuple(word for word in self.words if word and word not in known)
        return replace(self, owners=frozenset(owners), beginnings=beginnings)

    def means(self, subscriber: str, owner: ContainerKey) -> bool:
        """Whether the subscriber is one of those asked for."""
        if not self.words or subscriber in self.words or owner in self.owners:
            return True
        return any(owner.id.startswith(word) for word in self.beginnings)

    def wants(self, change: Change) -> bool:
        """Whether the change is asked for."""
        if (self.since is not None and change.time < self.since) or change.number <= (self.after or 0):
            return False
        if not self.means(change.subscriber, change.key):
            return False
        return not self.names or not self.names.isdisjoint(change.mentioned)

    def shown_of(self, held: FileBlock) -> FileBlock:
        """The block with the lines that are asked for."""
        if not self.names:
            return held
        block = held.block
        records = tuple(each for each in block.records if self._names_any(each.names))
        withheld = tuple(each for each in block.withheld if self._names_any(given_by(each.line)))
        return held._replace(block=Block(records, withheld))

    def _names_any(self, names: Iterable[str]) -> bool:
        return not self.names.isdisjoint(map(folded, names))


def inquiry(parameters: Iterable[tuple[str, str]], now: float) -> Inquiry:
    """The inquiry of a query string's parameters. `subscriber` and `name` may occur several times.

    Raises `InquiryError`.
    """
    asked = Inquiry()
    for key, value in parameters:
        match key:
            case "subscriber":
                asked = replace(asked, words=(*asked.words, value))
            case "name":
                asked = replace(asked, names=asked.names | {folded(value)})
            case "since":
                asked = replace(asked, since=moment(value, now))
            case "at":
                asked = replace(asked, at=moment(value, now))
            case "after":
                asked = replace(asked, after=_number(value))
            case "limit":
                asked = replace(asked, limit=_limit(value))
            case _:
                raise InquiryError(
                    f"{shown(key)}: no such parameter; there are subscriber, name, since, after, at, limit"
                )
    return asked


def moment(text: str, now: float) -> float:
    """The time that a user means, in seconds since the epoch: how long ago, or a date, or a time of day.

    A time without a zone is this machine's local one. A time of day is the last one before `now`. Raises
    `InquiryError`.
    """
    ago = seconds_of(text)
    try:
        if ago is not None:
            return now - ago
        if clock := _CLOCK.fullmatch(text):
            hour, minute, second = (int(part or 0) for part in clock.groups())
            local = datetime.fromtimestamp(now).astimezone()
            wall = local.replace(hour=hour, minute=minute, second=second, microsecond=0, tzinfo=None)
            today, yesterday = wall.timestamp(), (wall - timedelta(days=1)).timestamp()
            return today if today <= now else yesterday
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise InquiryError(
            f"{shown(text)}: no time; write how long ago, as in 90s, 1h or 2d, or a time, as in 14:03,"
            " 2026-01-02, 2026-01-02T14:03 or 2026-01-02T14:03:05Z"
        ) from None


def _limit(text: str) -> int:
    if not 0 < (limit := _whole(text)) <= MOST:
        raise InquiryError(f"{shown(text)}: no limit; write how many changes, from 1 to {MOST}")
    return limit


def _number(text: str) -> int:
    if (number := _whole(text)) < 0:
        raise InquiryError(f"{shown(text)}: no number of a change")
    return number


def _whole(text: str) -> int:
    """The number that a text is; negative if it is none, or too long a one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else -1
