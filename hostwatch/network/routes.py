"""The host's own addresses to others: the source addresses that the kernel takes on its default routes, by netlink.

The kernel's messages are not parsed: each only says that something may have changed, so that the kernel is asked again.
So it does no harm if some are lost. The question is that of `ip route get`; no packet is sent.

pyroute2 (0.9.7) does it, too, and takes 13 MB of memory and 0.2 s of processor time to load; this takes neither.
"""

import asyncio
import errno
import ipaddress
import socket
import struct
from collections.abc import Iterator
from contextlib import closing

import anyio

from hostwatch.core.model import Address, HostAddresses

_GROUPS = 0x1 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 0x40000
"""Changes of links, addresses, and routes and rules of both families (linux/rtnetlink.h). A link that goes down takes
IPv4 routes with it, and no message tells of these."""
_ROOM = 4096
"""Bytes for messages that wait. A few are enough. The kernel drops more: a router may have thousands a second."""
_ANSWER = 8192
"""Bytes of an answer; one has some 100."""
_FAR = (ipaddress.ip_address("198.41.0.4"), ipaddress.ip_address("2001:503:ba3e::2:30"))
"""Addresses on the internet to which hosts have no route but the default one (a.root-servers.net). Nothing is sent."""

_MESSAGE = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_GET_ROUTE, _NEW_ROUTE, _REQUEST = 26, 24, 1
_DESTINATION, _SOURCE = 1, 7


class Routes:
    """The host's routes: what the kernel says of them now, and whether it may say something else."""

    def __init__(self) -> None:
        """Raises `OSError` if netlink is not allowed here."""
        self._news = _netlink(_GROUPS)
        try:
            self._questions = _netlink(0)
        except OSError:
            self._news.close()
            raise
        self._asked = 0

    def close(self) -> None:
        """Close both sockets."""
        self._news.close()
        self._questions.close()

    def found(self) -> HostAddresses:
        """The host's addresses to others now. Takes some 10 µs. Raises `OSError` if the kernel does not answer."""
        ipv4, ipv6 = map(self._source, _FAR)
        return HostAddresses(
            ipv4 if isinstance(ipv4, ipaddress.IPv4Address) else None,
            ipv6 if isinstance(ipv6, ipaddress.IPv6Address) else None,
        )

    def has(self, target: Address) -> bool:
        """Whether there is a route to `target` from an address that others can use. Raises `OSError`."""
        return self._source(target) is not None

    async def changed(self) -> None:
        """Wait until the addresses may be others."""
        loop, come = asyncio.get_running_loop(), anyio.Event()
        loop.add_reader(self._news, come.set)
        try:
            await come.wait()
        finally:
            loop.remove_reader(self._news)
        self._drop_news()

    def _drop_news(self) -> None:
        while True:
            try:
                self._news.recv(_ANSWER)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # messages were dropped
                    raise

    def _source(self, target: Address) -> Address | None:
        """The source address of packets to `target`; `None` if there is no route, or no address that others can use."""
        self._asked += 1
        self._questions.send(_question(self._asked, target))
        while True:
            answer = self._questions.recv(_ANSWER)  # the kernel has answered within `send`
            _, kind, _, number, _ = _MESSAGE.unpack_from(answer)
            if number == self._asked:
                break
        source = dict(_attributes(answer)).get(_SOURCE) if kind == _NEW_ROUTE else None
        found = ipaddress.ip_address(source) if source is not None else None
        if found is None or found.is_link_local or found.is_loopback or found.is_unspecified:
            return None
        return found


def own_addresses() -> HostAddresses | None:
    """The host's addresses to others now; `None` if the kernel cannot be asked."""
    try:
        with closing(Routes()) as routes:
            return routes.found()
    except OSError:
        return None


def _netlink(groups: int) -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
        made.bind((0, groups))
    except OSError:
        made.close()
        raise
    return made


def _question(number: int, target: Address) -> bytes:
    family = socket.AF_INET if target.version == 4 else socket.AF_INET6
    route = _ROUTE.pack(family, target.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
    attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(target.packed), _DESTINATION) + target.packed
    length = _MESSAGE.size + len(route) + len(attribute)
    return _MESSAGE.pack(length, _GET_ROUTE, _REQUEST, number, 0) + route + attribute


def _attributes(answer: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes of a route, each with its number."""
    start = _MESSAGE.size + _ROUTE.size
    while start + _ATTRIBUTE.size <= len(answer):
        length, number = _ATTRIBUTE.unpack_from(answer, start)
        if length < _ATTRIBUTE.size:
            return
        yield number, answer[start + _ATTRIBUTE.size : start + length]
        start += (length + 3) & ~3  # each begins at a multiple of four
