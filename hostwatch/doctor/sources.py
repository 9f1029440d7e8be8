"""What the daemon that runs says of other hosts: its sandbox may keep from it what this command reaches."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hostwatch.doctor.evidence import Evidence
from hostwatch.doctor.finding import Finding, problem
from hostwatch.hosts.lock import RUN
from hostwatch.http.client import NoDaemonError, RefusedError, client_for

_SANDBOX = (
    "if it is reached from here, the daemon's sandbox is in the way: `IPAddressAllow` of"
    " config/hostwatch.service.d/cluster.conf needs the servers"
)


def of_daemon(evidence: Evidence, directory: Path = RUN) -> Iterator[Finding]:
    """The sources of names on other hosts that the daemon does not hear; none if no daemon can be asked."""
    client = client_for(directory, evidence.engine.id)
    if client is None or evidence.holder is None or not evidence.holder.is_hostwatch:
        return
    try:
        state = client.get("/api/v1/state")
    except (NoDaemonError, RefusedError):
        return  # it has just ended, or waits in standby
    yield from of_sources(state.get("sources", ()), f"the daemon (process {evidence.holder.pid})")


def of_sources(sources: Iterable[Mapping[str, Any]], who: str) -> Iterator[Finding]:
    """The findings of what a daemon says."""
    for source in sources:
        if source["up"] is False:
            what, _, remedy = (source["fault"] or "no answer").partition("; ")
            remedies = [remedy, "" if source["kind"] == "overlay" else _SANDBOX]
            yield problem(f"{source['source']}: {who} does not hear it: {what}", "; ".join(filter(None, remedies)))
