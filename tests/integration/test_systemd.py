"""Under systemd: the unit of `config/` on a machine of its own, with systemd as process 1, beside a real engine.

A socket in the place of systemd's shows its notifications in detail.
"""

import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import engine as engines
from tests.booted import Machine, booted
from tests.conftest import Lab, eventually, newest_only
from tests.image import REPOSITORY
from tests.proxy import Proxy

CONFIG = "docker: {root: /var/lib/docker}\n"
AWAY = CONFIG.replace("{", "{host: 'unix:///run/nobody.sock', ")
HASTY = "WatchdogSec=2\nRestartSec=100ms\n"
"""The only differences from the shipped unit: shorter times."""
FIFREEZE, FITHAW = 0xC0045877, 0xC0045878
DAC_OVERRIDE, LEASE = 1 << 1, 1 << 28


@pytest.fixture(scope="module")
def machine(engine: engines.Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with hostwatch installed. It is booted once for all."""
    with booted(engine, tmp_path_factory.mktemp("machine"), HASTY) as made:
        yield made


@pytest.fixture
def boot(lab: Lab, machine: Machine) -> Iterator[Callable[[str], Machine]]:
    """Gives the machine a configuration of hostwatch, which is not started; then puts the machine back as it was."""
    assert lab.engine.alive()

    def configured(config: str) -> Machine:
        machine.config.write_text(config)
        return machine

    yield configured
    machine.run("systemctl", "stop", "hostwatch", "other", status=None)
    machine.run("systemctl", "reset-failed")
    machine.refurbish()
    machine.run("systemctl", "daemon-reload")


@newest_only
def test_all_is_done_under_the_unit(lab: Lab, boot: Callable[[str], Machine]) -> None:
    """Files of any owner are right when `systemctl start` returns, with two capabilities and real-time priority."""
    lab.run("db", address="10.123.7.1")
    labels = {"hostwatch.services": "db"}
    web, odd = lab.run("web", labels=labels), lab.run("odd", labels=labels)
    assert odd.exec_run(["sh", "-c", "chown 1234:1234 /etc/hosts && chmod 600 /etc/hosts"]).exit_code == 0
    machine = boot(CONFIG + "subscribers: {this-host: {file: /etc/hosts, services: [db]}}\n")
    machine.run("sh", "-c", "echo nameserver 192.0.2.1 >/etc/resolv.conf")
    machine.run("systemctl", "start", "hostwatch")
    assert lab.records(web) == lab.records(odd) == {"db": ["10.123.7.1"]}
    assert (lab.hosts_path(odd).stat().st_uid, lab.hosts_path(odd).stat().st_mode & 0o777) == (1234, 0o600)
    late = lab.run("late", "cp /etc/hosts /seen; exec sleep 1000", labels=labels)
    assert "10.123.7.1      db\n" in lab.first_read(late)
    of_host = lab.hosts_path(lab.run("of-host", labels={"hostwatch.resolv": "nameserver host"})).with_name(
        "resolv.conf"
    )
    eventually(lambda: "begin\nnameserver 192.0.2.1 " in of_host.read_text())
    machine.run("sh", "-c", "echo nameserver 192.0.2.2 >/etc/new; mv /etc/new /etc/resolv.conf")
    eventually(lambda: "begin\nnameserver 192.0.2.2 " in of_host.read_text())
    active, told = machine.show("ActiveState", "StatusText")
    assert active == "active"
    assert told.startswith("connected to engine 28.5")
    _assert_confined(machine.main_pid)
    assert {Path(name).suffix for name in machine.run("ls", "/run/hostwatch").split()} == {".lock", ".sock"}
    health = ["env", "LD_LIBRARY_PATH=/opt/python/lib", "/opt/hostwatch/bin/hostwatch", "health"]
    assert eventually(lambda: machine.run(*health, status=None).endswith(": ready\n"))
    # A path outside of ReadWritePaths= is read-only, even for root.
    assert "its file system is read-only" in machine.log
    machine.run("systemctl", "stop", "hostwatch")
    assert machine.show("Result", "ExecMainStatus", "NRestarts") == ["success", "0", "0"]


def _assert_confined(pid: int) -> None:
    """Check a process against the unit's promises."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert {int(status[f"Cap{kind}"], 16) for kind in ("Prm", "Eff", "Bnd")} == {DAC_OVERRIDE | LEASE}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    threads = [int(thread.name) for thread in Path(f"/proc/{pid}/task").iterdir()]
    assert len(threads) > 1
    assert {os.sched_getscheduler(thread) for thread in threads} == {os.SCHED_RR}


FILLED_IN = (
    CONFIG
    + """\
http: {listen: "127.0.0.1:9464"}
history: {file: /var/lib/hostwatch/history.db}
advertise: auto
subscribers: {this-host: {file: /etc/hosts, services: [db]}}
"""
)


@newest_only
def test_the_unit_that_init_fills_in_is_all_that_it_takes(lab: Lab, boot: Callable[[str], Machine]) -> None:
    """What the configuration needs is in it: a file of the host, HTTP, the history, the host's own address.

    The program is in a home, as pipx installs it, which the shipped unit does not see.
    """
    lab.run("db", address="10.123.7.1")
    machine = boot(FILLED_IN)
    unit = machine.root / "etc/systemd/system/hostwatch.service"
    shipped = unit.read_text()
    machine.run("cp", "-r", "/opt/hostwatch", "/root/hostwatch")
    program = ["env", "LD_LIBRARY_PATH=/opt/python/lib", "/root/hostwatch/bin/hostwatch"]
    filled_in = machine.run(*program, "init", "--systemd")
    assert "\nExecStart=/root/hostwatch/bin/hostwatch run\n" in filled_in
    try:
        unit.write_text(filled_in)
        assert machine.run("systemd-analyze", "verify", str(Path("/", unit.relative_to(machine.root)))) == ""
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "start", "hostwatch")
        eventually(lambda: "10.123.7.1      db\n" in (machine.root / "etc/hosts").read_text())
        eventually(lambda: "answers at http://127.0.0.1:9464" in machine.log)
        eventually((machine.root / "var/lib/hostwatch/history.db").exists)
        eventually(lambda: "advertise: auto: this host has no default route" in machine.log)
        assert "read-only" not in machine.log
    finally:
        machine.run("systemctl", "stop", "hostwatch")
        unit.write_text(shipped)


