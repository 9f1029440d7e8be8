"""An engine's API: the requests that are made, the event stream, and the translation of every failure.

The only importer of aiodocker, of which the event reader is not used: that one never comes back after a lost
connection. Where the engine is, is decided in `hostwatch.docker.connect`.
"""

import dataclasses
import errno
import json
import math
import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

import aiodocker
import aiohttp
import anyio
import anyio.lowlevel
import anyio.to_thread

from hostwatch.control.source import EngineError, EngineInfo, Event, ExecResult, GoneError
from hostwatch.core.model import Container, ContainerKey, Endpoint, EngineId, Network, NetworkKey
from hostwatch.docker import decode
from hostwatch.docker.connect import Connection
from hostwatch.docker.tls import wants_tls

NEWEST_API = (1, 52)
"""The newest API version whose answers are known here (engine 29); a newer engine is asked for this one."""

_REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=5)
_STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5)
_LONG_TIMEOUT = aiohttp.ClientTimeout(total=600, sock_connect=5)
"""For what may take as long as an application likes, a command, or its stop; or as its storage does: `/info`."""
_BODY_LIMIT = 4 << 20
_MESSAGE_LIMIT = 300
_CONTAINER_LIMIT = 1 << 20
"""An event, and an inspection, carries all labels of its container, which may be any number: 16 MiB of small ones took
a second to parse, at each event. Of a longer event only the beginning is read; a longer container is not known."""
_LISTED_LIMIT = 2 << 20
"""One that cannot be inspected for its length may still be listed by itself, which is asked for less often."""
_STEP = 20
"""How many listed containers are decoded between two steps of the event loop: a millisecond or two."""
_HEAD_LENGTH = 4096
"""The beginning of an event, which says what it is about; its labels come last."""

_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)
"""What decoding raises where an answer is not of the form that Docker documents."""

_EVENT_FILTERS = {
    "type": ["container", "network"],
    # Podman's words for die and destroy are among them. `kill`, `exec_…` and the rest change no address.
    "event": [
        *("create", "start", "die", "destroy", "rename", "health_status"),
        *("connect", "disconnect"),
        *("died", "remove"),
    ],
}


class _How(TypedDict, total=False):
    """How something is asked for, other than most requests are."""

    versioned: bool
    """Whether the path begins with the API's version."""
    limit: float
    """How long the answer may be, in bytes."""
    limits: aiohttp.ClientTimeout
    """How long it may take."""


class _TlsWantedError(EngineError):
    """The engine speaks TLS alone, and was asked without."""


