"""Findings of the doctor for facts that no test can cause here: an old engine, SELinux, sysctls."""

from ipaddress import ip_address
from pathlib import Path

from hostwatch.control.source import EngineInfo
from hostwatch.core.host_resolver import HostResolver
from hostwatch.core.model import EngineId
from hostwatch.docker.connect import Connection
from hostwatch.doctor import of_engine
from hostwatch.doctor.finding import Level
from hostwatch.doctor.host_resolver import of_resolver
from hostwatch.doctor.kernel import of_watches
from hostwatch.doctor.reachability import out_of_sight
from hostwatch.hosts import probe
from hostwatch.hosts.host_resolver import MOUNTED, Place
from hostwatch.hosts.probe import Watched


def test_an_engine_that_is_too_old_is_a_problem() -> None:
    """19.03 and older do not run on a present machine."""

    def level(version: str, api: str) -> Level:
        return of_engine(EngineInfo(EngineId("x"), version, api, Path("/")), Connection("x", "x")).level

    assert level("19.03.15", "1.40") is Level.PROBLEM
    assert level("1.13.1", "1.9") is Level.PROBLEM
    assert level("20.10.24", "1.41") is Level.OK
    assert level("29.0.0", "1.52") is Level.OK


def test_files_out_of_sight_are_a_limit_if_exec_may_write_them() -> None:
    """A subscriber without `writer: path` is served through `docker exec`, later."""
    assert out_of_sight("nothing to see", "mount it", path_only=True).level is Level.PROBLEM
    assert "docker exec" in out_of_sight("nothing to see", "mount it", path_only=False).what
    assert out_of_sight("nothing to see", "mount it", path_only=False).level is Level.NOTE


def test_few_spare_inotify_watches_are_a_note() -> None:
    """They are enough now, but not for twice as many containers."""
    assert of_watches(Watched(requested=100, granted=100, instance=True), 199).level is Level.NOTE
    assert of_watches(Watched(requested=100, granted=100, instance=True), 200).level is Level.OK
    assert of_watches(Watched(requested=100, granted=100, instance=True), None).level is Level.OK


def test_selinux_counts_if_it_enforces_and_confines(tmp_path: Path) -> None:
    """Read from the kernel's files, in their form on a machine with SELinux."""
    for directory in ("sys/fs/selinux", "proc/self/attr"):
        (tmp_path / directory).mkdir(parents=True)
    assert probe.confinement(tmp_path) is None
    enforce, current = tmp_path / "sys/fs/selinux/enforce", tmp_path / "proc/self/attr/current"
    enforce.write_text("1")
    current.write_text("system_u:system_r:container_t:s0:c1,c2\0")
    assert probe.confinement(tmp_path) == "system_u:system_r:container_t:s0:c1,c2"
    current.write_text("system_u:system_r:spc_t:s0\0")
    assert probe.confinement(tmp_path) is None
    current.write_text("system_u:system_r:container_t:s0:c1,c2\0")
    enforce.write_text("0")
    assert probe.confinement(tmp_path) is None


def test_nameservers_of_the_host_that_cannot_be_had() -> None:
    """In a container the host's file is mounted; elsewhere a server must be named."""
    unknown = HostResolver(fault="the host uses only loopback nameservers (127.0.0.53)")
    [in_container] = of_resolver(unknown, None)
    assert (in_container.level, "config/compose.resolv.yaml" in in_container.remedy) == (Level.PROBLEM, True)
    for place, remedy in ((MOUNTED, "upstream servers"), (Place(Path("/nowhere/resolv.conf")), "address of a server")):
        [found] = of_resolver(unknown, place)
        assert (found.level, remedy in found.remedy) == (Level.PROBLEM, True)
    [found] = of_resolver(HostResolver((ip_address("192.0.2.1"),)), Place(Path("/nowhere/resolv.conf")))
    assert (found.level, found.what) == (Level.OK, "nameservers of the host: 192.0.2.1")
