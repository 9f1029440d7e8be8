"""What is heard of other hosts, above all by the daemon: its sandbox may keep from it what this command reaches."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hostwatch.doctor.evidence import Evidence
from hostwatch.doctor.finding import Finding, fine, problem
from hostwatch.doctor.told import Told
from hostwatch.drop_ins import drop_in

_SANDBOX = (
    "if it is reached from here, the daemon's sandbox is in the way: `IPAddressAllow` of"
    f" {drop_in('cluster.conf')} needs the servers"
)


def sources(evidence: Evidence, told: Told | None) -> Iterator[Finding]:
    """The findings about these sources: what the daemon says, and without one, what this command heard itself."""
    said = told.state.get("sources") if told is not None else None  # an earlier version tells none
    yield from of_sources(said or (), told.who if told is not None else "")
    lost = {source["source"] for source in said or () if source["up"] is False}
    for name, state in evidence.heard.items():
        if state.is_up and name not in lost:
            yield fine(f"{name}: the swarm's gossip is heard; it tells of addresses: {state.endpoints}")
        elif said is None:
            what, _, remedy = state.fault.partition("; ")
            yield problem(f"{name}: {what}", remedy)


def of_sources(sources: Iterable[Mapping[str, Any]], who: str) -> Iterator[Finding]:
    """The findings of what a daemon says."""
    for source in sources:
        if source["up"] is False:
            what, _, remedy = (source["fault"] or "no answer").partition("; ")
            remedies = [remedy, "" if source["kind"] == "overlay" else _SANDBOX]
            yield problem(f"{source['source']}: {who} does not hear it: {what}", "; ".join(filter(None, remedies)))
