"""The containers directory as hostwatch sees it: first missing, then another one. The engine has no event for that."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Hostwatch, Lab, eventually, newest_only
from tests.usage import usage

pytestmark = newest_only

ANEW = "is another directory now: it is watched anew"


@pytest.fixture
def seen(lab: Lab) -> Path:
    """The path at which hostwatch looks for the containers, in mounts of its own. It does not exist yet."""
    lab.within = ("unshare", "--mount")
    (lab.directory / "root").mkdir()
    return lab.directory / "root" / "containers"


def linked(lab: Lab, hostwatch: Hostwatch, seen: Path) -> None:  # noqa: ARG001
    """The directory appears."""
    seen.symlink_to(lab.engine.data_root / "containers")


def replaced(lab: Lab, hostwatch: Hostwatch, seen: Path) -> None:
    """The directory replaces another one, by a rename."""
    link = seen.with_name("link")
    linked(lab, hostwatch, link)
    seen.rename(seen.with_name("former"))
    link.rename(seen)


def remade(lab: Lab, hostwatch: Hostwatch, seen: Path) -> None:
    """The parent directory is removed with it, and created again."""
    seen.rmdir()
    seen.parent.rmdir()
    eventually(lambda: "cannot be read (No such file or directory)" in hostwatch.log)
    seen.parent.mkdir()
    linked(lab, hostwatch, seen)


def mounted(lab: Lab, hostwatch: Hostwatch, seen: Path) -> None:
    """The directory is mounted over an empty one."""
    mount = ("mount", "--bind", str(lab.engine.data_root / "containers"), str(seen))
    subprocess.run(["nsenter", "--target", str(hostwatch.process.pid), "--mount", *mount], check=True)


@pytest.mark.parametrize("appear", [linked, replaced, remade, mounted])
def test_a_directory_that_comes_later(lab: Lab, seen: Path, appear: Callable[[Lab, Hostwatch, Path], None]) -> None:
    """All files are then compared and watched. The log says so once."""
    db = lab.run("db", address="10.123.7.1")
    web = lab.run("web", labels={"hostwatch.services": "db"})
    config = lab.configured(f"docker: {{root: {seen.parent}}}\ntiming: {{linger: 0}}\n")
    if appear is not linked:
        seen.mkdir()
    with lab.hostwatch("-c", config) as hostwatch:
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.1"]})
        right = lab.hosts(web)
        lab.hosts_path(web).write_text(right.replace("10.123.7.1", "10.123.7.9"))
        appear(lab, hostwatch, seen)
        eventually(lambda: lab.hosts(web) == right)
        eventually(lambda: ANEW in hostwatch.log)  # a file may be right before, as each access follows the path
        lab.hosts_path(web).write_text(right.replace("10.123.7.1", "10.123.7.9"))
        eventually(lambda: lab.hosts(web) == right)
        late = lab.run("late", "cp /etc/hosts /seen; exec sleep 1000", labels={"hostwatch.services": "db"})
        assert "10.123.7.1      db\n" in lab.first_read(late)
        db.remove(force=True)
        eventually(lambda: "withheld" in lab.hosts(web))
    assert hostwatch.log.count(ANEW) == 1


def test_a_file_on_the_host_that_is_mounted_over(lab: Lab) -> None:
    """There is no event for that. The new file is still found, made right and watched."""
    lab.run("db", address="10.123.7.1")
    lab.within = ("unshare", "--mount")
    etc, other = lab.directory / "etc", lab.directory / "other"
    for place in (etc, other):
        place.mkdir()
        (place / "hosts").write_text("192.0.2.1 foreign\n")
    config = lab.configured(f"subscribers: {{this: {{file: {etc}/hosts, services: [db]}}}}\n")
    with lab.hostwatch("-c", config, ready="this: ") as hostwatch:
        mount = ("mount", "--bind", str(other), str(etc))
        subprocess.run(["nsenter", "--target", str(hostwatch.process.pid), "--mount", *mount], check=True)
        for _ in range(2):
            eventually(lambda: "10.123.7.1      db\n" in (other / "hosts").read_text())
            (other / "hosts").write_text("192.0.2.1 foreign\n")
        eventually(lambda: "10.123.7.1      db\n" in (other / "hosts").read_text())


@pytest.mark.parametrize("how", ["deleted", "moved away"])
def test_a_view_that_cannot_come_back(lab: Lab, seen: Path, how: str) -> None:
    """The mount's source was replaced. hostwatch says so, and ends as a failure, so that it is started anew."""
    source = lab.directory / "source"
    for place in (seen, source):
        place.mkdir()
    lab.within = ("unshare", "--mount", "sh", "-ec", f'mount --bind {source} {seen}; exec "$@"', "sh")
    with lab.hostwatch("-c", lab.configured(f"docker: {{root: {seen.parent}}}")) as hostwatch:
        eventually(lambda: usage(hostwatch.process.pid).watches)
        time.sleep(0.5)  # it has looked once
        source.rename(source.with_name("former")) if how == "moved away" else source.rmdir()
        source.mkdir()
        assert hostwatch.process.wait(10) == 1
    assert f"{seen} was {how} where it is mounted from" in hostwatch.log
