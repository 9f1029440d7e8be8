"""`hostwatch init` beside real engines: the file it writes, and that its entries do what they say."""

import json
import re
import subprocess
import sys
from pathlib import Path

from tests import nobody
from tests.conftest import Lab, newest_only
from tests.proposal import taken

DEPENDS = {"com.docker.compose.depends_on": "db:service_started:false"}
AS_NOBODY = nobody.program("hostwatch.cli.running", "hostwatch.proposal.text", "hostwatch.proposal.new_file")


def service(lab: Lab, project: str, name: str, **labels: str) -> None:
    """Run a container as Compose does."""
    own = {"com.docker.compose.project": project, "com.docker.compose.service": name} | labels
    lab.run(f"{project}-{name}-1", labels=own)


def crowded(lab: Lab) -> None:
    """Run a project, and containers on the lab's and the default network."""
    service(lab, "shop", "db")
    service(lab, "shop", "web", **DEPENDS)
    for name in ("near", "here"):
        lab.run(name)
    for name in ("first", "second"):
        lab.run(name, network_mode="bridge")


def does_what_it_says(lab: Lab, path: Path) -> None:
    """With all its entries the file is valid, and a plan has the lines that it tells."""
    assert lab.command("init", "-c", str(path)).stdout.startswith(f"{path}: written; take entries in it, then")
    assert path.stat().st_mode & 0o777 == 0o644
    text = path.read_text()
    path.write_text(taken(text).replace("/etc/hosts  # of this machine", f"{lab.directory}/hosts #"))
    (lab.directory / "hosts").write_text("")
    assert lab.command("check", "-c", str(path)).stderr == ""
    planned = json.loads(lab.command("plan", "--json", "-c", str(path)).stdout)
    files = {each["name"]: each["diff"] for each in planned if each["changes"]}
    assert files.keys() == {"shop-web-1", "here", "near", "first", "second", "this-host"}
    told = re.findall(r"^  #  # (\S+):/etc/hosts would have now:\n((?:  #  #   .*\n)+)", text, re.MULTILINE)
    assert [name for name, _ in told] == ["shop-web-1", "here", "first"]
    for name, lines in told:
        assert {f"+{line.removeprefix('  #  #   ')}" for line in lines.splitlines()} <= {*files[name].splitlines()}


@newest_only
def test_its_entries_do_what_they_say(lab: Lab, tmp_path: Path) -> None:
    """It writes once. An engine that is away and a directory that may not be written are told, and nothing is left."""
    crowded(lab)
    path = tmp_path / "etc/hostwatch.yaml"
    does_what_it_says(lab, path)
    before = path.read_bytes()
    assert "is there and stays as it is" in lab.command("init", "-c", str(path), status=1).stderr
    assert path.read_bytes() == before
    printed = lab.command("init", "--stdout", "-c", str(path))
    assert (printed.stderr, "  #shop-web:\n" in printed.stdout) == ("", True)
    assert "# Subscribers already, by labels or the present configuration: first, here, near" in printed.stdout
    other = str(tmp_path / "other.yaml")
    away = lab.command("init", "-c", other, "--docker-host", "unix:///no/such.sock", status=1)
    assert "no engine at unix:///no/such.sock: there is no such socket; " in away.stderr
    lab.engine.socket.chmod(0o666)
    tmp_path.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, "init", "-c", other],
        env=lab.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = f"cannot write {other}: Permission denied; run it as root, or write to another place by `-c FILE`\n"
    assert (done.returncode, done.stderr) == (1, told)
    assert not any("other" in each.name for each in tmp_path.iterdir())
