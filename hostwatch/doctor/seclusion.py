"""Whether the daemon, or this process in its place, has a network of its own, so that it reaches no other host."""

from hostwatch.hosts import probe
from hostwatch.hosts.lock import Holder


def secluded(holder: Holder | None) -> str | None:
    """Who has a network of its own, for people; `None`: nobody, as far as can be seen."""
    pid = holder.pid if holder is not None and holder.is_hostwatch else None
    if pid is not None and not probe.shares_network(pid):
        return f"the daemon (process {pid})"
    if probe.in_container() and not probe.has_network():
        return f"the daemon (process {pid})" if pid is not None else "hostwatch"
    return None
