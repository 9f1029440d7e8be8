"""One engine's API: the requests that are made, and their answers as values of the core.

Implements `hostwatch.control.source.Source` and `Actions`.
"""

import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from types import TracebackType
from typing import Any, Self

import anyio.lowlevel
import anyio.to_thread

from hostwatch.control.source import EngineError, EngineInfo, Event, ExecResult, GoneError
from hostwatch.core.gossip import INGRESS, Gossip
from hostwatch.core.model import Container, ContainerKey, Endpoint, EngineId, Network, NetworkKey
from hostwatch.docker.connect import Connection
from hostwatch.docker.decode import containers, framing, networks
from hostwatch.docker.decode.engine_info import (
    api_version,
    engine_id,
    engine_info,
    has_other_nodes,
    is_podman,
    podman_info,
)
from hostwatch.docker.events import event_query, read_events
from hostwatch.docker.failures import NAME_IT, readable
from hostwatch.docker.session import CONTAINER_LIMIT, LONG_SECONDS, Session

_LISTED_LIMIT = 2 << 20
"""Bytes of a list of one container. It is requested less often than an inspection, and in place of one that is too
long."""
_GOSSIP_LIMIT = 4 << 20
"""Bytes of what a swarm's gossip tells of a network: 230 for each task, so enough for those that are taken in."""
_GOSSIP_STEP = 50
"""Tasks that are decoded between two steps of the event loop: half a millisecond."""
_DECODING = "hostwatch.docker.decode.gossip"
_VERBOSE = {"verbose": "true"}
_STEP = 20
"""Listed containers that are decoded between two steps of the event loop: a millisecond or two."""


