"""The sources of names on other hosts, each with its state, for those who ask."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from hostwatch.control.history import instant
from hostwatch.control.remotes import Published, SourceState

Json = Mapping[str, Any]


def sources(states: Mapping[str, SourceState]) -> list[Json]:
    """The state of each source, as `status --json` has it."""
    return [
        {
            "source": source,
            "kind": state.kind,
            "name": state.name,
            "up": state.is_up,
            "since": instant(state.since),
            "fault": state.fault or None,
            "endpoints": state.endpoints,
            "published": _published(state.published),
        }
        for source, state in sorted(states.items())
    ]


def _published(found: Published | None) -> Json | None:
    return {"node": found.node, "services": found.services, "names": [*found.names]} if found is not None else None


def asked_once(states: Mapping[str, SourceState], names: AbstractSet[str]) -> list[Json]:
    """The same for a command. Of sources that it does not ask, `up` and all that follows from an answer is `null`."""
    others = sorted(names - states.keys())
    return [*sources(states), *(_unasked(source, *source.partition(":")[::2]) for source in others)]


def _unasked(source: str, kind: str, name: str) -> Json:
    unknown = {"up": None, "since": None, "fault": None, "endpoints": None, "published": None}
    return {"source": source, "kind": kind, "name": name or kind, **unknown}


def notes(states: Mapping[str, SourceState]) -> Iterator[str]:
    """What an answer has to say of sources that are cut off."""
    for source, state in sorted(states.items()):
        if not state.is_up:
            fault = f" ({state.fault})" if state.fault else ""
            known = "what it told is as last known" if state.endpoints else "nothing is known of what it has"
            yield f"{source} is away since {instant(state.since)}{fault}: {known}"


def unasked_note(names: Iterable[str]) -> Iterator[str]:
    """What a command has to say of the sources that only a daemon asks."""
    if found := sorted(names):
        yield f"{UNASKED} ({', '.join(found)}): a line that needs them stays as it is in the file"


UNASKED = "other hosts are asked by the daemon alone"
