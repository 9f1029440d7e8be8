"""Whether the shared store can be used from here, and whether hosts reach what is published to it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import anyio

from hostwatch.cluster_member import store_address
from hostwatch.config.cluster import ClusterSettings
from hostwatch.config.settings import Settings
from hostwatch.control.key_values import Entry, StoreAddress, StoreError
from hostwatch.core.cluster.values import NODES, SERVICES, BadValueError, node_name, parsed_node
from hostwatch.core.names import told
from hostwatch.doctor.evidence import Evidence
from hostwatch.doctor.finding import Finding, fine, problem, warning
from hostwatch.doctor.routing import dropped, is_beside, unrouted
from hostwatch.doctor.seclusion import secluded
from hostwatch.drop_ins import opening
from hostwatch.etcd.store import EtcdStore
from hostwatch.hosts import probe

_SECONDS = 5.0
"""Time for each server of the store, and for each question."""
_LOOK = "look whether etcd runs there, and at routes and firewalls on the way"


def cluster(settings: Settings, evidence: Evidence | None) -> Iterator[Finding]:
    """The findings; none without `cluster`."""
    if settings.cluster is None:
        return
    if (who := secluded(evidence.holder if evidence is not None else None)) is not None:
        yield problem(
            f"cluster: {who} has a network of its own, without a way to the store", f"use {opening('cluster')}"
        )
        return
    findings, entries = anyio.run(_asked, settings.cluster, _own_node(settings.cluster, evidence))
    yield from findings
    prefix = settings.cluster.prefix
    yield from of_nodes(settings.cluster, evidence, [entry for entry in entries if _is_node(prefix, entry)])
    yield from unrouted(_own_node(settings.cluster, evidence), prefix, entries)
    if evidence is not None:
        rules = probe.raw_rules() if is_beside(evidence) else None
        yield from dropped(settings.cluster.publish, evidence, rules)


def _is_node(prefix: str, entry: Entry) -> bool:
    return entry.key.startswith(f"{prefix}{NODES}")


def _own_node(settings: ClusterSettings, evidence: Evidence | None) -> str | None:
    return settings.node or (evidence.engine.name if evidence is not None else None)


async def _asked(settings: ClusterSettings, node: str | None) -> tuple[list[Finding], tuple[Entry, ...]]:
    """The findings of all servers, and what one of them has below the prefix."""
    faults, entries = list[str](), dict[str, tuple[Entry, ...]]()
    address = store_address(settings)
    for server in address.endpoints:
        found = await _listed(replace(address, endpoints=(server,)), settings.prefix)
        if isinstance(found, str):
            faults.append(found)
        else:
            entries[server] = found
    findings = [_of_fault(fault, others=bool(entries)) for fault in dict.fromkeys(faults)]
    if not entries:
        return findings, ()
    findings.append(fine(f"cluster: {' and '.join(entries)} answer{'s' if len(entries) == 1 else ''}"))
    if node is not None:
        # The user may be one who writes the keys of this host alone.
        key = f"{settings.prefix}{NODES}{node}"
        if (fault := await _unwritable(replace(address, endpoints=tuple(entries)), key)) is not None:
            findings.append(_of_fault(fault, others=False))
    return findings, next(iter(entries.values()))


async def _listed(address: StoreAddress, prefix: str) -> tuple[Entry, ...] | str:
    """What a server has below the prefix, or why it does not tell."""
    store = EtcdStore(address)
    try:
        with anyio.fail_after(_SECONDS):
            nodes = await store.listed(f"{prefix}{NODES}")
            return (*nodes, *await store.listed(f"{prefix}{SERVICES}"))
    except StoreError as error:
        return str(error)
    except TimeoutError:
        return f"{address.endpoints[0]} did not answer in time ({_SECONDS:.0f} s); {_LOOK}"
    finally:
        await store.aclose()


async def _unwritable(address: StoreAddress, key: str) -> str | None:
    """Why this host may not write its key; `None` if it may. Nothing is written."""
    store = EtcdStore(address)
    try:
        with anyio.fail_after(_SECONDS):
            await store.check_writable(key)
    except StoreError as error:
        what, separator, remedy = str(error).partition("; ")
        return f"no name of this host can be published, as {key} cannot be written: {what}{separator}{remedy}"
    except TimeoutError:
        return f"the store did not answer in time ({_SECONDS:.0f} s); {_LOOK}"
    finally:
        await store.aclose()
    return None


def _of_fault(fault: str, *, others: bool) -> Finding:
    what, _, remedy = fault.partition("; ")
    if others:
        return warning(f"cluster: {what}; its other servers are asked", remedy or _LOOK)
    return problem(f"cluster: {what}", remedy or _LOOK)


def of_nodes(settings: ClusterSettings, evidence: Evidence | None, nodes: Iterable[Entry]) -> Iterator[Finding]:
    """The other hosts, and whether one of another engine has this one's name."""
    own, others = _own_node(settings, evidence), list[str]()
    for entry in nodes:
        name = node_name(entry.key.removeprefix(settings.prefix))
        if name is not None and name != own:
            others.append(name)
        elif name is not None and evidence is not None:
            yield from _of_name(name, entry, evidence)
    if others:
        yield fine(f"cluster: other hosts are {told(', '.join(sorted(others)))}")


def _of_name(name: str, entry: Entry, evidence: Evidence) -> Iterator[Finding]:
    try:
        node = parsed_node(entry.value)
    except BadValueError as error:
        remedy = f"delete it with `etcdctl del {told(entry.key)}`, if it is nobody's"
        yield problem(f"cluster: what is at {told(entry.key)} is no host's ({error})", remedy)
        return
    if node.engine != evidence.engine.id:
        what = f"cluster: the name {told(name)} belongs to the host with the engine {told(node.engine)}"
        yield problem(
            what, "give each host a `cluster.node` of its own; the name is free once that host's lease ran out"
        )
