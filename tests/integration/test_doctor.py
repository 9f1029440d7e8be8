"""`hostwatch doctor` on a sound machine, and on machines with one real fault each.

A namespace stands in for the machine. Each remedy is followed if a test can do so.
"""

import os
import re
import shlex
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import nobody
from tests.conftest import Lab, newest_only
from tests.proxy import proxied

pytestmark = newest_only

WANTS_DB = {"hostwatch.hosts": "@{db.ip} db\n@{cache.ip} cache"}
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Findings:
    """The parsed output of a doctor."""

    findings: tuple[tuple[str, str, str], ...]
    """Level, what was found, and the remedy."""
    verdict: str

    def of(self, level: str) -> list[tuple[str, str]]:
        """The findings of a level, with their remedies."""
        return [(what, remedy) for found, what, remedy in self.findings if found == level]

    @property
    def problem(self) -> str:
        """The only problem there is, with its remedy."""
        (found,) = self.of("problem")
        return "\n".join(found)

    @property
    def late(self) -> str:
        """The only note of files that are written by exec, with its remedy."""
        (found,) = (note for note in self.of("note") if "docker exec" in note[0])
        return "\n".join(found)


def parsed(done: subprocess.CompletedProcess[str], status: int) -> Findings:
    """Parse the output: each finding that is not good has a remedy, and the status follows from the findings."""
    assert done.returncode == status, done
    assert done.stderr == "", done.stderr
    *lines, verdict = done.stdout.splitlines()
    found: list[tuple[str, str, str]] = []
    for line in lines:
        if line.startswith(" "):
            found[-1] = (*found[-1][:2], line.strip())
        else:
            level, what = line.split(None, 1)
            found.append((level, what, ""))
    assert {level for level, _, _ in found} <= {"ok", "note", "warning", "problem"}
    assert all(bool(remedy) == (level != "ok") for level, _, remedy in found), found
    assert status == any(level == "problem" for level, _, _ in found)
    return Findings(tuple(found), verdict)


def doctor(lab: Lab, *arguments: str, status: int = 1, **environ: str) -> Findings:
    """The findings of `hostwatch doctor`."""
    return parsed(lab.command("doctor", *arguments, status=status, **environ), status)


def doctor_after(lab: Lab, script: str, *namespaces: str, status: int = 1) -> Findings:
    """The findings after a shell script in namespaces of its own, a mount namespace among them."""
    command = shlex.join([sys.executable, "-m", "hostwatch", "doctor"])
    return parsed(
        subprocess.run(
            ["unshare", "--mount", *namespaces, "sh", "-ec", f"{script}\nexec {command}"],
            env=lab.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        ),
        status,
    )


