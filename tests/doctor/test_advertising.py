"""What the doctor says of `advertise: auto`: the addresses that it finds, or what keeps it from finding them."""

import ipaddress
import os
import resource
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from hostwatch.config.settings import Settings
from hostwatch.control.source import EngineInfo
from hostwatch.core.model import HostAddresses
from hostwatch.doctor.advertising import advertising, of_addresses
from hostwatch.doctor.evidence import Evidence
from hostwatch.doctor.finding import Finding, Level
from hostwatch.hosts import probe
from hostwatch.hosts.lock import Holder
from hostwatch.network.routes import Routes
from tests.core.build import ENGINE, box, on, store

AUTO = Settings.model_validate({"advertise": "auto"})
ONE = ipaddress.IPv4Address("192.0.2.1")
SIX = ipaddress.IPv6Address("2001:db8::1")


def evidence(holder: Holder | None = None) -> Evidence:
    """An engine with one container, and a process that keeps its files."""
    engine = EngineInfo(ENGINE, "28.5.2", "1.51", Path("/"))
    return Evidence(engine, store(box("hostwatch", on("bridge", str(ONE)))), (), None, holder=holder)


def test_without_auto_there_is_nothing_to_say() -> None:
    """Nothing is opened."""
    assert [*advertising(Settings(), None)] == []
    assert [*advertising(Settings.model_validate({"advertise": "192.0.2.1"}), None)] == []


def test_the_addresses_that_are_found() -> None:
    """None is a limit, and a container's own address is a mistake."""
    assert of_addresses(HostAddresses(ONE, SIX), None).what.endswith("to others is 192.0.2.1 and 2001:db8::1")
    assert of_addresses(HostAddresses(ipv6=SIX), evidence()).level is Level.OK
    assert of_addresses(HostAddresses(), None).level is Level.NOTE
    found = of_addresses(HostAddresses(ONE, SIX), evidence())
    assert (found.level, "192.0.2.1 is the address of the container hostwatch" in found.what) == (Level.PROBLEM, True)
    assert "config/compose.advertise.yaml" in found.remedy


def test_a_daemon_that_does_not_follow_is_a_problem() -> None:
    """Whether it follows is seen by its sockets, and in which network by its namespace."""
    held = evidence(Holder(is_hostwatch=True, pid=os.getpid()))
    with closing(Routes()):
        assert probe.has_netlink(os.getpid())
        assert len([*advertising(AUTO, held)]) == 1
    assert not probe.has_netlink(os.getpid())
    _, idle = advertising(AUTO, held)
    assert (idle.level, "does not follow" in idle.what) == (Level.PROBLEM, True)
    away = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 60"], stdout=subprocess.PIPE)
    try:
        assert away.stdout is not None
        away.stdout.readline()
        (elsewhere,) = advertising(AUTO, evidence(Holder(is_hostwatch=True, pid=away.pid)))
        assert "a network of its own" in elsewhere.what
    finally:
        away.kill()
        away.communicate()


SCARCE = """
from tests.doctor.test_advertising import refused
print(refused())
"""


def refused() -> Finding:
    """The finding in a process that can open one file more, and needs two sockets."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(["in", "out", "errors"]) + 1,) * 2)
    (found,) = advertising(AUTO, None)
    return found


def test_netlink_that_is_not_allowed_is_a_problem() -> None:
    """With the kernel's reason."""
    done = subprocess.run([sys.executable, "-c", SCARCE], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("problem  advertise: auto: netlink is not allowed here (Too many open files)")
