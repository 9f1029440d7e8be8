"""What the doctor makes of facts that no test can bring about here: an engine of another age, SELinux, sysctls."""

from pathlib import Path

from hostwatch.control.source import EngineInfo
from hostwatch.core.model import EngineId
from hostwatch.docker.connect import Connection
from hostwatch.doctor import of_engine
from hostwatch.doctor.access import out_of_sight
from hostwatch.doctor.finding import Level
from hostwatch.doctor.kernel import of_watches
from hostwatch.hosts import probe
from hostwatch.hosts.probe import Watched


def test_an_engine_that_is_too_old_is_a_problem() -> None:
    """19.03 and older; no such engine runs on a machine of today."""

    def level(version: str, api: str) -> Level:
        return of_engine(EngineInfo(EngineId("x"), version, api, Path("/")), Connection("x", "x")).level

    assert level("19.03.15", "1.40") is Level.PROBLEM
    assert level("1.13.1", "1.9") is Level.PROBLEM
    assert level("20.10.24", "1.41") is Level.OK
    assert level("29.0.0", "1.52") is Level.OK


def test_what_is_out_of_sight_is_a_limit_where_there_is_another_way() -> None:
    """Whoever does not insist on the path is served through `docker exec`, later."""
    assert out_of_sight("nothing to see", "mount it", path_only=True).level is Level.PROBLEM
    assert "docker exec" in out_of_sight("nothing to see", "mount it", path_only=False).what
    assert out_of_sight("nothing to see", "mount it", path_only=False).level is Level.NOTE


def test_few_spare_inotify_watches_are_a_note() -> None:
    """They are all there now, and will not be when as many containers come again."""
    assert of_watches(Watched(requested=100, granted=100, instance=True), 199).level is Level.NOTE
    assert of_watches(Watched(requested=100, granted=100, instance=True), 200).level is Level.OK
    assert of_watches(Watched(requested=100, granted=100, instance=True), None).level is Level.OK


def test_selinux_counts_where_it_enforces_and_confines(tmp_path: Path) -> None:
    """Read from the kernel's files; in the form that they have on a machine with SELinux."""
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
