"""Listens at the control socket and at the configured address, as long as this process keeps the files.

A standby listens at a socket of its own, only for `health`, and so does a process whose engine has not answered yet.
An address that cannot be had is tried again, and holds nothing up. What answers (`hostwatch.http.site`) takes 15 MB and
0.3 s. So it is loaded once it is needed, in a thread; or first of all, where the real-time that the process may have is
too little for that (`hostwatch.priority`).
"""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import anyio
import anyio.to_thread
from loguru import logger

from hostwatch.control.view import View
from hostwatch.drop_ins import drop_in
from hostwatch.http.events import Events
from hostwatch.http.sockets import Address, Listening, bound, control_socket, standby_socket

_RETRY_SECONDS = 10.0
"""Time between attempts to get an address that another process has: a port is free some seconds after its process."""
_UNKNOWN = "unknown"
"""Names the socket of a process that does not know its engine yet."""
_END_SECONDS = 1.0
"""Time for the sockets' removal at the end, on a slow file system."""

_CONTROL_REMEDY = (
    "let this process write there (in a unit RuntimeDirectory=hostwatch, in a container `--tmpfs /run/hostwatch`)"
)
_LIMIT_REMEDY = "raise the limit of open files (LimitNOFILE, --ulimit nofile; sysctl fs.file-max)"


class Server:
    """The sockets of a daemon."""

    def __init__(self, view: View, directory: Path, configured: Address | None = None) -> None:
        """`directory`: that of the control sockets."""
        self._view = view
        self._directory = directory
        self._configured = configured
        self.events = Events(view)

    def adopt(self, configured: Address | None) -> None:
        """Listen at another address from the next news on, or at none."""
        self._configured = configured

    async def run(self) -> None:
        """Listen for ever."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.events.run, name="events")
            tasks.start_soon(self._follow, self._control_address, name="control socket")
            tasks.start_soon(self._follow, self._configured_address, name="HTTP")

    def _control_address(self) -> Address | None:
        if not (self._view.is_active or self._view.is_standby):
            return None
        engine = self._view.engine_id
        place = standby_socket if engine is None or self._view.is_standby else control_socket
        return Address(place(self._directory, engine or _UNKNOWN), is_control=True)

    def _configured_address(self) -> Address | None:
        return self._configured if self._view.is_active else None

    async def _follow(self, wanted: Callable[[], Address | None]) -> NoReturn:
        """Listen at the wanted address, whichever that is at the time."""
        seen = 0
        while True:
            address = wanted()
            async with anyio.create_task_group() as tasks:
                if address is not None:
                    tasks.start_soon(self._keep_listening, address)
                while wanted() == address:
                    seen = await self._view.news.after(seen)
                tasks.cancel_scope.cancel()

    async def _keep_listening(self, address: Address) -> NoReturn:
        is_told = False
        while True:
            try:
                async with _listening(address) as listening:
                    logger.log("DEBUG" if address.is_control else "INFO", "answers at {}", address)
                    await self._answer(listening)
            except OSError as error:
                if not is_told:
                    logger.log("WARNING" if address.is_control else "ERROR", "{}", _fault(address, error))
                is_told = True
                await anyio.sleep(_RETRY_SECONDS)

    async def _answer(self, listening: Listening) -> NoReturn:
        if listening.address.is_control:
            await _first_connection(listening)
        site = await anyio.to_thread.run_sync(load)
        await site.answer(self._view, self.events, listening)
        raise AssertionError("it answers for ever")


@asynccontextmanager
async def _listening(address: Address) -> AsyncIterator[Listening]:
    """A socket that listens at the address, and is closed at the end. Raises `OSError`."""
    listening = await anyio.to_thread.run_sync(bound, address)
    try:
        yield listening
    finally:
        with anyio.move_on_after(_END_SECONDS, shield=True):
            await anyio.to_thread.run_sync(listening.close)


async def _first_connection(listening: Listening) -> None:
    """Wait until somebody connects. The connection is accepted by others."""
    loop, come = asyncio.get_running_loop(), anyio.Event()
    loop.add_reader(listening.socket, come.set)
    try:
        await come.wait()
    finally:
        loop.remove_reader(listening.socket)


def load() -> ModuleType:
    """Load what answers, unless it is loaded. Blocks for a moment."""
    from hostwatch.http import site  # noqa: PLC0415 (loads aiohttp)

    return site


def _fault(address: Address, error: OSError) -> str:
    """What prevents an address, and the remedy, in one line."""
    reason = error.strerror or str(error)
    if address.is_control:
        remedy = _LIMIT_REMEDY if error.errno in (errno.EMFILE, errno.ENFILE) else _CONTROL_REMEDY
        return (
            f"no control socket at {address} ({reason}): `status`, `why` and `history` cannot ask this daemon, and"
            f" `health` does not find it; {remedy}; the files are kept all the same"
        )
    if error.errno == errno.EADDRINUSE:
        remedy = "end the process that has it (`ss -ltnp` shows it), or choose another address in http.listen"
    elif error.errno == errno.EAFNOSUPPORT:
        remedy = f"the systemd unit allows it with the drop-in {drop_in('http.conf')}"
    else:
        remedy = "mend http.listen"
    return f"HTTP: {address} cannot be had ({reason}): {remedy}; it is tried again, and the files are kept all the same"
