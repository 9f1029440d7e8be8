"""Several hosts on one machine: engines in network namespaces on a switch, as a swarm or routed. See README.md."""

from tests.hosts_lab.host import Host
from tests.hosts_lab.laboratory import Kind, Laboratory, laboratory
from tests.hosts_lab.switch import Switch

__all__ = ["Host", "Kind", "Laboratory", "Switch", "laboratory"]
