"""Services whose addresses are in a real etcd and a real ZooKeeper, in the files of containers."""

from pathlib import Path

from kazoo.client import KazooClient

from tests.conftest import Lab, eventually, newest_only
from tests.servers import etcd, zookeeper

SERVICES = """\
timing: {{linger: 0}}
services:
  search:
    from: {{zookeeper: "{zookeeper}", path: /nerve/services/search, grace: 1s}}
    names: [search, find.internal]
  billing: {{from: {{etcd: "{etcd}", key: /services/billing}}}}
"""


@newest_only
def test_instances_reach_the_files_and_stay_while_a_catalog_is_away(lab: Lab, tmp_path: Path) -> None:
    """Instances come and go; one that lies in a network of this engine, and one that is a name, are refused."""
    with etcd("3.5", tmp_path / "etcd") as store, zookeeper("3.9", tmp_path / "zookeeper") as server:
        nerve = KazooClient(server.address)
        nerve.start(30)
        nerve.create("/nerve/services/search/host_1", b'{"host": "10.77.0.1", "port": 80}', makepath=True)
        store.put("/services/billing/host:billing:80", "10.77.0.2:8080")
        store.put("/services/billing2/other", "10.77.0.9:80")
        web = lab.run("web", labels={"hostwatch.services": "search, billing"})
        config = lab.configured(SERVICES.format(zookeeper=server.address, etcd=store.urls[0]))
        names = {"search": ["10.77.0.1"], "find.internal": ["10.77.0.1"]}
        with lab.hostwatch("-c", config) as hostwatch:
            eventually(lambda: lab.records(web) == names | {"billing": ["10.77.0.2"]})
            store.put("/services/billing/skydns", '{"host": "10.77.0.3"}')
            store.put("/services/billing/stranger", "10.123.0.77")  # the network of the lab has 10.123.0.0/16
            store.put("/services/billing/name", "billing.example.org:80")
            both = {"billing": ["10.77.0.2", "10.77.0.3"]}
            eventually(lambda: lab.records(web) == names | both)
            eventually(lambda: "/services/billing/name is refused: billing.example.org is a name" in hostwatch.log)
            store.delete("/services/billing/host:billing:80")
            eventually(lambda: lab.records(web) == names | {"billing": ["10.77.0.3"]})
            server.kill()
            store.nodes[0].kill()
            eventually(lambda: hostwatch.log.count("what was known stays") == 2)
            assert lab.records(web) == names | {"billing": ["10.77.0.3"]}
            server.start()
            store.start()
            eventually(lambda: hostwatch.log.count(": it answers") == 4)
            nerve.delete("/nerve/services/search/host_1")
            eventually(lambda: "no instance at all, which is not believed for 1 s" in hostwatch.log)
            assert lab.records(web) == names | {"billing": ["10.77.0.3"]}
            eventually(lambda: lab.records(web) == {"billing": ["10.77.0.3"]})
        nerve.stop()
        nerve.close()
