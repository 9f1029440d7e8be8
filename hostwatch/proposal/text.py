"""The text of a first configuration: every entry is commented out, and says what it would do.

An entry is a run of lines whose third character is the `#` that hides it. Without that character the lines are YAML,
and what is behind a `#` of its own explains. So the text is valid as it is, and with any of its entries.
"""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

import yaml

from hostwatch.core.names import shown
from hostwatch.core.store.store import Store
from hostwatch.proposal.effects import Effect, effects
from hostwatch.proposal.entries import SERVICES, SUBSCRIBERS, Chapter, Entry, host_file, services, subscribers
from hostwatch.proposal.groups import Running, running

WIDTH = 120
HIDDEN = "  #"
"""The beginning of each line of an entry."""
_MOST_LINES = 6
"""Lines of a file that are shown; the rest is like them."""
_MOST_NAMES = 10
_HEAD = """\
The configuration of hostwatch, proposed by `hostwatch init` for what runs here: {what}.
#
# It does nothing yet, as every entry is commented out. To take one, remove the # at the beginning of each of its lines.
# Then
#   hostwatch check    finds mistakes in this file;
#   hostwatch plan     shows what would be written, and writes nothing.
# A hostwatch that runs takes it on with `systemctl reload hostwatch`, or SIGHUP. `hostwatch schema` has every key.
"""
_SERVICES = """\
A service is a name for containers, which others may ask for. Names of containers, Compose services and aliases need no
entry. With one, no other container can take the name, and `names: [db, mysql.internal]` gives more of them."""
_SUBSCRIBERS = """\
A subscriber is a container whose /etc/hosts is kept: it gets a line for each of its services, which follows their
containers. On a network of your own Docker's DNS answers such names, too. The lines are for what that leaves out: the
default network, other names, programs that ask once and never again, and the files of the host."""
_NOTHING = "Nothing runs here that could be proposed; start containers, and run `hostwatch init --stdout` again."


@dataclass(frozen=True, slots=True)
class Place:
    """Where the containers run."""

    version: str
    address: str


def configuration(store: Store, place: Place) -> str:
    """The text for what a store has. The store has the rules of the proposal then."""
    found = running(store)
    of_services, of_subscribers = services(store, found), subscribers(found)
    of_host = Chapter("The hosts file of this machine", "", (host_file(),))
    everyone = chain.from_iterable(chapter.entries for chapter in (*of_services, *of_subscribers, of_host))
    known = effects(store, everyone)
    parts = [
        _head(found, place),
        f"\n{SERVICES}:\n",
        *_section(_SERVICES, of_services, {}),
        f"\n{SUBSCRIBERS}:\n",
        *_section(_SUBSCRIBERS, (*of_subscribers, of_host), known),
    ]
    return "".join(parts)


def _head(found: Running, place: Place) -> str:
    count = f"{found.count} container{'s' * (found.count != 1)}"
    what = f"{count}, engine {shown(place.version)} at {shown(place.address)}"
    first, _, rest = _HEAD.partition("\n")
    paragraphs = [_comment(first.format(what=what), "") + rest]
    if found.subscribed:
        names = ", ".join(map(shown, found.subscribed[:_MOST_NAMES]))
        names += ", ..." * (len(found.subscribed) > _MOST_NAMES)
        paragraphs.append(_comment(f"Subscribers already, by labels or the present configuration: {names}.", ""))
    if found.left_out:
        told = f'{found.left_out} more containers are left out here; a glob such as `name: "web-*"` means many at once.'
        paragraphs.append(_comment(told, ""))
    return "#\n".join(paragraphs)


def _section(words: str, chapters: Iterable[Chapter], known: Mapping[str, Effect]) -> Iterator[str]:
    yield _comment(words)
    found = [*chapters]
    if not found:
        yield f"\n{_comment(_NOTHING)}"
    for chapter in found:
        yield f"\n{_comment(f'--- {chapter.title}')}"
        yield _comment(chapter.note)
        for name in chapter.left_out:
            yield _comment(f"{shown(name)} is left out: another container has this name, too, and would lose it.")
        for entry in chapter.entries:
            yield "".join(f"{HIDDEN}{line}\n" for line in _lines(entry, known.get(entry.key)))


def _comment(words: str, indent: str = "  ") -> str:
    """The words as lines of comment, folded between words."""
    lines = textwrap.wrap(
        " ".join(words.split()), WIDTH - len(indent) - 2, break_long_words=False, break_on_hyphens=False
    )
    return "".join(f"{indent}# {line}\n" for line in lines)


def _lines(entry: Entry, effect: Effect | None) -> Iterator[str]:
    """The lines of an entry, without what hides them."""
    yield f"{_yaml(entry.key, None).removesuffix(' null')}"
    for key, value in entry.content.items():
        *others, last = _yaml(key, value).split("\n")
        note = entry.notes.get(key)
        explained = f"  {last}  # {note}"
        if note is not None and len(HIDDEN + explained) > WIDTH:
            yield from (f"  {line}" for line in _comment(note, "").splitlines())
            note = None
        yield from (f"  {line}" for line in others)
        yield f"  {last}" if note is None else explained
    if effect is not None:
        yield from (f"  # {line}" for line in _told(effect))


def _yaml(key: str, value: object) -> str:
    """`KEY: VALUE` in a line, or in several ones for a long list."""
    text = yaml.safe_dump({key: value}, default_flow_style=True, width=WIDTH - 16)
    return text.strip()[1:-1].replace("\n", "\n  ")


def _told(effect: Effect) -> Iterator[str]:
    if not effect.lines:
        yield f"{shown(effect.file)} would have no line now"
        return
    yield f"{shown(effect.file)}{'' if effect.file.startswith('/') else ':/etc/hosts'} would have now:"
    yield from (f"  {shown(line, WIDTH - 12)}" for line in effect.lines[:_MOST_LINES])
    if (more := len(effect.lines) - _MOST_LINES) > 0:
        yield f"  and {more} more lines"
    if effect.others:
        yield f"and {effect.others} more in the same way"
