"""Cautions: warnings of entries that are valid but probably mistakes, each with its place.

`check` shows the cautions that need the file alone. `doctor` and the log of `run` show those that need an engine's
containers as well. A name that no entry of the configuration has is no caution by itself: a container may have it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hostwatch.config.cluster_cautions import alone, unencrypted, untold
from hostwatch.config.document import Document, Loc, Problem, Scalar, shown
from hostwatch.config.faults import ConfigFault
from hostwatch.config.publish_cautions import published_slips, unpublished
from hostwatch.config.resolv_cautions import hiding, idle
from hostwatch.config.secret_files import unsafe
from hostwatch.config.services import MatchSettings
from hostwatch.config.settings import Settings
from hostwatch.config.subscribers import SubscriberSettings
from hostwatch.core.likeness import is_slip, neighbours
from hostwatch.core.model import EngineId
from hostwatch.core.names import folded
from hostwatch.core.patterns import ALIKE, parsed_pattern
from hostwatch.core.references import SELF, Attribute
from hostwatch.core.resolve.unanswered import (
    Nearest,
    idle_services,
    idle_subscribers,
    is_answered,
    is_in_doubt,
    names_in_doubt,
)
from hostwatch.core.store.lister import Lister

_BRACKETS = re.compile(r"\[!?\]?[^\]]*\]")
_ANY_TEXT = re.compile(r"(?:^|[-_/:])\.[*+]")
"""As a glob this requires a dot at a place where no name has one."""
_IN_NO_NAME = re.compile(rf"[^A-Za-z0-9_.*?-]|{_ANY_TEXT.pattern}")
_IN_NO_IMAGE = re.compile(rf"[^A-Za-z0-9_./:@*?-]|{_ANY_TEXT.pattern}")
_IN_FEW_VALUES = re.compile(rf"^\^|\$$|\([^()\s]*\|[^()\s]*\)|\\[dws][+*]|{_ANY_TEXT.pattern}")
"""Parts of regular expressions that are rare in values of labels."""
_REGULAR = (
    "`{}` looks like a regular expression, and this is a glob: * is any text, ? any character, [0-9] one of these;"
    " several globs are a list"
)
_TOP_DOMAINS = frozenset(("app", "com", "dev", "edu", "gov", "info", "int", "mil", "net", "org"))
"""The generic domains of RFC 1591, and others in wide use. All of two letters belong to countries (RFC 1591, too)."""
_PUBLIC = (
    "`.{}` is a domain of the internet, so that a container takes the name of a host there, as with --name github;"
    " for names of one's own there are .internal, .test and .docker"
)
_REFERENCE = re.compile(r"(?<!@)@\{([^{}]*)\.([A-Za-z0-9]+)(?:\[[0-9]+\])?\}")
_UNADVERTISED = "`advertise` is not set, so that this line is withheld; write `advertise: auto` or an address"


@dataclass(frozen=True, slots=True)
class _Requested:
    """A name that an entry requests, with its place."""

    name: str
    index: int


def of_file(settings: Settings) -> tuple[ConfigFault, ...]:
    """The cautions that follow from the file alone."""
    faults = [*_globs(settings), *_claims(settings), *_patterns(settings), *_unadvertised(settings), *idle(settings)]
    return settings.origin.faults([*faults, *untold(settings), *unencrypted(settings), *alone(settings)])


def of_machine(settings: Settings) -> tuple[ConfigFault, ...]:
    """The cautions of the files with secrets that the configuration names."""
    return settings.origin.faults(unsafe(settings))


def without_engine(settings: Settings) -> tuple[ConfigFault, ...]:
    """The cautions that depend on containers, which the file does not show: names that are similar to a name of the
    configuration, though a container may have them, and nameservers that hide names on most networks.
    """
    return settings.origin.faults([*_slips(settings), *published_slips(settings), *hiding(settings)])


def beside(settings: Settings, lister: Lister, engine: EngineId) -> tuple[ConfigFault, ...]:
    """The cautions that follow from the file and an engine's containers."""
    entries = [*_idle(settings.origin.document, lister), *unpublished(settings, lister, engine)]
    return settings.origin.faults([*entries, *_unanswered(settings, lister, engine)])


def _globs(settings: Settings) -> Iterator[Problem]:
    matches: dict[Loc, MatchSettings] = {}
    for section, entries in (("services", settings.services), ("subscribers", settings.subscribers)):
        matches |= {(section, key): entry.match for key, entry in entries.items() if entry.match is not None}
    for loc, match in matches.items():
        for end, glob, is_odd in _globs_of(match):
            if (odd := is_odd.search(_BRACKETS.sub("x", glob))) is not None:
                node = settings.origin.document.found((*loc, "match", *end)).node
                yield Problem(node.index, shown(glob), _REGULAR.format(odd[0]))


def _globs_of(match: MatchSettings) -> Iterator[tuple[Loc, str, re.Pattern[str]]]:
    kinds = {"name": match.name, "project": match.project, "service": match.service}
    for field, globs in kinds.items():
        yield from (((field, index), glob, _IN_NO_NAME) for index, glob in enumerate(globs))
    yield from ((("image", index), glob, _IN_NO_IMAGE) for index, glob in enumerate(match.image))
    if isinstance(match.label, dict):
        for label, globs in match.label.items():
            yield from ((("label", label, index), glob, _IN_FEW_VALUES) for index, glob in enumerate(globs))