class DockerEngine:
    """One engine. Enter it to open the connection; no request is made by that."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._docker: aiodocker.Docker | None = None
        self._connector: aiohttp.BaseConnector | None = None
        self._engine = EngineId("")
        self._renewing = anyio.Lock()

    def __repr__(self) -> str:
        return f"<DockerEngine {self.address}>"

    @property
    def address(self) -> str:
        """Where the engine is, for people."""
        return self._connection.address

    async def __aenter__(self) -> Self:
        self._connector = _connector(self._connection)
        self._docker = aiodocker.Docker(self._connection.base, self._connector, timeout=_REQUEST_TIMEOUT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._docker is not None:
            await self._docker.close()
        if self._connector is not None:
            await self._connector.close()

    async def ping(self) -> None:
        """Have the engine show that it answers."""
        await self._renew_tls()
        try:
            await self._text("/_ping", versioned=False)
        except GoneError as error:
            raise EngineError(f"{self.address} is no engine, as it does not know GET /_ping: {error}") from error

    async def info(self) -> EngineInfo:
        """Who the engine is. Settles the API version and the identity that all keys carry from now on."""
        await self._renew_tls()
        version = await self._get("/version", versioned=False)
        with _readable(self.address):
            self._client.api_version = f"v{_capped(version.get('ApiVersion', '1.41'))}"
        info = await self._get("/info", limits=_LONG_TIMEOUT)
        with _readable(self.address):
            self._engine = EngineId(info.get("ID") or self.address)
            root = Path(info.get("DockerRootDir") or "/var/lib/docker")
            api, clock = self._client.api_version[1:], decode.clock(info)
            found = EngineInfo(self._engine, version.get("Version", ""), api, root, clock=clock)
            is_podman = any(part.get("Name") == "Podman Engine" for part in version.get("Components") or ())
        return await self._podman(found) if is_podman else found

    async def _renew_tls(self) -> None:
        if self._connection.tls is not None:
            async with self._renewing:  # OpenSSL's context is not to be changed by two threads
                await anyio.to_thread.run_sync(self._connection.tls.renew)

    async def _podman(self, found: EngineInfo) -> EngineInfo:
        """What is different with Podman (4.3): its `ID` is another one at each request, and its files are elsewhere."""
        self._engine = EngineId(self.address)
        store = (await self._get("/libpod/info"))["store"]
        with _readable(self.address):
            return dataclasses.replace(
                found,
                id=self._engine,
                root=Path(store["runRoot"]),
                containers=Path(f"{store['graphDriverName']}-containers"),
                hosts=Path("userdata/hosts"),
                keeps_comments=False,
            )

    async def containers(self) -> Sequence[Container]:
        """All containers, stopped ones too."""
        text = await self._text("/containers/json", {"all": "1"})
        found: list[Container] = []
        with _readable(self.address):
            for data in decode.items(text.decode()):
                found.append(decode.listed_container(self._engine, data))
                if len(found) % _STEP == 0:
                    await anyio.lowlevel.checkpoint()
        return found

    async def listed(self, key: ContainerKey) -> Container | None:
        """One container as the list tells it."""
        filters = json.dumps({"id": [key.id]})
        found = await self._get("/containers/json", {"all": "1", "filters": filters}, limit=_LISTED_LIMIT)
        with _readable(self.address):
            return next((decode.listed_container(self._engine, data) for data in found), None)

    async def container(self, key: ContainerKey) -> Container:
        """One container, whole."""
        data = await self._get(f"/containers/{key.id}/json", limit=_CONTAINER_LIMIT)
        with _readable(self.address):
            return decode.inspected_container(self._engine, data)

    async def networks(self) -> Sequence[Network]:
        """All networks."""
        found = await self._get("/networks")
        with _readable(self.address):
            return [decode.network(self._engine, data) for data in found]

    async def network(self, key: NetworkKey) -> Network:
        """One network."""
        data = await self._get(f"/networks/{key.id}")
        with _readable(self.address):
            return decode.network(self._engine, data)

    async def endpoint(self, network: NetworkKey, container: ContainerKey) -> Endpoint | None:
        """A container's endpoint on a network."""
        data = await self._get(f"/networks/{network.id}")
        with _readable(self.address):
            return decode.network_endpoint(data, container.id)

    def created(self, event: Event) -> Container | None:
        """What an event tells of a new container by itself."""
        return decode.created_container(event)

    @asynccontextmanager
    async def events(self, after: int | None = None) -> AsyncIterator[AsyncIterator[Event | None]]:
        """Subscribe to what may change an address; what happened after that time is told first."""
        params = {"filters": json.dumps(_EVENT_FILTERS)}
        if after is not None:  # the engine's `since` includes its own moment
            params["since"] = "{}.{:09}".format(*divmod(after + 1, 10**9))
        with _translated(self._connection):
            async with self._client.session.get(
                self._at("/events"), params=params, timeout=_STREAM_TIMEOUT
            ) as response:
                await _check(response)
                yield self._read(response)

    async def _read(self, response: aiohttp.ClientResponse) -> AsyncIterator[Event | None]:
        with _translated(self._connection):
            async for line in _lines(response.content):
                if line.strip():
                    try:
                        found = decode.event(self._engine, json.loads(line))
                    except _UNREADABLE:
                        yield decode.event_of_head(self._engine, line)
                    else:
                        if found is not None:
                            yield found

    # What is done to containers.

    async def exec(self, key: ContainerKey, command: Sequence[str], user: str = "") -> ExecResult:
        """Run a command in a running container to its end."""
        wanted = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(command), "User": user}
        with _readable(self.address):
            identity = json.loads(await self._post(f"/containers/{key.id}/exec", wanted))["Id"]
        try:
            found = await self._post(f"/exec/{identity}/start", {"Detach": False, "Tty": False}, _LONG_TIMEOUT)
        except EngineError as error:
            # Where there is no such program, some engines answer the start with an error.
            if "executable file not found" in str(error) or "no such file or directory" in str(error):
                return ExecResult(127, b"", str(error).encode())
            raise
        state = await self._get(f"/exec/{identity}/json")
        with _readable(self.address):
            return ExecResult(int(state["ExitCode"]), *decode.output(found))

    async def kill(self, key: ContainerKey, signal: str) -> None:
        """Send a signal to the container's first process."""
        await self._post(f"/containers/{key.id}/kill?signal={signal}")

    async def restart(self, key: ContainerKey) -> None:
        """Restart a container; returns when it runs again, after its own stop timeout at the latest."""
        await self._post(f"/containers/{key.id}/restart", limits=_LONG_TIMEOUT)

    @property
    def _client(self) -> aiodocker.Docker:
        if self._docker is None:
            raise EngineError("not connected")
        return self._docker

    def _at(self, path: str, versioned: bool = True) -> str:
        version = f"/{self._client.api_version}" if versioned else ""
        return f"{self._client.docker_host}{version}{path}"

    async def _get(self, path: str, params: Mapping[str, str] | None = None, **how: Unpack[_How]) -> Any:
        text = await self._text(path, params, **how)
        try:
            return json.loads(text)
        except ValueError as error:
            raise EngineError(f"{self.address}: GET {path}: the answer is no JSON: {error}") from error

    async def _post(self, path: str, body: object = None, limits: aiohttp.ClientTimeout = _REQUEST_TIMEOUT) -> bytes:
        with _translated(self._connection):
            async with self._client.session.post(self._at(path), json=body, timeout=limits) as response:
                await _check(response)
                return await _bounded(response)

    async def _text(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        versioned: bool = True,
        limit: float = math.inf,
        limits: aiohttp.ClientTimeout = _REQUEST_TIMEOUT,
    ) -> bytes:
        with _translated(self._connection):
            async with self._client.session.get(self._at(path, versioned), params=params, timeout=limits) as response:
                await _check(response)
                return await _bounded(response, limit)


