"""A laboratory to try things in: with an etcd on its switch, and a hostwatch on each host."""

from collections.abc import Sequence

from tests.hosts_lab.host import Host
from tests.hosts_lab.laboratory import ROUTED, Kind, Laboratory, begin
from tests.hosts_lab.switch import ADDRESS
from tests.servers.etcd import Etcd, make_etcd


def start(kind: Kind, name: str, versions: Sequence[str], version: str | None) -> None:
    """Start it all, and say where it is."""
    lab = begin(kind, name, versions)
    try:
        store = _start_etcd(lab, version or "3.5") if version or kind == "routed" else None
        for host in lab.hosts:
            host.start_hostwatch(cluster(host, store) if store else "")
            print(f"host {host.name}: {host.address}, engine {host.engine.version} at {host.engine.docker_host}")
            print(f"    hostwatch logs to {host.hostwatch.log}, with {host.configuration}")
    except BaseException:
        lab.stop()
        raise
    if store:
        print(f"etcd: {store.urls[0]}, as seen from each host")


def cluster(host: Host, store: Etcd) -> str:
    """The configuration for a host that tells all its services to the store."""
    return (
        "cluster:\n"
        f"  etcd: {store.urls}\n"
        f"  node: host-{host.name}\n"
        f'  publish: {{services: "*", networks: [{ROUTED}]}}\n'
    )


def _start_etcd(lab: Laboratory, version: str) -> Etcd:
    store = make_etcd(version, lab.directory / "etcd", address=ADDRESS, namespace=lab.switch.namespace)
    store.start()
    return store