def doctor_as_nobody(lab: Lab, *groups: int, status: int = 1) -> Findings:
    """The findings as a user with no rights but those of these groups."""
    program = nobody.program("hostwatch.cli.running", "hostwatch.control.status", "hostwatch.doctor", groups=groups)
    done = subprocess.run(
        [sys.executable, "-c", program, "doctor"],
        env=lab.environ | {"HOME": "/"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return parsed(done, status)


def containers(lab: Lab) -> Path:
    """The directory of the engine's containers."""
    return lab.engine.data_root / "containers"


# All is well.


def test_where_all_is_well_it_tells_engine_root_and_subscribers(lab: Lab) -> None:
    """It writes nothing. A withheld line is no finding."""
    lab.run("db")
    web = lab.run("web", labels=WANTS_DB)
    before = lab.hosts(web), sorted(lab.hosts_path(web).parent.iterdir())
    found = doctor(lab, status=0)
    told = "\n".join(what for what, _ in found.of("ok"))
    for part in (lab.client.version()["Version"], lab.engine.docker_host, str(containers(lab)), "1 of 1"):
        assert part in told
    assert "inotify: 3 directories" in told
    assert "works here" in found.verdict
    assert (lab.hosts(web), sorted(lab.hosts_path(web).parent.iterdir())) == before


def test_without_any_container_all_is_well(lab: Lab) -> None:
    """This is the state of a machine on which hostwatch starts first."""
    told = "\n".join(what for what, _ in doctor(lab, status=0).of("ok"))
    assert "0 of 0" in told
    assert "no containers yet" in told


# The configuration.


def test_a_bad_configuration_comes_before_anything_else(lab: Lab) -> None:
    """The status is 2, with the output of `check`."""
    bad = lab.configured("labels: maybe\n")
    found = lab.command("doctor", "-c", bad, status=2)
    assert found.stdout == ""
    assert found.stderr == lab.command("check", "-c", bad, status=2).stderr


def test_an_invalid_address_is_a_usage_error(lab: Lab) -> None:
    """This holds for an option and for the environment."""
    for arguments, environ in (
        (["doctor", "--docker-host", "npipe:////./pipe/engine"], {}),
        (["run"], {"DOCKER_HOST": "tcp://a b"}),
    ):
        found = lab.command(*arguments, status=2, **environ)
        assert found.stdout == ""
        assert "as an engine: " in found.stderr


# The engine's address.


class Silent(socketserver.BaseRequestHandler):
    """A server that hangs up."""

    def handle(self) -> None:
        """Read, and end."""
        self.request.recv(4096)


class Web(socketserver.BaseRequestHandler):
    """A web server that is no engine."""

    def handle(self) -> None:
        """Answer any request."""
        self.request.recv(4096)
        self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n<p>\x1b[1m\nhello</p>")


class Json(socketserver.BaseRequestHandler):
    """A web server that speaks JSON and is no engine."""

    def handle(self) -> None:
        """Answer any request."""
        self.request.recv(4096)
        self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")


@pytest.fixture
def sockets(tmp_path: Path) -> Iterator[Path]:
    """A directory with everything that may be at a socket's path, except an engine."""
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "dead"))
    servers = [
        socketserver.ThreadingUnixStreamServer(str(tmp_path / kind.__name__.lower()), kind)
        for kind in (Silent, Web, Json)
    ]
    for server in servers:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    yield tmp_path
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("name", "what", "remedy"),
    [
        ("absent", "there is no socket", "start the engine"),
        ("file/below", "there is no socket", "start the engine"),
        ("directory", "is a directory", "`-v` made it"),
        ("file", "is not a socket", "--docker-host"),
        ("dead", "nothing listens", "start the engine"),
        ("silent", "closed before an answer", "no engine"),
        ("web", "no Docker Engine", "--docker-host"),
        ("json", "no Docker Engine", "--docker-host"),
    ],
)
def test_a_wrong_socket_is_told_apart(lab: Lab, sockets: Path, name: str, what: str, remedy: str) -> None:
    """Each kind has a message of its own, with the path."""
    found = doctor(lab, "--docker-host", f"unix://{sockets / name}").of("problem")
    assert len(found) == 1
    assert what in found[0][0]
    assert str(sockets / name) in found[0][0]
    assert remedy in found[0][1]
    assert "\x1b" not in found[0][0]


def test_a_wrong_tcp_address_is_told_apart(lab: Lab, tmp_path: Path) -> None:
    """No server, an unknown name, no engine, TLS against plain HTTP, missing certificates: each has its message."""
    assert "nothing listens at 127.0.0.1:1" in doctor(lab, "--docker-host", "tcp://127.0.0.1:1").problem
    assert "not known" in doctor(lab, "--docker-host", "tcp://no-such-host.invalid:2375").problem
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Web) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        host = f"tcp://127.0.0.1:{server.server_address[1]}"
        assert "no Docker Engine" in doctor(lab, "--docker-host", host).problem
        assert "DOCKER_CERT_PATH" in doctor(lab, "--docker-host", host, DOCKER_TLS_VERIFY="1").problem
        absent = str(tmp_path)
        found = doctor(lab, "--docker-host", host, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=absent)
        assert "DOCKER_CERT_PATH" in found.problem
        server.shutdown()


def test_a_context_that_names_no_engine_is_a_problem(lab: Lab) -> None:
    """Another tool may have removed the context. The message is the same if there is no socket either."""
    del lab.environ["DOCKER_HOST"]
    assert "docker context" in doctor(lab, DOCKER_CONTEXT="gone").problem
    (lab.directory / "config.json").write_text('{"currentContext": "gone"}')
    lab.environ |= {"DOCKER_CONFIG": str(lab.directory), "HOME": str(lab.directory)}
    assert "docker context" in doctor_after(lab, "mount -t tmpfs none /run").problem


def test_a_socket_without_permission_is_told_with_its_owners(lab: Lab) -> None:
    """The message has the user, the owners and the mode. The remedy names the group only if it has a right."""
    found = doctor_as_nobody(lab).problem
    assert all(part in found for part in (str(nobody.USER), str(lab.engine.socket), "srw-rw----", "as root"))
    assert "--group-add" not in found
    os.chown(lab.engine.socket, -1, 4242)
    try:
        assert "--group-add 4242" in doctor_as_nobody(lab).problem
    finally:
        os.chown(lab.engine.socket, -1, 0)


def test_a_right_to_the_socket_alone_is_a_limit(lab: Lab) -> None:
    """A member of the socket's group lacks the files and the priority. The subscribers are no findings."""
    lab.run("web", labels=WANTS_DB)
    found = doctor_as_nobody(lab, 0, status=0)
    assert f"may not read the engine's {containers(lab)}" in found.late
    assert "run hostwatch as root" in found.late
    assert any("CAP_SYS_NICE" in remedy for _, remedy in found.of("note"))