GET = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:9464/healthz').read())"


@newest_only
def test_http_under_the_unit(boot: Callable[[str], Machine]) -> None:
    """The drop-in of `config/` is all that it takes. Without it nobody reaches the port."""
    machine = boot(CONFIG)
    get = ["env", "LD_LIBRARY_PATH=/opt/python/lib", "/opt/python/bin/python3", "-c", GET]
    drop_ins = machine.root / "etc/systemd/system/hostwatch.service.d"
    (drop_ins / "early.conf").write_text("[Service]\nEnvironment=HOSTWATCH_HTTP_LISTEN=127.0.0.1:9464\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "hostwatch")
    eventually(lambda: "with the drop-in config/hostwatch.service.d/http.conf" in machine.log)
    assert machine.run(*get, status=1) == ""
    (drop_ins / "http.conf").write_text((REPOSITORY / "config/hostwatch.service.d/http.conf").read_text())
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "hostwatch")
    eventually(lambda: "answers at http://127.0.0.1:9464" in machine.log)
    assert machine.run(*get) == "b'ok\\n'\n"


@newest_only
def test_history_and_advertising_under_the_unit(boot: Callable[[str], Machine]) -> None:
    """The drop-ins of `config/` are all that it takes. Without them neither is done, and that is said."""
    machine = boot(f"{CONFIG}history: {{file: /var/lib/hostwatch/history.db}}\nadvertise: auto\n")
    root = machine.root
    machine.run("systemctl", "start", "hostwatch")
    eventually(lambda: "the history cannot be written to /var/lib/hostwatch/history.db: Read-only" in machine.log)
    eventually(lambda: "netlink is not allowed here (Address family not supported by protocol)" in machine.log)
    for name in ("history.conf", "advertise.conf"):
        drop_in = root / "etc/systemd/system/hostwatch.service.d" / name
        drop_in.write_text((REPOSITORY / "config/hostwatch.service.d" / name).read_text())
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "hostwatch")
    file = root / "var/lib/hostwatch/history.db"
    eventually(file.exists)
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    eventually(lambda: "advertise: auto: this host has no default route" in machine.log)


