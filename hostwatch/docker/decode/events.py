"""Lines of the event stream."""

import re

from hostwatch.control.source import Event
from hostwatch.core.model import ContainerId, ContainerKey, EngineId, NetworkId, NetworkKey
from hostwatch.docker.decode.fields import Json, mapping

_HEAD = re.compile(rb'"Type":"container","Action":"([a-z_]+)[^"]*","Actor":\{"ID":"([0-9a-f]{64})"')


def event(engine: EngineId, data: Json) -> Event | None:
    """A line of `GET /events`; `None` if its type is not used. Raises `ValueError` for one without an id."""
    actor = mapping(data.get("Actor"))
    identity, attributes = actor.get("ID"), mapping(actor.get("Attributes"))
    kind, action, moment = data.get("Type"), data.get("Action"), data.get("timeNano")
    member = attributes.get("container")
    if not (identity and action) or not all(isinstance(word, str) for word in (identity, action, member or "")):
        raise ValueError(f"no event: {kind} {action} {identity} {member}")
    moment = moment if isinstance(moment, int) else None
    if kind == "container":
        return Event(kind, _plain(action), ContainerKey(engine, ContainerId(identity)), None, attributes, moment)
    if kind == "network":
        if action in ("connect", "disconnect") and "container" not in attributes:
            # Podman's actor is the container; the event does not name the network.
            return Event("container", action, ContainerKey(engine, ContainerId(identity)), None, attributes, moment)
        container = ContainerKey(engine, ContainerId(member)) if member else None
        return Event(kind, action, container, NetworkKey(engine, NetworkId(identity)), attributes, moment)
    return None


def event_of_head(engine: EngineId, head: bytes) -> Event | None:
    """The event that the beginning of a too long line describes; `None` if it is not a container's."""
    found = _HEAD.search(head)
    if found is None:
        return None
    key = ContainerKey(engine, ContainerId(found[2].decode()))
    return Event("container", _plain(found[1].decode()), key, None, {})


def _plain(action: str) -> str:
    # The action may carry a detail, as in `health_status: healthy`; Podman says `died` and `remove`.
    name = action.partition(":")[0]
    return {"died": "die", "remove": "destroy"}.get(name, name)