def test_a_request_that_a_socket_proxy_refuses_is_a_problem(lab: Lab, tmp_path: Path) -> None:
    """That includes requests that only the doctor needs, and those that other commands can do without."""
    web = lab.run("web", labels=WANTS_DB)
    with proxied(lab.engine.socket, tmp_path / "proxy.sock") as proxy:
        doctor(lab, "--docker-host", proxy.host, status=0)
        for request in (f"/containers/{web.id}/json", "/info", "/_ping"):
            proxy.refuse = re.compile(request)
            told = doctor(lab, "--docker-host", proxy.host).problem
            assert re.search(rf"answered 500 to GET (/v[0-9.]+)?{request}", told)
            assert told.count("GET ") == 1
        proxy.refuse, proxy.hold = None, re.compile("/events")
        assert "GET /events: the engine did not answer in time" in doctor(lab, "--docker-host", proxy.host).problem
        assert not [request for request in proxy.requests if not request.startswith("GET ")]


# The data root.


def test_a_data_root_elsewhere_is_a_problem_until_it_is_put_right(lab: Lab) -> None:
    """It is absent, a file, empty, or another engine's. The remedy names the right one. By exec it is only a limit."""
    lab.run("web")
    by_path = "subscribers: {web: {match: {name: web}, services: [db], writer: path}}"
    (lab.directory / "empty/containers").mkdir(parents=True)
    (lab.directory / "other/containers" / ("0" * 64)).mkdir(parents=True)
    (lab.directory / "file").mkdir()
    (lab.directory / "file/containers").touch()
    for name, what in {
        "absent": "is not visible here (No such file or directory)",
        "file": "is not visible here (Not a directory)",
        "empty": "is not this engine's",
        "other": "is not this engine's",
    }.items():
        root = f"docker: {{root: {lab.directory}/{name}}}"
        found = doctor(lab, "-c", lab.configured(f"{root}\n{by_path}")).problem
        assert f"{lab.directory}/{name}/containers {what}" in found
        assert "leave docker.root out" in found
        assert "leave docker.root out" in doctor(lab, "-c", lab.configured(root), status=0).late
    (lab.directory / "same").symlink_to(lab.engine.data_root)
    doctor(lab, "-c", lab.configured(f"docker: {{root: {lab.directory}/same}}"), status=0)


def test_in_a_container_without_the_data_root_the_mount_is_named(lab: Lab) -> None:
    """The test's machine looks like a Podman container. The mount that the remedy names makes the files visible."""
    lab.run("web", labels=WANTS_DB)
    directory = containers(lab)
    marked = "mount -t tmpfs none /run; touch /run/.containerenv"
    hidden = f"mkdir /run/kept; mount --rbind {directory} /run/kept; mount -t tmpfs none {lab.engine.data_root}"
    assert f"`-v {directory}:{directory}`" in doctor_after(lab, f"{marked}; {hidden}", status=0).late
    followed = f"mkdir -p {directory}; mount --bind /run/kept {directory}"
    doctor_after(lab, f"{marked}; {hidden}; {followed}", status=0)


def test_a_read_only_mount_is_told(lab: Lab) -> None:
    """Root then writes by exec. One finding names the mount to change, for all subscribers together."""
    for name in ("web-1", "web-2"):
        lab.run(name, labels=WANTS_DB)
    directory = containers(lab)
    mount = f"mount --bind {directory} {directory}; mount -o remount,bind,ro {directory}"
    found = doctor_after(lab, mount, status=0).late
    assert f"{directory} is mounted read-only" in found
    assert re.search(rf"{directory}\b", found.splitlines()[1])
    doctor_after(lab, f"{mount}; mount -o remount,rw,bind {directory}", status=0)


# Subscribers.


def test_a_subscriber_that_cannot_be_served_is_told_by_name(lab: Lab) -> None:
    """Its /etc/hosts is a mount of its own, is read-only, or has a second link. Others are served."""
    own = lab.directory / "hosts"
    own.write_text("127.0.0.1 localhost\n")
    bound = lab.run("bound", labels=WANTS_DB, volumes={str(own): {"bind": "/etc/hosts", "mode": "rw"}})
    locked = lab.run("locked", labels=WANTS_DB)
    linked = lab.run("linked", labels=WANTS_DB)
    lab.run("served", labels=WANTS_DB)
    os.link(lab.hosts_path(linked), lab.hosts_path(linked).with_name("another"))
    file = lab.hosts_path(locked)
    found = doctor_after(lab, f"mount --bind {file} {file}; mount -o remount,bind,ro {file}")
    assert {what.split(":")[0]: remedy for what, remedy in found.of("problem")}.keys() == {"bound", "locked", "linked"}
    told = "\n".join("\n".join(each) for each in found.of("problem"))
    assert str(own) in told
    assert str(file) in told
    assert "hard links" in told
    assert any("1 of 4" in what for what, _ in found.of("note"))
    bound.remove(force=True)
    lab.hosts_path(linked).with_name("another").unlink()
    doctor(lab, status=0)


