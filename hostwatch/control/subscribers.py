"""Finds subscribers by the word that a user gives: for commands, and for those who ask by HTTP.

The word is a container's name, the beginning of its id, or a key of the configuration. It means a hosts file, so that a
container that uses another one's network means the other one's file.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from hostwatch.core.likeness import nearest_of
from hostwatch.core.model import Container, ContainerKey, State
from hostwatch.core.names import shown
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.selection import Roles


class NoSubscriberError(Exception):
    """A word means no subscriber that runs. The message tells what to do."""


class NoNameError(Exception):
    """No line of a subscriber has this name. The message tells what to do."""


def running(store: Lister, words: Sequence[str] = ()) -> list[Container]:
    """The owners of the hosts files that a process reads, by name; with words only of those that the words mean.

    Raises `NoSubscriberError`.
    """
    found = {container.key: container for container in filter(None, map(store.container, store.subscriber_files))}
    read = {key: container for key, container in found.items() if container.state is not State.STOPPED}
    chosen = dict.fromkeys(key for word in words for key in _meant(store, word, read)) if words else read
    return sorted((read[key] for key in chosen), key=lambda container: (container.name, container.key))


def _meant(store: Lister, word: str, read: Mapping[ContainerKey, Container]) -> list[ContainerKey]:
    found = [key for key in matching(store, word) if key in read]
    if not found:
        raise NoSubscriberError(absent(store, word))
    return found


def matching(store: Lister, word: str) -> list[ContainerKey]:
    """The hosts files that the word means, by the name of their container; empty if there is none.

    The beginning of an id counts only if the word is no name and no key, as `db` may be the beginning of any id.
    """
    rules = [rule for rule in store.rules.subscribers if rule.key == word]
    found = {
        owner: container
        for owner, container in _readers(store)
        if container.name == word or any(rule.holds(container) for rule in rules)
    }
    if not found and not rules and word:
        found = {owner: container for owner, container in _readers(store) if container.key.id.startswith(word)}
    return sorted(found, key=lambda owner: (found[owner].name, owner))


def is_key(store: Lister, word: str) -> bool:
    """Whether the word is a key of the configuration."""
    return any(rule.key == word for rule in store.rules.subscribers)


def called(store: Lister, owners: Iterable[ContainerKey]) -> frozenset[str]:
    """The names of these containers: the past knows them by their names and ids alone."""
    return frozenset(container.name for container in map(store.container, owners) if container is not None)


def names(store: Lister) -> list[str]:
    """The words that mean a subscriber: the names of containers, and the keys of the configuration."""
    return sorted({container.name for _, container in _readers(store)} | {rule.key for rule in store.rules.subscribers})


def absent(store: Lister, word: str) -> str:
    """Why the word means no subscriber that runs, and what to do, in one line."""
    name = shown(word)
    if matching(store, word):
        return f"{name}: this container does not run; its file is brought right when it starts"
    if any(rule.key == word for rule in store.rules.subscribers):
        return f"{name}: no container matches this entry of the configuration; compare its `match` with `docker ps`"
    for container in store.containers:
        if container.name == word:
            return f"{name}: this container does not subscribe; {_way_to_subscribe(store.roles(container.key))}"
    meant = nearest(word, names(store))
    remedy = f"did you mean {meant}?" if meant is not None else "`hostwatch status` lists all"
    return f"{name}: no subscriber has this name, id or key; {remedy}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that the word probably means: a letter is wrong, or compose's project is missing before it."""
    known = list(known)
    inside = (name for name in known if word and word.lower() in name.lower())
    behind = (name for name in known if nearest_of(word, [name.partition("-")[2]]) is not None)
    return nearest_of(word, known) or next(inside, None) or next(behind, None)


def _way_to_subscribe(roles: Roles) -> str:
    """What must change so that a container subscribes."""
    if not roles.enabled:
        return "its label hostwatch.enable says so"
    if roles.faults:
        return str(roles.faults[0])
    return "give it the label hostwatch.hosts or hostwatch.services, or an entry under `subscribers`"


def _readers(store: Lister) -> Iterator[tuple[ContainerKey, Container]]:
    """The hosts files with a subscriber, each with all containers that read it."""
    for owner in store.subscriber_files:
        for container in store.sharing(owner).sharers:
            yield owner, container
