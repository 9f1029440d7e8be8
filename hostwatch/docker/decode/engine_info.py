"""An engine's identity: its id, version, data root and clock."""

import dataclasses
from pathlib import Path

from hostwatch.control.source import EngineInfo
from hostwatch.core.model import EngineId
from hostwatch.docker.decode.fields import Json, moment

NEWEST_API = (1, 52)
"""The newest API version whose answers are known here (engine 29); a newer engine is asked for this one."""
_FALLBACK_API = "1.41"
"""Engine 20.10: the oldest engine that is supported."""


def api_version(version: Json) -> str:
    """The API version to use, from `GET /version`."""
    try:
        major, minor = (int(part) for part in version.get("ApiVersion", _FALLBACK_API).split("."))
    except ValueError:
        return _FALLBACK_API
    return "{}.{}".format(*min((major, minor), NEWEST_API))


def is_podman(version: Json) -> bool:
    """Whether `GET /version` is Podman's."""
    return any(part.get("Name") == "Podman Engine" for part in version.get("Components") or ())


def engine_id(address: str, info: Json) -> EngineId:
    """The id in `GET /info`; an engine without one is identified by its address."""
    return EngineId(info.get("ID") or address)


def engine_info(address: str, version: Json, info: Json) -> EngineInfo:
    """The engine of `GET /version` and `GET /info`."""
    return EngineInfo(
        id=engine_id(address, info),
        version=version.get("Version", ""),
        api=api_version(version),
        root=Path(info.get("DockerRootDir") or "/var/lib/docker"),
        clock=clock(info),
        name=info.get("Name") or "",
    )


def podman_info(engine: EngineInfo, address: str, libpod: Json) -> EngineInfo:
    """Podman (4.3): its `ID` differs at each request, and its files are elsewhere, as `GET /libpod/info` says."""
    store = libpod["store"]
    return dataclasses.replace(
        engine,
        id=EngineId(address),
        root=Path(store["runRoot"]),
        containers=Path(f"{store['graphDriverName']}-containers"),
        hosts=Path("userdata/hosts"),
        resolv=Path("userdata/resolv.conf"),
        keeps_comments=False,
    )


def has_other_nodes(info: Json) -> bool:
    """Whether the swarm has more nodes than this one, by `GET /info`: a manager counts them, anyone knows managers."""
    swarm = info.get("Swarm") or {}
    managers = {manager.get("NodeID") for manager in swarm.get("RemoteManagers") or ()}
    return int(swarm.get("Nodes") or 0) > 1 or bool(managers - {swarm.get("NodeID")})


def clock(info: Json) -> int | None:
    """The engine's own time in `GET /info`, in nanoseconds, rounded down to a second: rather early than late."""
    found = moment(info.get("SystemTime"))
    return int(found) * 10**9 if found is not None else None
