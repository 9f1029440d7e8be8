"""Whether hostwatch sees the nameservers of the host, if a subscriber asks for them."""

from collections.abc import Iterator

from hostwatch.core.host_resolver import HostResolver
from hostwatch.doctor.evidence import Evidence
from hostwatch.doctor.finding import Finding, fine, note, problem
from hostwatch.hosts.host_resolver import MOUNTED, Place, is_single_mount, place_here

_PAGE = "docs/how-to/resolv.md has more"


def host_resolver(evidence: Evidence) -> Iterator[Finding]:
    """The nameservers of the host, or why there is none."""
    if evidence.store.asks_host_resolver and evidence.store.host_resolver is not None:
        yield from of_resolver(evidence.store.host_resolver, place_here())


def of_resolver(found: HostResolver, place: Place | None) -> Iterator[Finding]:
    """The findings of what was found at a place; `None`: this is a container that sees no file of the host."""
    if found.fault is not None:
        yield problem(f"`nameserver host`: {found.fault}", _remedy(place))
    else:
        yield fine(f"nameservers of the host: {', '.join(map(str, found.nameservers))}")
    if place is not None and is_single_mount(place):
        what = f"{place.file} is mounted by itself: a file that is renamed to its place on the host is not seen here"
        yield note(what, "mount its directory, as config/compose.resolv.yaml does")


def _remedy(place: Place | None) -> str:
    if place is None:
        return f"add config/compose.resolv.yaml, or mount the directory of the host's file at {MOUNTED.file.parent}"
    if place == MOUNTED:
        return f"mount the directory of the file with the host's own upstream servers there; {_PAGE}"
    return f"write the address of a server in the place of `host`, one that containers reach; {_PAGE}"
