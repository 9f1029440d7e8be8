"""What is loaded at the start: one host alone pays for no client of other hosts."""

import subprocess
import sys

LOADED = """
import sys, hostwatch.app, hostwatch.catalog_clients
clients = "aiohttp", "kazoo", "hostwatch.catalogs", "hostwatch.etcd"
print(*(name for name in sys.modules if any(name == each or name.startswith(f"{each}.") for each in clients)))
"""


def test_one_host_alone_loads_no_client_of_other_hosts() -> None:
    """Neither libraries nor packages of our own that speak to a store or a catalog."""
    assert subprocess.check_output([sys.executable, "-c", LOADED], text=True) == "\n"
