"""The host's own addresses, told by a real kernel, in a network namespace of the test's own."""

import subprocess
import sys
import textwrap

import pytest

from hostwatch.network.routes import Routes

_BEGIN = """
import socket, subprocess
import anyio
from hostwatch.network.routes import Routes, own_addresses

routes = Routes()

def found():
    own = routes.found()
    assert own == own_addresses()
    return [str(address) for address in (own.ipv4, own.ipv6) if address is not None]

async def ip(*lines):
    for line in lines:
        subprocess.run(["ip", *line.split()], check=True)
        with anyio.fail_after(10):
            await routes.changed()

async def link():
    await ip("link add far type veth peer name near", "link set far up", "link set near up")

async def v4():
    await ip("address add 192.0.2.10/24 dev near", "route add default via 192.0.2.1")

async def v6():
    await ip("address add 2001:db8::10/64 dev near nodad", "-6 route add default via 2001:db8::1")

async def main():
"""


def in_namespace(body: str) -> None:
    """Run the body, of an async function, in a network namespace of its own."""
    script = _BEGIN + textwrap.indent(textwrap.dedent(body), "    ") + "\nanyio.run(main)\n"
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_the_source_address_of_each_family_s_default_route() -> None:
    """It is told of each step, and followed."""
    in_namespace("""
        assert found() == []
        await link()
        await ip("address add 192.0.2.10/24 dev near")
        assert found() == []
        await ip("route add default via 192.0.2.1")
        assert found() == ["192.0.2.10"]
        await v6()
        assert found() == ["192.0.2.10", "2001:db8::10"]
        await ip("address add 192.0.2.11/24 dev near", "route change default via 192.0.2.1 src 192.0.2.11")
        assert found() == ["192.0.2.11", "2001:db8::10"]
        await ip("-6 route del default")
        assert found() == ["192.0.2.11"]
        await ip("route del default")
        assert found() == []
    """)


def test_a_link_that_goes_down_takes_the_address_with_it() -> None:
    """No message of the kernel tells of its IPv4 routes."""
    in_namespace("""
        await link()
        await v4()
        assert found() == ["192.0.2.10"]
        await ip("link set near down")
        assert found() == []
    """)


def test_routing_rules_count() -> None:
    """As a VPN makes them: the table that packets would use is not the main one. No message of IPv6 is in between."""
    in_namespace("""
        with open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w") as switch:
            switch.write("1")
        await link()
        await v4()
        await ip("address add 198.51.100.7/32 dev near", "route add default dev near src 198.51.100.7 table 7")
        assert found() == ["192.0.2.10"]
        await ip("rule add table 7 priority 100")
        assert found() == ["198.51.100.7"]
        await ip("rule del table 7 priority 100", "route del default", "route add unreachable default")
        assert found() == []
    """)


def test_an_address_that_others_cannot_use_is_none() -> None:
    """Of the link alone, as before a router has answered."""
    in_namespace("""
        await link()
        await ip("-6 address add fe80::7/64 dev near nodad", "-6 route add default dev near")
        assert found() == []
    """)


@pytest.mark.slow
def test_lost_messages_do_no_harm() -> None:
    """The kernel drops what does not fit, and says so once."""
    in_namespace("""
        await link()
        await v4()
        for number in range(200):
            subprocess.run(["ip", "address", "add", f"192.0.2.{number + 20}/24", "dev", "near"], check=True)
        await routes.changed()
        with anyio.move_on_after(0.1):
            await routes.changed()
            raise AssertionError("there was more")
        assert found() == ["192.0.2.10"]
    """)


def test_closed_twice_over_nothing_is_left() -> None:
    """Neither socket."""
    routes = Routes()
    routes.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        routes.found()