class DockerEngine:
    """One engine. Enter it before the first request; entering connects to nothing."""

    def __init__(self, connection: Connection) -> None:
        self._session = Session(connection)
        self._id = EngineId("")
        self._is_podman = False

    def __repr__(self) -> str:
        return f"<DockerEngine {self.address}>"

    @property
    def address(self) -> str:
        """The engine's address, for people."""
        return self._session.address

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.__aexit__(kind, error, trace)

    async def ping(self) -> None:
        """Check that the engine answers."""
        await self._session.renew_tls()
        try:
            await self._session.get_bytes("/_ping", versioned=False)
        except GoneError as error:
            fault = f"{self.address}: no Docker Engine: it does not know GET /_ping ({error})"
            raise EngineError(f"{fault}; {NAME_IT}") from error

    async def info(self) -> EngineInfo:
        """The engine's identity. Settles the API version, and the engine's id in all keys, from now on."""
        await self._session.renew_tls()
        version = await self._session.get("/version", versioned=False)
        with readable(self.address):
            self._session.use_api(api_version(version))
        info = await self._info()
        with readable(self.address):
            found = engine_info(self.address, version, info)
            self._is_podman = is_podman(version)
        if self._is_podman:
            libpod = await self._session.get("/libpod/info")
            with readable(self.address):
                found = podman_info(found, self.address, libpod)
        self._id = found.id
        return found

    async def identity(self) -> EngineId:
        """The id of `info` alone. Podman has none that lasts."""
        if self._is_podman:
            return self._id
        info = await self._info()
        with readable(self.address):
            return engine_id(self.address, info)

    async def _info(self) -> Any:
        return await self._session.get("/info", seconds=LONG_SECONDS)

    async def containers(self) -> Sequence[Container]:
        """All containers, stopped ones too."""
        text = await self._session.get_bytes("/containers/json", {"all": "1"})
        found: list[Container] = []
        with readable(self.address):
            for data in framing.items(text.decode()):
                found.append(containers.listed_container(self._id, data))
                if len(found) % _STEP == 0:
                    await anyio.lowlevel.checkpoint()
        return found

    async def listed(self, key: ContainerKey) -> Container | None:
        """One container as the list shows it."""
        params = {"all": "1", "filters": json.dumps({"id": [key.id]})}
        found = await self._session.get("/containers/json", params, max_bytes=_LISTED_LIMIT)
        with readable(self.address):
            return next((containers.listed_container(self._id, data) for data in found), None)

    async def container(self, key: ContainerKey, seconds: float) -> Container:
        """One container with all facts."""
        data = await self._session.get(f"/containers/{key.id}/json", max_bytes=CONTAINER_LIMIT, seconds=seconds)
        with readable(self.address):
            return containers.inspected_container(self._id, data)

    async def networks(self) -> Sequence[Network]:
        """All networks."""
        found = await self._session.get("/networks")
        with readable(self.address):
            return [networks.network(self._id, data) for data in found]

    async def network(self, key: NetworkKey) -> Network:
        """One network."""
        data = await self._session.get(f"/networks/{key.id}")
        with readable(self.address):
            return networks.network(self._id, data)

    async def endpoint(self, network: NetworkKey, container: ContainerKey, name: str) -> Endpoint | None:
        """A container's endpoint on a network."""
        data = await self._session.get(f"/networks/{network.id}")
        with readable(self.address):
            return networks.network_endpoint(data, container.id, name)

    async def gossip(self, network: NetworkKey) -> Gossip:
        """What a swarm's gossip tells of an overlay network."""
        if _DECODING not in sys.modules:  # one host alone does not load this, which takes some 10 ms
            await anyio.to_thread.run_sync(import_module, _DECODING)
        from hostwatch.docker.decode.gossip import GossipReader  # noqa: PLC0415

        text = await self._session.get_bytes(f"/networks/{network.id}", _VERBOSE, max_bytes=_GOSSIP_LIMIT)
        with readable(self.address):
            reader = GossipReader(network, text.decode())
            for number, _ in enumerate(reader.steps(), 1):
                if number % _GOSSIP_STEP == 0:
                    await anyio.lowlevel.checkpoint()
            return reader.gossip()

    async def nodes(self) -> frozenset[str] | None:
        """The addresses of the nodes of the swarm that are heard."""
        from hostwatch.docker.decode.gossip import peers  # noqa: PLC0415

        try:
            data = await self._session.get(f"/networks/{INGRESS}", _VERBOSE, max_bytes=_GOSSIP_LIMIT)
        except GoneError:
            return None
        with readable(self.address):
            return frozenset(peers(data.get("Peers")))

    async def has_other_nodes(self) -> bool:
        """Whether the swarm has more nodes than this one, heard or not."""
        info = await self._session.get("/info")
        with readable(self.address):
            return has_other_nodes(info)

    def created(self, event: Event) -> Container | None:
        """The new container of a `create` event."""
        return containers.created_container(event)

    @asynccontextmanager
    async def events(self, after: int | None = None) -> AsyncIterator[AsyncIterator[Event | None]]:
        """Subscribe to the events that may change an address; events since `after` come first."""
        await self._session.renew_tls()
        async with self._session.stream("/events", event_query(after)) as content:
            yield read_events(self._id, content)

    async def exec(self, key: ContainerKey, command: Sequence[str], user: str = "") -> ExecResult:
        """Run a command in a running container to its end."""
        create = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(command), "User": user}
        with readable(self.address):
            identity = json.loads(await self._session.post(f"/containers/{key.id}/exec", body=create))["Id"]
        start = {"Detach": False, "Tty": False}
        try:
            stream = await self._session.post(f"/exec/{identity}/start", body=start, seconds=LONG_SECONDS)
        except EngineError as error:
            # Some engines answer the start with an error if there is no such program.
            if "executable file not found" in str(error) or "no such file or directory" in str(error):
                return ExecResult(127, b"", str(error).encode())
            raise
        state = await self._session.get(f"/exec/{identity}/json")
        with readable(self.address):
            return ExecResult(int(state["ExitCode"]), *framing.output(stream))

    async def kill(self, key: ContainerKey, signal: str) -> None:
        """Send a signal to the container's first process."""
        await self._session.post(f"/containers/{key.id}/kill", {"signal": signal})

    async def restart(self, key: ContainerKey) -> None:
        """Restart a container; returns when it runs again, after its own stop timeout at the latest."""
        await self._session.post(f"/containers/{key.id}/restart", seconds=LONG_SECONDS)
