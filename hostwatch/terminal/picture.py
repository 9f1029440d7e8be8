"""What is known of the state while somebody watches: the last answer, and since when the engine is away."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.text import Text

from hostwatch.terminal.lines import BAD, CHANGING, FAINT, line
from hostwatch.terminal.status import engine_lines, is_right, is_whole, service_lines, source_lines, subscriber_lines

_NOTHING: Mapping[str, Any] = {
    "engine": {"connected": False, "version": None, "api": None},
    "services": [],
    "subscribers": [],
    "daemon": None,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """The last known state."""

    found: Mapping[str, Any] = dataclasses.field(default_factory=lambda: _NOTHING)
    """As `status --json` has it."""
    fault: str | None = None
    """What keeps all of it, or a part, from being known now."""
    since: datetime | None = None
    """Since when the engine is away; `None` while it is there."""

    def renewed(self, found: Mapping[str, Any], now: datetime) -> "Picture":
        """With a new answer. A daemon answers, too, while the engine is away."""
        return Picture(found, None, None if found["engine"]["connected"] else self.since or now)

    def kept(self, fault: str, now: datetime) -> "Picture":
        """Without one: the old one stays."""
        engine = {**self.found["engine"], "connected": False}
        return Picture({**self.found, "engine": engine}, fault, self.since or now)

    def without_subscribers(self, fault: str) -> "Picture":
        """While the subscribers that are watched are not there."""
        return dataclasses.replace(self, found={**self.found, "subscribers": []}, fault=fault)

    def lines(self, width: int | None, *, services: bool) -> Iterator[Text]:
        """The lines for people. What is not right comes first, since a small terminal shows only the beginning."""
        if self.since is not None:
            yield line((f"engine away since {self.since:%H:%M:%S}", BAD), f": {self.fault}" if self.fault else "")
            if self.found["subscribers"] or self.found["services"]:
                yield line(("what follows is what was known then", FAINT))
        else:
            yield from engine_lines(self.found)
            if self.fault is not None:
                yield line((self.fault, CHANGING))
        is_cut_off = any(each["up"] is False for each in self.found.get("sources") or ())
        if is_cut_off:
            yield from source_lines(self.found)
        subscribers = sorted(self.found["subscribers"], key=lambda each: (is_right(each), is_whole(each)))
        if subscribers or (self.since is None and self.fault is None):
            yield from subscriber_lines({"subscribers": subscribers})
        if services and self.found["services"]:
            yield from service_lines(self.found, width)
        if not is_cut_off:
            yield from source_lines(self.found)
