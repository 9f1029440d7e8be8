"""What is heard of other hosts, above all by the daemon: its sandbox may keep from it what this command reaches."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hostwatch.doctor.evidence import Evidence
from hostwatch.doctor.finding import Finding, fine, problem
from hostwatch.hosts.run_directory import RUN
from hostwatch.http.client import NoDaemonError, RefusedError, client_for

_SANDBOX = (
    "if it is reached from here, the daemon's sandbox is in the way: `IPAddressAllow` of"
    " config/hostwatch.service.d/cluster.conf needs the servers"
)


def sources(evidence: Evidence, directory: Path = RUN) -> Iterator[Finding]:
    """The findings about these sources: what the daemon says, and without one, what this command heard itself."""
    told = _told(evidence, directory)
    found = list(of_sources(told or (), f"the daemon (process {evidence.holder.pid})" if evidence.holder else ""))
    yield from found
    lost = {source["source"] for source in told or () if source["up"] is False}
    for name, state in evidence.heard.items():
        if state.is_up and name not in lost:
            yield fine(f"{name}: the swarm's gossip is heard; it tells of addresses: {state.endpoints}")
        elif told is None:
            what, _, remedy = state.fault.partition("; ")
            yield problem(f"{name}: {what}", remedy)


def _told(evidence: Evidence, directory: Path) -> list[Mapping[str, Any]] | None:
    """What the daemon says of each source; `None` if no daemon can be asked."""
    client = client_for(directory, evidence.engine.id)
    if client is None or evidence.holder is None or not evidence.holder.is_hostwatch:
        return None
    try:
        found: list[Mapping[str, Any]] | None = client.get("/api/v1/state").get("sources")
    except (NoDaemonError, RefusedError):
        return None  # it has just ended, or waits in standby
    return found


def of_sources(sources: Iterable[Mapping[str, Any]], who: str) -> Iterator[Finding]:
    """The findings of what a daemon says."""
    for source in sources:
        if source["up"] is False:
            what, _, remedy = (source["fault"] or "no answer").partition("; ")
            remedies = [remedy, "" if source["kind"] == "overlay" else _SANDBOX]
            yield problem(f"{source['source']}: {who} does not hear it: {what}", "; ".join(filter(None, remedies)))
