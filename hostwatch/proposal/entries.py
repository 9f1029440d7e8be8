"""The entries that are proposed, as values: a name for whoever may ask for it, and those who are likely to ask.

Each is valid by itself. One that would not be, since a label gave a name that no host has, is left out.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from hostwatch.config.settings import Settings
from hostwatch.core.model import Container, Health, NetworkMode
from hostwatch.core.names import folded, name_fault
from hostwatch.core.references import is_service_name
from hostwatch.core.store.store import Store
from hostwatch.proposal.groups import Group, Member, Running

SERVICES, SUBSCRIBERS = "services", "subscribers"
HOST_FILE = "/etc/hosts"
_MANY = 30
"""A subscriber of so many names gets every name instead, as nobody reads a longer list."""

_LONGEST_KEY = 100
"""YAML writes keys of more than 128 characters in another form, and nobody types them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a section of the configuration."""

    section: str
    key: str
    content: Mapping[str, object]
    notes: Mapping[str, str]
    """What is said of a line, by its key."""

    @property
    def configuration(self) -> dict[str, object]:
        """A whole configuration with this entry alone."""
        return {self.section: {self.key: dict(self.content)}}


@dataclass(frozen=True, slots=True)
class Chapter:
    """The entries of one group."""

    title: str
    note: str
    entries: tuple[Entry, ...]
    left_out: tuple[str, ...] = ()
    """Names that are not proposed, as another container has them."""


class _Keys:
    """The keys that are given already."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def take(self, key: str) -> str:
        """The key, or one like it that is free."""
        free, number = key, 1
        while folded(free) in self._given:
            number += 1
            free = f"{key}-{number}"
        self._given.add(folded(free))
        return free


def services(store: Store, found: Running) -> tuple[Chapter, ...]:
    """A service for each member of each group."""
    given: set[str] = set()
    chapters = (_of_services(store, group, given) for group in found.groups)
    return tuple(chapter for chapter in chapters if chapter.entries or chapter.left_out)


def _of_services(store: Store, group: Group, given: set[str]) -> Chapter:
    entries, taken = list[Entry](), list[str]()
    for member in group.members:
        if folded(member.key) in given:  # it is on a network before this one
            continue
        given.add(folded(member.key))
        if _is_of_others(store, member):
            taken.append(member.key)
        elif is_valid(entry := _service(member)):
            entries.append(entry)
    return Chapter(group.title, group.note, tuple(entries), tuple(taken))


def _is_of_others(store: Store, member: Member) -> bool:
    """Whether the key is also a name of another container, from which a service of the configuration would take it."""
    own = {container.key for container in member.containers}
    engine = member.containers[0].key.engine
    everyone = (
        *store.named(engine, member.key),
        *store.called(engine, member.key),
        *store.labelled(engine, member.key),
    )
    return any(other.key not in own and other.host_file is None for other in everyone)


def _service(member: Member) -> Entry:
    content: dict[str, object] = {"match": dict(member.match)}
    notes = {
        "match": ", ".join(_placed(c, member.name) for c in member.containers[:3]) + _and_more(member.containers, 3)
    }
    if any(container.health not in (None, Health.NONE) for container in member.containers):
        content["health"] = "required"
        notes["health"] = "its name goes while its healthcheck fails; without this line it stays"
    return Entry(SERVICES, member.key, content, notes)


def _placed(container: Container, known: str) -> str:
    """The container with its addresses, without a name that is known."""
    places = [f"{a} on {endpoint.network_name}" for endpoint in container.endpoints for a in endpoint.addresses[:1]]
    if not places:
        where = "the host's network" if container.network_mode is NetworkMode.HOST else "another container's network"
        places = [f"in {where}"]
    return " ".join(("" if container.name == known else f"{container.name}:", ", ".join(places))).strip()


def _and_more(everyone: Iterable[object], shown: int) -> str:
    more = len([*everyone]) - shown
    return f" and {more} more" if more > 0 else ""


def subscribers(found: Running) -> tuple[Chapter, ...]:
    """The likely readers of each group."""
    keys = _Keys()
    chapters = (
        Chapter(group.title, group.note, tuple(filter(is_valid, _readers(group, keys)))) for group in found.groups
    )
    return tuple(chapter for chapter in chapters if chapter.entries)


def _readers(group: Group, keys: _Keys) -> Iterator[Entry]:
    needing = [member for member in group.members if member.needs]
    for member in needing:
        yield _subscriber(keys.take(member.key), member.match, member.needs, member.containers)
    names = [member.name for member in group.members if is_service_name(member.name)]
    asked = [*names, *group.neighbours]
    if not needing and len(asked) > 1:
        everyone = [container for member in group.members for container in member.containers]
        yield _subscriber(keys.take(group.key), group.match, asked, everyone)


def _subscriber(key: str, match: Mapping[str, object], names: Iterable[str], containers: Iterable[Container]) -> Entry:
    everyone, asked, notes = [container.name for container in containers], [*names], dict[str, str]()
    if match.get("name") != everyone:
        notes["match"] = ", ".join(everyone[:3]) + _and_more(everyone, 3)
    if len(asked) > _MANY:
        notes["services"] = "every name in reach"
    return Entry(SUBSCRIBERS, key, {"match": dict(match), "services": "*" if len(asked) > _MANY else asked}, notes)


def host_file() -> Entry:
    """The file of the host, with every name in a domain of its own."""
    return Entry(
        SUBSCRIBERS,
        "this-host",
        {"file": HOST_FILE, "services": "*", "publish_as": ["{name}.docker"]},
        {
            "file": "of this machine, for programs that run on it",
            "services": "every container, Compose service and alias",
            "publish_as": 'so that no name of yours is hidden; without this line: "{name}"',
        },
    )


def is_valid(entry: Entry) -> bool:
    """Whether the entry alone is a configuration, and its key a name."""
    if len(entry.key) > _LONGEST_KEY or (entry.section == SERVICES and name_fault(entry.key) is not None):
        return False
    try:
        Settings.model_validate(entry.configuration)
    except ValidationError:
        return False
    return True