def test_an_immutable_file_is_a_problem(lab: Lab) -> None:
    """Even root cannot write it, and its mode does not show that."""
    web = lab.run("web", labels=WANTS_DB)
    try:
        subprocess.run(["chattr", "+i", lab.hosts_path(web)], check=True)
        assert "chattr -i" in doctor(lab).problem
    finally:
        subprocess.run(["chattr", "-i", lab.hosts_path(web)], check=True)


def test_a_refused_label_is_a_problem_while_its_container_runs(lab: Lab) -> None:
    """Each finding has the container and the label. A stopped container has none."""
    lab.create("old", labels={"hostwatch.names": "not/a/name"})
    doctor(lab, status=0)
    web = lab.run("web", labels={"hostwatch.names": "not/a/name", "hostwatch.health": "maybe"})
    found = doctor(lab).of("problem")
    assert sorted(what.split(" is refused")[0] for what, _ in found) == [
        "web: label hostwatch.health",
        "web: label hostwatch.names",
    ]
    assert "recreate" in found[0][1]
    web.remove(force=True)
    doctor(lab, status=0)


# The kernel.


def test_too_few_inotify_watches_are_a_problem(lab: Lab) -> None:
    """A user namespace has limits of its own. Real-time priority is out of reach there, which is only a note."""
    for name in ("web-1", "web-2"):
        lab.run(name, labels=WANTS_DB)
    user = ("--user", "--map-root-user")
    found = doctor_after(lab, "echo 2 >/proc/sys/user/max_inotify_watches", *user)
    assert "inotify watches only 2 of 3" in found.problem
    assert "fs.inotify.max_user_watches=" in found.problem
    assert any("real-time priority" in what for what, _ in found.of("note"))
    found = doctor_after(lab, "echo 0 >/proc/sys/user/max_inotify_instances", *user)
    assert "fs.inotify.max_user_instances=" in found.problem
    found = doctor_after(lab, "echo 3 >/proc/sys/user/max_inotify_watches", *user, status=0)
    assert "works here, with 1 limit" in found.verdict


# A real container.


def test_in_a_real_container_each_remedy_helps(lab: Lab) -> None:
    """The container has only the program at first. It works after one remedy after the other."""
    lab.run("web", labels=WANTS_DB)
    absent = in_container(lab)
    assert f"`-v {lab.engine.socket}:{lab.engine.socket}`" in absent.problem
    blind = in_container(lab, "-v", f"{lab.engine.socket}:{lab.engine.socket}", status=0)
    mount = re.findall(r"`(-v) (\S+)`", blind.late)[0]
    assert mount[1] == f"{containers(lab)}:{containers(lab)}"
    mounts = ("-v", f"{lab.engine.socket}:{lab.engine.socket}", *mount)
    slow = in_container(lab, *mounts, status=0)
    capability = [found for _, remedy in slow.of("note") for found in re.findall(r"(--cap-add) (\w+)", remedy)]
    assert capability == [("--cap-add", "SYS_NICE")]
    room = [found for _, remedy in slow.of("note") for found in re.findall(r"`(--tmpfs) (\S+)`", remedy)]
    assert room == [("--tmpfs", "/run/hostwatch")]
    # Control groups of version 1 withhold real-time priority despite the capability, unless the engine has an option.
    left = in_container(lab, *mounts, *capability[0], *room[0], status=0).of("note")
    assert all("--cpu-rt-runtime" in remedy for _, remedy in left)
    read_only = in_container(lab, *mounts[:3], f"{mounts[3]}:ro", status=0).late
    assert "read-only" in read_only
    assert "without `:ro`" in read_only


def in_container(lab: Lab, *options: str, status: int = 1) -> Findings:
    """The doctor's findings in a container of this engine with these options of `docker run`."""
    mounted = dict.fromkeys(["/usr", "/lib", "/lib64", sys.base_prefix, sys.prefix, str(REPOSITORY)])
    program = [f"-v=/host{path}:{path}:ro" for path in mounted if Path(path).exists()]
    environ = [f"--env=DOCKER_HOST={lab.engine.docker_host}", "--env=PYTHONDONTWRITEBYTECODE=1"]
    command = [f"--workdir={REPOSITORY}", "busybox", sys.executable, "-m", "hostwatch", "doctor"]
    run = lab.engine.command("run", "--rm", "--network=none", *program, *environ, *options, *command)
    return parsed(subprocess.run(run, capture_output=True, text=True, timeout=60, check=False), status)