async def _bounded(response: aiohttp.ClientResponse, limit: float = _BODY_LIMIT) -> bytes:
    """The body, unless it is longer than any that is of use: what a command prints is up to the container."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > limit:
            raise EngineError(f"more than {limit} bytes were answered")
    return bytes(body)


def _capped(version: str) -> str:
    try:
        major, minor = (int(part) for part in version.split("."))
    except ValueError:
        return "1.41"
    return "{}.{}".format(*min((major, minor), NEWEST_API))


async def _check(response: aiohttp.ClientResponse) -> None:
    if response.status < 400:
        return
    text = (await response.read())[:500].decode("utf-8", "replace").strip()
    try:
        message = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        message = text or response.reason or ""
    if response.status == 404:
        raise GoneError(message)
    if wants_tls(message):
        raise _TlsWantedError(message)
    raise EngineError(f"the engine answered {response.status} to {response.method} {response.url.path}: {message}")


@contextmanager
def _translated(connection: Connection) -> Iterator[None]:
    """Turn what aiohttp and the operating system raise into `EngineError`, saying what to do where that is known."""
    address = connection.address
    try:
        yield
    except _TlsWantedError as error:
        remedy = "set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, or give the docker context its certificates"
        raise EngineError(f"{address} speaks TLS alone; {remedy}") from error
    except TimeoutError as error:
        raise EngineError(f"{address} did not answer in time") from error
    except aiohttp.ClientConnectorError as error:
        raise EngineError(_unconnected(connection, error.os_error)) from error
    except (aiohttp.ClientError, OSError) as error:
        # A refusal of our certificate comes in place of the first answer: the handshake is over for us by then.
        if connection.tls is not None and isinstance(error.__cause__, ssl.SSLError):
            raise EngineError(connection.tls.fault(address, error.__cause__)) from error
        raise EngineError(f"{address}: {_failure(error)}") from error


def _failure(error: Exception) -> str:
    """What became of a request that was under way. The words of aiohttp speak of its own parts."""
    match error:
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed before an answer came"
        case aiohttp.ClientPayloadError() | ConnectionResetError() | BrokenPipeError() | OSError(strerror=None):
            return "the connection was cut in the middle of an answer"
        case aiohttp.ClientResponseError():  # it quotes what it could not parse, over several lines
            return f"the answer is no HTTP: {_in_a_line(error.message)}"
        case OSError():
            return f"the connection broke: {error.strerror}"
        case _:
            return _in_a_line(str(error)) or type(error).__name__


def _in_a_line(text: str) -> str:
    return " ".join(text.split())[:_MESSAGE_LIMIT]


@contextmanager
def _readable(address: str) -> Iterator[None]:
    """Turn what decoding raises into `EngineError`: nothing is known then."""
    try:
        yield
    except _UNREADABLE as error:
        raise EngineError(f"{address}: the answer is not of the form that is expected: {error!r}") from error


def _unconnected(connection: Connection, error: OSError) -> str:
    address = connection.address
    match error:
        case ssl.SSLError() if connection.tls is not None:
            return connection.tls.fault(address, error)
        case PermissionError():
            remedy = "run hostwatch as root or as a member of the socket's group"
            return f"permission denied on {address} for user {os.geteuid()}; {remedy}"
        case FileNotFoundError() | ConnectionRefusedError():
            is_missing = isinstance(error, FileNotFoundError)
            return f"no engine at {address}: {'there is no such socket' if is_missing else 'nothing listens there'}"
        case socket.gaierror():
            return f"no engine at {address}: the host's name is not known ({error.strerror})"
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            remedy = "raise the limit of open files (LimitNOFILE, --ulimit nofile; sysctl fs.file-max)"
            return f"no connection to {address}: {error.strerror}; {remedy}"
        case _:
            return f"no engine at {address}: {error}"


def _connector(connection: Connection) -> aiohttp.BaseConnector:
    # No limit: a request that the engine holds up (an inspection during a start) must not keep others waiting.
    if connection.socket is not None:
        return aiohttp.UnixConnector(connection.socket, limit=0)
    return aiohttp.TCPConnector(ssl=connection.tls.context if connection.tls is not None else True, limit=0)


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """The lines of a stream; the beginning of one that is longer than the limit, without keeping it."""
    buffer = bytearray()
    head = b""
    async for chunk in content.iter_any():
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            buffer += chunk[start:end]
            start = end + 1
            yield head or bytes(buffer)
            head = b""
            buffer.clear()
        buffer += chunk[start:]
        if len(buffer) > _CONTAINER_LIMIT:
            head = head or bytes(buffer[:_HEAD_LENGTH])
            buffer.clear()
