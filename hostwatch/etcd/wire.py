"""etcd's messages in the JSON of its gateway: keys and values in base64, long numbers as text, zeros left out."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from hostwatch.control.key_values import VALUE_LIMIT, Deleted, Entry, Put

Message: TypeAlias = Mapping[str, Any]

UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, OverflowError)
"""What reading a message of another form raises."""


@dataclass(frozen=True, slots=True)
class Position:
    """A moment of a store: what was told up to here is known."""

    revision: int
    term: int
    """Of the leader. Neither goes back, unless the store was made anew or restored."""
    cluster: int

    def is_of(self, later: "Position") -> bool:
        """Whether a later moment belongs to the same history."""
        return self.cluster == later.cluster and self.term <= later.term and self.revision <= later.revision


NOWHERE = Position(0, 0, 0)
"""Before the first answer; a store begins with revision 1."""


def number(message: Message, name: str) -> int:
    """A number of a message."""
    return int(message.get(name) or 0)


def position(message: Message) -> Position:
    """The moment at which an answer was made, from its header."""
    header = message["header"]
    return Position(number(header, "revision"), number(header, "raft_term"), number(header, "cluster_id"))


def key_bytes(key: str) -> bytes:
    """A key as etcd has it."""
    return key.encode("utf-8", "surrogateescape")


def written(content: bytes) -> str:
    """Bytes as the gateway wants them."""
    return b64encode(content).decode()


def one(key: str) -> dict[str, Any]:
    """The fields for a single key."""
    return {"key": written(key_bytes(key))}


def below(prefix: str) -> dict[str, Any]:
    """The fields for all keys with a prefix."""
    return {"key": written(key_bytes(prefix)), "range_end": written(after_prefix(key_bytes(prefix)))}


def after_prefix(prefix: bytes) -> bytes:
    """The first key that comes after all those with a prefix; a zero byte is etcd's word for "no end"."""
    cut = prefix.rstrip(b"\xff")
    return cut[:-1] + bytes([cut[-1] + 1]) if cut else b"\0"


def entry(fields: Message, *, has_value: bool = True) -> Entry:
    """A key with its value. Without the value, it counts as too long to be looked at."""
    text = fields.get("value") or ""
    is_short = has_value and len(text) <= VALUE_LIMIT * 4 // 3 + 4
    value = b64decode(text) if is_short else None
    if value is not None and len(value) > VALUE_LIMIT:
        value = None
    return Entry(key(fields), value, number(fields, "mod_revision"), number(fields, "lease"))


def change(event: Message) -> Put | Deleted:
    """One event of a watch."""
    return Deleted(key(event["kv"])) if event.get("type") == "DELETE" else Put(entry(event["kv"]))


def revision(event: Message) -> int:
    """The revision that an event belongs to."""
    return number(event["kv"], "mod_revision")


def key(fields: Message) -> str:
    """The key of a message with its fields."""
    return b64decode(fields["key"]).decode("utf-8", "surrogateescape")