def _claims(settings: Settings) -> Iterator[Problem]:
    """Names that two services have. Case does not count."""
    document, keys = settings.origin.document, dict[str, str]()
    for key in settings.services:
        if (first := keys.setdefault(folded(key), key)) != key:
            place = document.found(("services", key)).key
            yield _claimed(key, place.index if place is not None else 0, first, first)
    listed: dict[str, tuple[str, str]] = {}
    for key, service in settings.services.items():
        for index, name in enumerate(service.names):
            if folded(name) in keys:  # the service with this key keeps the name, even if another one lists it
                continue
            owner, written = listed.setdefault(folded(name), (key, name))
            if owner != key:
                yield _claimed(name, document.found(("services", key, "names", index)).node.index, owner, written)


def _claimed(name: str, index: int, owner: str, written: str) -> Problem:
    spelt = "" if name == written else f", as {written!r} (host names are one whatever their case)"
    return Problem(index, shown(name), f"the service {owner!r} has this name{spelt}, so that it stands for neither")


def _patterns(settings: Settings) -> Iterator[Problem]:
    """Patterns below a domain of the internet, and those that do not tell containers apart."""
    for key, subscriber in settings.subscribers.items():
        for index, text in enumerate(subscriber.publish_as):
            pattern = parsed_pattern(text)
            found = settings.origin.document.found(("subscribers", key, "publish_as", index)).node.index
            if not pattern.tells_apart:
                yield Problem(found, shown(text), ALIKE)
            domain = pattern.suffix.removeprefix(".")
            if domain in _TOP_DOMAINS or re.fullmatch(r"[a-z]{2}", domain):
                yield Problem(found, shown(text), _PUBLIC.format(domain))


def _slips(settings: Settings) -> Iterator[Problem]:
    known = {folded(name): name for key, service in settings.services.items() for name in (key, *service.names)}
    for request in _all_requested(settings):
        name = folded(request.name)
        if name not in known:
            near = next((other for other in neighbours(name) if other in known and is_slip(name, other)), None)
            if near is not None:
                reason = f"no service is called that here; did you mean {known[near]!r}?"
                yield Problem(request.index, shown(request.name), reason)


def _all_requested(settings: Settings) -> Iterator[_Requested]:
    for key, subscriber in settings.subscribers.items():
        found = _requested(settings.origin.document, ("subscribers", key), subscriber)
        yield from {request.name: request for request in reversed([*found]) if request.name != SELF}.values()


def _requested(document: Document, loc: Loc, subscriber: SubscriberSettings) -> Iterator[_Requested]:
    if subscriber.services != "*":
        for index, name in enumerate(subscriber.services):
            yield _Requested(name, document.found((*loc, "services", index)).node.index)
    for field, template in (("hosts", subscriber.hosts), ("resolv", subscriber.resolv)):
        yield from (_Requested(found[1], place) for found, place in _references(document, (*loc, field), template))


def _references(document: Document, loc: Loc, template: str) -> Iterator[tuple[re.Match[str], int]]:
    """The references of a template, each with its place."""
    scalar, start = document.found(loc).node, 0
    matches: dict[int, re.Match[str]] = {}
    for row in template.split("\n"):
        matches |= {start + found.start(): found for found in _REFERENCE.finditer(row.partition("#")[0])}
        start += len(row) + 1
    if isinstance(scalar, Scalar):
        yield from zip(matches.values(), document.inside(scalar, [*matches]), strict=True)


def _unadvertised(settings: Settings) -> Iterator[Problem]:
    """The first line of each template that the host's own address is missing for."""
    for key, subscriber in settings.subscribers.items() if settings.advertise is None else ():
        for found, place in _references(settings.origin.document, ("subscribers", key, "hosts"), subscriber.hosts):
            if found[2] == Attribute.PUBLIC_IP.value:
                yield Problem(place, shown(found[0]), _UNADVERTISED)
                break


def _idle(document: Document, lister: Lister) -> Iterator[Problem]:
    for section, keys in (("services", idle_services(lister)), ("subscribers", idle_subscribers(lister))):
        for key in keys:
            found = document.found((section, key, "match"))
            if found.key is not None and not found.absent:  # a service `from` a catalog matches nothing
                yield Problem(found.key.index, "", f"{section}.{key}: there is no container that this matches")


def _unanswered(settings: Settings, lister: Lister, engine: EngineId) -> Iterator[Problem]:
    if is_in_doubt(lister, engine):
        return
    doubtful = names_in_doubt(lister)
    asked = (request for request in _all_requested(settings) if folded(request.name) not in doubtful)
    missing = (request for request in asked if not is_answered(lister, engine, request.name))
    nearest = Nearest(lister, engine)
    for request in missing:
        near = nearest.of(request.name)
        meant = f"; did you mean {near!r}?" if near is not None else ""
        yield Problem(request.index, shown(request.name), f"nothing has this name{meant}")
