"""Whether `advertise: auto` finds this host's own addresses, and whether the daemon that runs follows them."""

from collections.abc import Iterator
from contextlib import closing

from hostwatch.config.settings import Settings
from hostwatch.core.model import Address, HostAddresses
from hostwatch.core.names import told
from hostwatch.core.rules import AUTO
from hostwatch.doctor.evidence import Evidence
from hostwatch.doctor.finding import Finding, fine, note, problem
from hostwatch.doctor.seclusion import secluded
from hostwatch.drop_ins import opening
from hostwatch.hosts import probe
from hostwatch.network.routes import Routes

_SANDBOX = f"use {opening('advertise')}; or write an address as `advertise`"
_NO_ROUTE = "give this host one (`ip route`), or write an address as `advertise`"


def advertising(settings: Settings, evidence: Evidence | None) -> Iterator[Finding]:
    """The findings; none unless the configuration says `auto`."""
    if settings.advertise != AUTO:
        return
    holder = evidence.holder if evidence is not None else None
    pid = holder.pid if holder is not None and holder.is_hostwatch else None
    if (who := secluded(holder)) is not None:
        yield problem(f"advertise: auto: {who} has a network of its own, and does not see this host's routes", _SANDBOX)
        return
    try:
        with closing(Routes()) as routes:
            found = routes.found()
    except OSError as error:
        yield problem(f"advertise: auto: netlink is not allowed here ({error.strerror})", _SANDBOX)
        return
    yield of_addresses(found, evidence)
    if pid is not None and not probe.has_netlink(pid):
        what = f"advertise: auto: the daemon (process {pid}) does not follow this host's routes"
        yield problem(what, f"reload it, if the setting is new; if its sandbox keeps it from that, {_SANDBOX}")


def of_addresses(found: HostAddresses, evidence: Evidence | None) -> Finding:
    """The finding for the addresses that the kernel tells."""
    own = [address for address in (found.ipv4, found.ipv6) if address is not None]
    if not own:
        what = "advertise: auto: this host has no default route; lines with PublicIp are withheld"
        return note(what, _NO_ROUTE)
    for address in own:
        if (name := _container_at(evidence, address)) is not None:
            what = f"advertise: auto: {address} is the address of the container {told(name)}, not this host's"
            return problem(f"{what}: hostwatch has a network of its own", _SANDBOX)
    return fine(f"advertise: auto: this host's address to others is {' and '.join(map(str, own))}")


def _container_at(evidence: Evidence | None, address: Address) -> str | None:
    """The name of the container with this address."""
    if evidence is None:
        return None
    holders = evidence.store.holders(evidence.engine.id, address)
    return next((found.name for key in holders if (found := evidence.store.container(key)) is not None), None)
