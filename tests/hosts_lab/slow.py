"""A bad cable: hands packets over between two interfaces, some time later, and loses some.

Many kernels lack netem. Run by switch.py as: slow.py INTERFACE INTERFACE DELAY_SECONDS SHARE_LOST
"""

import asyncio
import contextlib
import random
import socket
import sys

_ALL_PROTOCOLS = 0x0003  # ETH_P_ALL
_SOL_PACKET, _PACKET_VNET_HDR = 263, 15
"""From linux/socket.h and linux/if_packet.h: each packet comes with a header that says which checksum is not made yet,
as that is left to a card here, and how large the packets are that it will be cut into."""
_PACKET_OUTGOING = 4
_LARGEST = 1 << 17
_BUFFER_BYTES = 1 << 22


def main(one: str, other: str, delay: str, loss: str) -> None:
    """Hand over until killed."""
    loop = asyncio.new_event_loop()
    ends = [_opened(one), _opened(other)]
    for end, far in zip(ends, reversed(ends), strict=True):
        loop.add_reader(end, _hand_over, loop, end, far, float(delay), float(loss))
    loop.run_forever()


def _opened(interface: str) -> socket.socket:
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS))
    end.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    end.bind((interface, _ALL_PROTOCOLS))
    end.setblocking(False)
    return end


def _hand_over(
    loop: asyncio.AbstractEventLoop, end: socket.socket, far: socket.socket, delay: float, loss: float
) -> None:
    packet, source = end.recvfrom(_LARGEST)
    if source[2] != _PACKET_OUTGOING and random.random() >= loss:
        loop.call_later(delay, _send, far, packet)


def _send(far: socket.socket, packet: bytes) -> None:
    with contextlib.suppress(OSError):  # a full queue loses it, as that of a real cable does
        far.send(packet)


if __name__ == "__main__":
    main(*sys.argv[1:])