@newest_only
def test_a_catalog_under_the_unit(boot: Callable[[str], Machine]) -> None:
    """The drop-in of `config/` is all that it takes to reach it. Without it nothing leaves, and that is said."""
    machine = boot(f"{CONFIG}services: {{db: {{from: {{consul: 'http://127.0.0.1:8500', service: db}}}}}}\n")
    machine.run("systemctl", "start", "hostwatch")
    eventually(lambda: "the systemd unit reaches it with the drop-in config/hostwatch.service.d/cluster" in machine.log)
    drop_in = machine.root / "etc/systemd/system/hostwatch.service.d/cluster.conf"
    drop_in.write_text((REPOSITORY / "config/hostwatch.service.d/cluster.conf").read_text())
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "hostwatch")
    eventually(lambda: "db: cannot connect (Connection refused); is it there, and may we reach it?" in machine.log)


READ_ONLY = (
    "ReadWritePaths= in a drop-in of the unit must name it (`systemctl edit hostwatch`); if one does, a program has put"
    " a new file in its place: `systemctl restart hostwatch`, or name its directory"
)
"""The remedy for a file that the unit has read-only."""
RELOADED = """\
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecReload=/bin/sh -c 'echo reloaded >>/var/log/other'
"""


@newest_only
def test_a_command_has_another_unit_reloaded(lab: Lab, boot: Callable[[str], Machine]) -> None:
    """It runs without hostwatch's priority. This takes a line more in the unit, and the log says if it is missing.

    A new file in the place of the host's takes the unit's mount away: the log and the doctor say so, and the remedy.
    """
    lab.run("db", address="10.123.7.1")
    subscriber = "{file: /etc/hosts, services: [db], notify: {command: [systemctl, reload, other]}}"
    machine = boot(f"{CONFIG}timing: {{notify_debounce: 0}}\nsubscribers: {{this-host: {subscriber}}}\n")
    units = machine.root / "etc/systemd/system"
    (units / "other.service").write_text(RELOADED)
    drop_in = units / "hostwatch.service.d/more.conf"
    drop_in.write_text("[Service]\nReadWritePaths=/etc/hosts\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "other", "hostwatch")
    eventually(lambda: "allow the system call sched_setscheduler" in machine.log)
    drop_in.write_text(drop_in.read_text() + "SystemCallFilter=sched_setscheduler\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "hostwatch")
    lab.client.containers.get("db").remove(force=True)
    eventually(lambda: "this-host: notified by command: systemctl reload other" in machine.log)
    assert (machine.directory / "log/other").read_text() == "reloaded\n"
    machine.run("sed", "-i", "/withheld/d", "/etc/hosts")
    eventually(lambda: f"its file system is read-only; {READ_ONLY}" in machine.log)
    doctor = ["env", "LD_LIBRARY_PATH=/opt/python/lib", "/opt/hostwatch/bin/hostwatch", "doctor"]
    told = machine.run(*doctor, status=1)
    assert re.search(r"problem +this-host: the daemon \(process \d+\) says: /etc/hosts: uid 0 cannot write, ", told)
    assert {line.strip() for line in told.splitlines()} >= {READ_ONLY, "1 problem to be mended"}
    machine.run("systemctl", "restart", "hostwatch")
    assert "# withheld: " in (machine.root / "etc/hosts").read_text()


@newest_only
def test_an_engine_that_is_away_holds_up_no_boot(lab: Lab, boot: Callable[[str], Machine]) -> None:
    """The unit starts and tells the reason of its wait. A reload names another engine, and nothing is restarted."""
    lab.run("db", address="10.123.7.1")
    web = lab.run("web", labels={"hostwatch.services": "db"})
    machine = boot(AWAY)
    machine.run("systemctl", "start", "hostwatch")
    active, told = machine.show("ActiveState", "StatusText")
    assert active == "active"
    assert told.startswith("waiting for the engine (no engine at unix:")
    machine.config.write_text(CONFIG)
    machine.run("systemctl", "reload", "hostwatch")
    eventually(lambda: machine.show("StatusText")[0].startswith("connected to engine 28.5"))
    eventually(lambda: lab.records(web) == {"db": ["10.123.7.1"]})
    time.sleep(2.5)  # longer than the watchdog's time
    assert machine.show("NRestarts") == ["0"]


@newest_only
def test_the_watchdog_starts_it_anew(lab: Lab, boot: Callable[[str], Machine]) -> None:
    """A process that hangs is ended, and the next one does the work."""
    lab.run("db", address="10.123.7.1")
    machine = boot(CONFIG)
    machine.run("systemctl", "start", "hostwatch")
    os.kill(machine.main_pid, signal.SIGSTOP)
    web = lab.run("web", labels={"hostwatch.services": "db"})
    eventually(lambda: machine.show("NRestarts", "ActiveState") == ["1", "active"])
    assert lab.records(web) == {"db": ["10.123.7.1"]}
    assert "Fatal Python error: Aborted" in machine.log


@newest_only
def test_the_unit_is_as_tight_as_it_says(boot: Callable[[str], Machine]) -> None:
    """It is valid, and systemd rates it at 0.9 at most."""
    machine = boot("")
    unit = "/etc/systemd/system/hostwatch.service"
    assert machine.run("systemd-analyze", "verify", unit) == ""
    assert "→ Overall exposure level for hostwatch.service: 0.9" in machine.run(
        "systemd-analyze", "security", "--offline=true", "--threshold=9", "--no-pager", unit
    )


@dataclass
class Manager:
    """A socket in the place of systemd's."""

    channel: socket.socket
    told: list[str] = field(default_factory=list)

    def read(self) -> list[str]:
        """All notifications so far, an entry for each datagram."""
        try:
            while True:
                self.told.append(self.channel.recv(65536).decode())
        except BlockingIOError:
            return self.told

    def heard(self, word: str) -> bool:
        """Whether a datagram with this beginning has come."""
        return any(told.startswith(word) for told in self.read())

    def is_silent(self, seconds: float) -> bool:
        """Whether nothing comes for a while."""
        before = len(self.read())
        time.sleep(seconds)
        return len(self.read()) == before


@contextmanager
def managed(place: str) -> Iterator[Manager]:
    """Listen at the path of NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind("\0" + place[1:] if place.startswith("@") else place)
        channel.setblocking(False)
        yield Manager(channel)


@newest_only
def test_notifications_of_the_service_manager(lab: Lab, proxy: Proxy) -> None:
    """Ready comes when all is right, and not while the engine holds back an answer. Then reloads, outages, the end."""
    lab.run("db", address="10.123.7.1")
    web = lab.run("web", labels={"hostwatch.services": "db"})
    place = f"@hostwatch-{os.getpid()}"  # an abstract socket, as some managers have
    proxy.hold = re.compile("/networks")
    with managed(place) as manager:
        with lab.hostwatch("-c", lab.configured(""), ready="", NOTIFY_SOCKET=place) as hostwatch:
            eventually(lambda: proxy.held)
            assert manager.is_silent(0.3)
            assert not manager.told
            proxy.release()
            eventually(lambda: manager.heard("READY=1\nSTATUS=connected to engine 28.5"))
            assert lab.records(web) == {"db": ["10.123.7.1"]}
            assert manager.told[0].startswith("READY=1")
            for config in ("labels: false", "not: valid"):
                before = time.monotonic_ns() // 1000
                lab.configured(config)
                hostwatch.process.send_signal(signal.SIGHUP)
                reloading = eventually(lambda: next((t for t in manager.read() if t.startswith("RELOADING=1\n")), ""))
                assert before < int(reloading.partition("MONOTONIC_USEC=")[2]) < time.monotonic_ns() // 1000
                eventually(lambda: "READY=1" in manager.read())  # a status may follow at once
                manager.told.clear()
            proxy.refuse = re.compile("")
            proxy.cut()
            eventually(lambda: manager.heard("WATCHDOG=1\nSTATUS=waiting for the engine ("))
            proxy.refuse = None
            eventually(lambda: manager.heard("WATCHDOG=1\nSTATUS=connected to engine 28.5"), 20)
        assert manager.read()[-1] == "STOPPING=1"


@newest_only
def test_no_service_manager_has_to_listen(lab: Lab) -> None:
    """It may be gone, or not read its socket."""
    lab.run("db", address="10.123.7.1")
    web = lab.run("web", labels={"hostwatch.services": "db"})
    with lab.hostwatch(NOTIFY_SOCKET="/nowhere/notify", WATCHDOG_USEC="20000"):
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.1"]})
    place = str(lab.directory / "notify")
    with managed(place) as deaf, lab.hostwatch(NOTIFY_SOCKET=place, WATCHDOG_USEC="2000"):
        time.sleep(1.0)  # the socket's queue takes some ten datagrams
        lab.network.disconnect(web)
        lab.network.connect(web)
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.1"]})
        assert deaf.heard("READY=1")


def test_a_status_is_one_line(tmp_path: Path) -> None:
    """The text of an error cannot add another notification."""
    place = str(tmp_path / "notify")
    tell = "from hostwatch import systemd; systemd.tell('STATUS=no\\nMAINPID=1', 'READY=1')"
    with managed(place) as manager:
        subprocess.run([sys.executable, "-c", tell], env=os.environ | {"NOTIFY_SOCKET": place}, check=True)
        assert manager.read() == ["STATUS=no MAINPID=1\nREADY=1"]


@newest_only
def test_hung_workers_are_not_alive(lab: Lab) -> None:
    """A frozen file system takes all workers. The event loop runs on, but the watchdog gets no notification."""
    lab.run("db", address="10.123.7.1")
    disk, inside, place = lab.directory / "disk", lab.directory / "mounted", str(lab.directory / "notify")
    with disk.open("wb") as image:
        image.truncate(8 << 20)
    subprocess.run(["mkfs.ext4", "-q", disk], check=True)
    inside.mkdir()
    mount = 'mount -o loop "$0" "$1" && shift && exec "$@"'
    lab.within = ("unshare", "--mount", "--propagation=private", "sh", "-c", mount, str(disk), str(inside))
    files = [inside / f"hosts{number}" for number in range(12)]
    entries = [f"  h{number}: {{file: {file}, services: [db]}}\n" for number, file in enumerate(files)]
    config = lab.configured("timing: {linger: 0}\nsubscribers:\n" + "".join(entries))
    environ = {"NOTIFY_SOCKET": place, "WATCHDOG_USEC": "200000"}
    with managed(place) as manager, lab.hostwatch("-c", config, **environ) as hostwatch:
        seen = [Path(f"/proc/{hostwatch.process.pid}/root{file}") for file in files]
        for file in seen:
            file.write_text("")
        eventually(lambda: all("10.123.7.1" in file.read_text() for file in seen))
        eventually(lambda: manager.heard("WATCHDOG=1"))
        assert not manager.is_silent(0.5)
        with frozen(seen[0].parent):
            lab.client.containers.get("db").remove(force=True)
            eventually(lambda: manager.is_silent(0.5))
            assert hostwatch.process.poll() is None
        eventually(lambda: not manager.is_silent(0.3))
        eventually(lambda: all("withheld" in file.read_text() for file in seen))


@contextmanager
def frozen(directory: Path) -> Iterator[None]:
    """Freeze the file system of a directory: a process that writes to it hangs in the kernel."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.ioctl(handle, FIFREEZE, 0)
        try:
            yield
        finally:
            fcntl.ioctl(handle, FITHAW, 0)
    finally:
        os.close(handle)
