"""The Debian packages: installed, upgraded, removed and purged on fresh Debian machines, beside a real engine.

Debian and its dpkg, apt and systemd are real. Only the kernel is this machine's.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Lab, eventually, newest_only
from tests.debian import SUITES, Debian, debian, package
from tests.engine import fetch

DOCKER = dict(zip(SUITES, ("20.10", "26.1", "28.5"), strict=True))
"""The version of the docker command that each release of Debian has."""
NAME = "hostwatch"
PLACES = (
    *("usr/bin/hostwatch", "usr/libexec/docker/cli-plugins/docker-hostwatch", "usr/share/man/man1/hostwatch.1.gz"),
    *("usr/share/bash-completion/completions/hostwatch", "usr/share/zsh/vendor-completions/_hostwatch"),
    *("usr/share/fish/vendor_completions.d/hostwatch.fish", "usr/lib/systemd/system/hostwatch.service"),
    *("etc/hostwatch/hostwatch.yaml", "usr/share/doc/hostwatch/copyright"),
)
OF_0_1 = "# mine\nservices: {db: {match: {name: db}, names: [db, mysql.internal]}}\ntiming: {linger: 1s}\n"
LOGGED = "log: {file: /var/log/hostwatch/hostwatch.log}\nlabels: false\nhttp: {listen: '127.0.0.1:9464'}\n"
UNKNOWN = OF_0_1 + "colour: blue\n"


def older(newer: Path, directory: Path) -> Path:
    """The package under an older number."""
    tree = directory / "older"
    subprocess.run(["dpkg-deb", "--raw-extract", newer, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub("(?m)^Version: .*", "Version: 0.1.9-1", control.read_text()))
    made = directory / "hostwatch_0.1.9-1_amd64.deb"
    subprocess.run(["dpkg-deb", "-Znone", "--root-owner-group", "--build", tree, made], check=True, capture_output=True)
    shutil.rmtree(tree)
    return made


@newest_only
@pytest.mark.parametrize("suite", SUITES)
def test_a_package_from_its_installation_to_its_purge(lab: Lab, built: Path, tmp_path: Path, suite: str) -> None:
    """One command installs, one starts; an upgrade keeps what was written, and nothing is left in the end."""
    lab.run("db", address="10.123.7.1")
    web = lab.run("web", labels={"hostwatch.services": "db"})
    with debian(suite, lab.engine, tmp_path) as machine:
        shutil.copy(fetch(DOCKER[suite]) / "usr/bin/docker", machine.root / "usr/bin")
        new, old = machine.put(package(built, suite)), machine.put(older(package(built, suite), tmp_path))
        before = machine.files()

        assert "start it with: systemctl enable --now hostwatch" in machine.apt("install", old)
        assert_complete(machine)
        own = machine.shell(f"dpkg --listfiles {NAME}").splitlines()
        before |= machine.files().difference(own)  # Python is installed, too, and stays
        assert machine.show("ActiveState", "UnitFileState") == ["inactive", "disabled"]
        machine.shell("systemctl enable --now hostwatch")
        assert lab.records(web) == {"db": ["10.123.7.1"]}
        assert "web" in machine.shell("docker hostwatch status")

        assert not (machine.root / "usr/bin/kill").exists()  # procps is not in every Debian
        machine.config.write_text(LOGGED)
        machine.shell("systemctl reload hostwatch")
        log = machine.root / "var/log/hostwatch/hostwatch.log"
        eventually(lambda: log.exists() and "web: db 10.123.7.1 → -" in log.read_text())
        assert lab.records(web) == {}
        drop_in = "usr/share/doc/hostwatch/examples/hostwatch.service.d/http.conf"
        eventually(lambda: f"with the drop-in /{drop_in}" in log.read_text())
        assert (machine.root / drop_in).is_file()
        assert (log.stat().st_mode & 0o777, log.parent.stat().st_mode & 0o777) == (0o600, 0o750)

        pid = machine.show("MainPID")
        machine.config.write_text(OF_0_1)
        assert "hostwatch:" not in machine.apt("install", new)
        assert machine.config.read_text() == OF_0_1
        assert machine.state == "active"
        assert machine.show("MainPID") != pid
        assert machine.shell("hostwatch --version").startswith("hostwatch 0.")
        eventually(lambda: lab.records(web).keys() == {"db", "mysql.internal"})

        machine.config.write_text(UNKNOWN)
        said = machine.apt("install", "--reinstall", new)
        assert "does not start until this is corrected" in said
        assert "hostwatch.yaml:4:1: unknown key" in said
        assert "hostwatch.yaml:4:1: unknown key" in machine.log
        machine.config.write_text(OF_0_1)
        eventually(lambda: machine.state == "active")

        machine.apt("remove", NAME)
        assert lab.block(web) == []
        assert machine.config.read_text() == OF_0_1
        assert not (machine.root / "opt/hostwatch").exists()
        machine.apt("install", new)
        assert machine.state == "active"
        assert lab.records(web).keys() == {"db", "mysql.internal"}

        machine.apt("purge", NAME)
        assert lab.block(web) == []
        assert_nothing_left(machine, before)


def assert_complete(machine: Debian) -> None:
    """Check that all is where it is looked for, and no more."""
    files = machine.files()
    assert not {f"/{place}" for place in PLACES} - files
    program = {file for file in files if file.startswith("/opt/hostwatch/")}
    assert not [file for file in program if re.search(r"/(pip|setuptools|tests?)(/|$)", file)]
    assert int(machine.shell("du --summarize --block-size=1M /opt/hostwatch").split()[0]) < 60
    uncompiled = {Path(file).stem for file in program if file.endswith(".py")}
    assert not uncompiled - {Path(file).name.split(".")[0] for file in program if file.endswith(".pyc")}
    assert machine.shell(f"dpkg --verify {NAME}") == ""
    assert "valid" in machine.shell("hostwatch check")


def assert_nothing_left(machine: Debian, before: set[str]) -> None:
    """Check that a machine has the files that it had."""
    assert machine.files() ^ before == set()
    assert machine.show("LoadState") == ["not-found"]


def test_lintian_finds_no_error(built: Path, tmp_path: Path) -> None:
    """What is one on purpose has its reason in release/debian/lintian-overrides. The three differ by their Python."""
    with debian("forky", None, tmp_path, ["lintian"]) as machine:
        checked = machine.put(package(built, "trixie"))
        assert "E:" not in machine.shell(f"lintian --allow-root --fail-on error {checked}", seconds=300)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    """A Debian with Python, without Docker."""
    with debian("trixie", None, tmp_path_factory.mktemp("bare")) as machine:
        machine.apt("install", "python3.13")
        yield machine


@pytest.fixture
def deb(bare: Debian, built: Path) -> Iterator[str]:
    """The package, in a machine that has everything else that it needs. It must go again without a trace."""
    before = bare.files()
    yield bare.put(package(built, "trixie"))
    bare.shell(f"dpkg --purge {NAME}")
    assert_nothing_left(bare, before)


def test_without_docker_it_waits(bare: Debian, deb: str) -> None:
    """Who installs it before Docker is told so, and the service tries again until Docker is there."""
    assert "there is no /var/lib/docker. The service waits until Docker has made it" in bare.apt("install", deb)
    bare.shell("systemctl start hostwatch", 1)
    assert bare.state == "activating"
    assert "start the engine (systemctl start docker)" in bare.shell("hostwatch doctor", None)
    bare.config.write_text("subscribers: {this-host: {file: /etc/hosts, services: [db]}}\n")
    bare.shell("printf '# hostwatch: begin\\n192.0.2.1 db\\n# hostwatch: end\\n' >>/etc/hosts")
    said = bare.apt("remove", NAME)
    assert "its lines stay in the files of the containers" in said
    assert "no engine at unix:///var/run/docker.sock: there is no such socket\n" in said
    assert "start the engine, install this package again and remove it again" in said
    assert "hostwatch" not in bare.shell("cat /etc/hosts")
    assert not (bare.root / "run/hostwatch").exists()


def test_without_systemd_it_is_run_by_hand(bare: Debian, deb: str) -> None:
    """As in a chroot or in a container."""
    without = "unshare --mount sh -ec 'mount -t tmpfs none /run/systemd; dpkg {} "
    assert "there is no systemd here. Start it with: hostwatch run" in bare.shell(without.format(f"--install {deb}'"))
    bare.shell("hostwatch check")
    bare.shell(without.format(f"--remove {NAME}'"))


def test_a_full_disk_is_said_before_anything_is_written(bare: Debian, deb: str) -> None:
    bare.shell("mount -t tmpfs -o size=20M small /opt")
    said = bare.apt("install", deb, status=100)
    assert re.search(r"hostwatch: /opt has 20 MB left, and \d+ MB are needed. Make room there", said)
    assert bare.shell("ls -A /opt; dpkg --audit") == ""
    bare.shell("mount -o remount,size=100M,nr_inodes=1000 /opt")  # the files do not fit, though their bytes do
    assert "No space left on device" in bare.apt("install", deb, status=100)
    assert bare.shell("ls -A /opt; dpkg --audit") == ""
    bare.shell("umount /opt")
    bare.apt("install", deb)
    bare.shell("hostwatch check")


@pytest.mark.parametrize(
    ("moment", "remedy"),
    [("half-installed", "dpkg --install {}"), ("half-configured", "dpkg --configure --pending")],
)
def test_an_installation_that_was_killed_is_mended(bare: Debian, deb: str, moment: str, remedy: str) -> None:
    """As dpkg says how, whether files or the configuration had come first."""
    bare.config.parent.mkdir(exist_ok=True)
    bare.config.write_text(OF_0_1)
    bare.shell(
        f">/var/log/dpkg.log; setsid dpkg --install {deb} & until grep -q 'status {moment} hostwatch'"
        " /var/log/dpkg.log; do sleep 0.01; done; sleep 0.2; kill -KILL -$!"
    )
    assert NAME in bare.shell("dpkg --audit")
    bare.shell(remedy.format(deb))
    assert bare.shell("dpkg --audit") == ""
    assert bare.config.read_text() == OF_0_1
    bare.shell("hostwatch check")


def test_what_was_installed_by_hand_is_not_mixed_with_it(bare: Debian, deb: str) -> None:
    """It has Python packages of its own, which would be found by the package's program."""
    bare.shell("mkdir -p /opt/hostwatch/bin; touch /opt/hostwatch/bin/activate")
    assert "/opt/hostwatch is an installation made by hand" in bare.apt("install", deb, status=100)
    bare.shell("rm -r /opt/hostwatch")
    own = bare.root / "etc/systemd/system/hostwatch.service"
    own.write_text("[Service]\nExecStart=/bin/true\n")
    assert f"/{own.relative_to(bare.root)} takes the place of this package's unit" in bare.apt("install", deb)
    own.unlink()
