"""One host alone pays nothing for several: not even the import of what they need."""

import subprocess
import sys

LOADED = "import sys; import hostwatch.app; print(*sys.modules)"
FOR_SEVERAL = ("aiohttp", "hostwatch.etcd", "hostwatch.control.cluster", "hostwatch.core.cluster.values", "kazoo")


def test_nothing_of_a_cluster_is_loaded() -> None:
    """Before a configuration names one."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=60, check=True)
    loaded = done.stdout.split()
    assert "hostwatch.cluster_member" in loaded
    assert [name for name in loaded if name.startswith(FOR_SEVERAL)] == []
