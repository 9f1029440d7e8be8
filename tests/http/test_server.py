"""Where the server listens: sockets in the file system and ports, whatever was there before, and only while it may."""

import socket
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from loguru import logger

from hostwatch.http import server
from hostwatch.http.server import Server
from hostwatch.http.sockets import Address, PlaceTakenError, bound, control_socket, standby_socket
from tests.http.site import ENGINE, Shown, answer, free_port, serving

GET = b"GET /healthz HTTP/1.0\r\n\r\n"


def test_a_name_is_taken_from_the_engine_alone(tmp_path: Path) -> None:
    """An engine chooses its id, and cannot lead elsewhere by it."""
    assert control_socket(tmp_path, "0123456789abcdef").name == "0123456789ab.sock"
    assert control_socket(tmp_path, "AB12:CD34:EF56:GH78").name == "AB12:CD34:EF.sock"
    # Podman's engines are known by their addresses.
    addresses = ("unix:///run/podman/podman.sock", "unix:///run/user/1000/podman/podman.sock")
    assert len({control_socket(tmp_path, address) for address in addresses}) == 2
    for hostile in ("../../etc/x", "..", "/", "\0", "a.b\nc", "\udc80"):
        assert control_socket(tmp_path, hostile).parent == tmp_path
        assert standby_socket(tmp_path, hostile).parent == tmp_path


def test_a_socket_that_nobody_listens_at_is_replaced(tmp_path: Path) -> None:
    """As one is left by a process that was killed. The mode is right from the first moment."""
    place = tmp_path / "made" / "x.sock"
    left = bound(Address(place, is_control=True))
    left.socket.close()
    made = bound(Address(place, 0o660))
    assert place.stat().st_mode & 0o777 == 0o660
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(place))
    left.close()
    assert place.exists()
    made.close()
    assert [*place.parent.iterdir()] == []


def test_what_is_in_use_is_left_alone(tmp_path: Path) -> None:
    """A socket with a listener, also one whose queue is full; and a file that is no socket."""
    busy, file = tmp_path / "busy", tmp_path / "file"
    file.write_text("precious")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(busy))
        listener.listen(0)
        first.connect(str(busy))
        for place in (busy, file):
            with pytest.raises(PlaceTakenError):
                bound(Address(place, is_control=True))
    assert file.read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["busy", "file"]


def test_a_directory_that_is_missing_is_made_for_the_control_socket_only(tmp_path: Path) -> None:
    """Elsewhere it may be a typing error."""
    with pytest.raises(FileNotFoundError):
        bound(Address(tmp_path / "absent" / "http.sock"))


async def test_an_address_that_is_taken_is_told_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other sockets answer meanwhile."""
    monkeypatch.setattr(server, "_RETRY_SECONDS", 0.05)
    port = await free_port()
    lines: list[str] = []
    sink = logger.add(lines.append, format="{level} {message}", level="INFO")
    try:
        async with anyio.create_task_group() as tasks:
            with socket.socket() as other:
                other.bind(("127.0.0.1", port))
                other.listen()
                tasks.start_soon(Server(Shown(), tmp_path, Address(("127.0.0.1", port))).run)
                with anyio.fail_after(20):
                    while not lines:  # noqa: ASYNC110  # nobody tells
                        await anyio.sleep(0.01)
                async with await anyio.connect_unix(tmp_path / "0123456789ab.sock") as stream:
                    assert b"200 OK" in await answer(stream, GET)
                await anyio.sleep(0.3)
            with anyio.fail_after(20):
                while len(lines) < 2:  # noqa: ASYNC110  # nobody tells
                    await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()
    finally:
        logger.remove(sink)
    assert lines[0].startswith(f"ERROR HTTP: http://127.0.0.1:{port} cannot be had (Address already in use): ")
    assert lines[1] == f"INFO answers at http://127.0.0.1:{port}\n"


async def exists(place: Path, *, there: bool = True) -> None:
    """Wait until the path is there, or not."""
    with anyio.fail_after(20):
        while place.exists() != there:  # noqa: ASYNC110, ASYNC240  # nobody tells
            await anyio.sleep(0.01)


async def test_a_standby_opens_neither_port_nor_control_socket(tmp_path: Path) -> None:
    """It has a socket of its own for `health`, until it takes over. It tells so, and that it is well."""
    async with serving(tmp_path) as site:
        site.view.is_active, site.view.is_standby = False, True
        site.view.news.tell()
        await exists(site.control, there=False)
        place = standby_socket(tmp_path, ENGINE)
        await exists(place)
        with pytest.raises(OSError, match=r"Connect|connect"):
            await anyio.connect_tcp("127.0.0.1", site.port)
        async with await anyio.connect_unix(place) as stream:
            text = await answer(stream, b"GET /readyz HTTP/1.0\r\n\r\n")
            assert b"200 OK" in text
            assert b"standby: another hostwatch keeps the files\n" in text
        site.view.is_active, site.view.is_standby = True, False
        site.view.news.tell()
        await exists(site.control)
        await exists(place, there=False)


async def test_another_configuration_takes_effect(tmp_path: Path) -> None:
    """At the next news, as after SIGHUP: another address, then none. The control socket stays."""
    async with serving(tmp_path) as site:
        inode = site.control.stat().st_ino
        place = tmp_path / "http.sock"
        site.adopt(Address(place, 0o660))
        await exists(place)
        assert place.stat().st_mode & 0o777 == 0o660
        async with await anyio.connect_unix(place) as stream:
            assert b"200 OK" in await answer(stream, GET)
        with pytest.raises(OSError, match=r"Connect|connect"):
            await anyio.connect_tcp("127.0.0.1", site.port)
        site.adopt(None)
        await exists(place, there=False)
        assert site.control.stat().st_ino == inode


async def test_it_tells_why_it_is_not_ready(tmp_path: Path) -> None:
    """In one line, which no engine's error can make two. The process is well all the same."""
    async with serving(tmp_path) as site:
        site.view.unready = "waiting for the engine (no\nanswer)"
        status, _, body = await site.got("/readyz")
        assert (status, body) == (503, b"waiting for the engine (no answer)\n")
        assert (await site.got("/healthz"))[0] == 200


IDLE = """
import anyio, sys
from pathlib import Path
from hostwatch.http.server import Server
from tests.http.site import Shown
from tests.http.test_server import GET, exists
from tests.http.site import answer

async def main(directory):
    place = directory / "0123456789ab.sock"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Server(Shown(), directory).run)
        await exists(place)
        await anyio.sleep(0.1)
        print("aiohttp" in sys.modules)
        async with await anyio.connect_unix(place) as stream:
            await answer(stream, GET)
        print("aiohttp" in sys.modules)
        tasks.cancel_scope.cancel()

anyio.run(main, Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_nothing_is_loaded_until_somebody_asks(tmp_path: Path) -> None:
    """An idle daemon has no use for 15 MB."""
    done = subprocess.run(
        [sys.executable, "-c", IDLE, tmp_path], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "False\nTrue\n"
