"""Private, real servers of etcd and ZooKeeper, for tests, benchmarks and people. See README.md."""

from tests.servers.etcd import ETCDS, Etcd, EtcdNode, User, etcd, make_etcd
from tests.servers.server import Server, ServerError
from tests.servers.zookeeper import ZOOKEEPERS, ZooKeeper, zookeeper

__all__ = [
    "ETCDS",
    "ZOOKEEPERS",
    "Etcd",
    "EtcdNode",
    "Server",
    "ServerError",
    "User",
    "ZooKeeper",
    "etcd",
    "make_etcd",
    "zookeeper",
]
