"""Size: the growth of hostwatch's costs with the engine. Cold start, one event, requests, memory; simulated engine.

One event is a container that comes back on its network with another address, after hostwatch has read everything. The
time is from the event until the subscriber's file is right.
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from asyncinotify import Inotify, Mask

from bench import simulated
from tests.usage import usage

SIZES = (100, 1_000, 10_000, 50_000)
EVENTS = 50
_APART_SECONDS = 0.05
"""Time between two events, enough that hostwatch is done with each before the next."""
_IDLE_SHARE = 0.05
"""Below this share of a core hostwatch counts as idle."""
_START_SECONDS = 300.0
_EVENT_SECONDS = 30.0


def measured(count: int) -> dict[str, Any]:
    """The figures for so many containers."""
    with tempfile.TemporaryDirectory() as directory, _hurried():
        return asyncio.run(_measured(count, Path(directory)))


@contextlib.contextmanager
def _hurried() -> Iterator[None]:
    """Run the simulated engine at the priority of hostwatch: at a lower one, a busy machine would starve it."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    lowest = os.sched_param(os.sched_get_priority_min(os.SCHED_RR))
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, lowest)
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)


def rows(sizes: tuple[int, ...] = SIZES) -> Iterator[dict[str, Any]]:
    """The figures for each size, compared with those of the first."""
    first: dict[str, Any] = {}
    for count in sizes:
        found = measured(count)
        first = first or found
        more = count - first["containers"]
        found["event_ratio"] = round(found["event_ms"] / first["event_ms"], 2)
        found["bytes_per_container"] = round((found["rss_bytes"] - first["rss_bytes"]) / more) if more else None
        yield found


async def _measured(count: int, directory: Path) -> dict[str, Any]:
    made = simulated.world(count, directory)
    server = simulated.Server(made, directory)
    socket = directory / "engine.sock"
    async with server.listening(socket):
        begun, own = time.monotonic(), time.process_time()
        async with _hostwatch(socket) as pid:
            started = await _all_right(made, directory) - begun
            start = {
                "containers": count,
                "start_seconds": round(started, 2),
                "start_cpu_seconds": round(usage(pid).cpu_seconds, 2),
                "start_bench_cpu_seconds": round(time.process_time() - own, 2),
                "start_requests": server.requests,
                "settled_cpu_seconds": round(await _settled(pid), 2),
            }
            return start | await _events(made, server, directory) | {"rss_bytes": round(usage(pid).rss_mib * 2**20)}


@contextlib.asynccontextmanager
async def _hostwatch(socket: Path) -> AsyncIterator[int]:
    hostwatch = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hostwatch", "run", "--docker-host", f"unix://{socket}"), stderr=subprocess.DEVNULL
    )
    try:
        yield hostwatch.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            hostwatch.terminate()
        await hostwatch.wait()


async def _settled(pid: int) -> float:
    """Wait until hostwatch is idle and has looked for orphans in all other files; returns its processor time so far."""
    used, before = usage(pid).cpu_seconds, -1.0
    while used > before + _IDLE_SHARE:
        await asyncio.sleep(1)
        used, before = usage(pid).cpu_seconds, used
    return used


async def _all_right(made: simulated.World, root: Path) -> float:
    """Wait until each subscriber's file is right; returns the time (monotonic seconds)."""
    until = time.monotonic() + _START_SECONDS
    for box in made.subscribers:
        block, path = simulated.wanted(made, box), _hosts(root, box)
        while block not in path.read_text():
            if time.monotonic() > until:
                raise TimeoutError(f"{path} is not right after {_START_SECONDS} s")
            await asyncio.sleep(0.01)
    return time.monotonic()


async def _events(made: simulated.World, server: simulated.Server, root: Path) -> dict[str, Any]:
    """The figures of single events, one after the other."""
    subscribers = made.subscribers
    took, requests, own = [], server.requests, 0.0
    for number in range(EVENTS):
        subscriber = subscribers[number % len(subscribers)]
        service = made.by_service[subscriber.project, "db"]
        simulated.disconnect(made, service)
        await asyncio.sleep(_APART_SECONDS)
        begun = time.process_time()
        took.append(await _connected(made, service, simulated.free_address(made, service, number), subscriber, root))
        own += time.process_time() - begun
        await asyncio.sleep(_APART_SECONDS)
    return {
        "event_ms": round(1000 * median(took), 2),
        "event_bench_cpu_ms": round(1000 * own / EVENTS, 2),
        "requests_per_event": round((server.requests - requests) / (2 * EVENTS), 2),
    }


async def _connected(
    made: simulated.World, service: simulated.Box, address: str, subscriber: simulated.Box, root: Path
) -> float:
    """Connect the service with this address; returns the seconds until the subscriber's file is right."""
    path = _hosts(root, subscriber)
    with Inotify() as inotify:
        inotify.add_watch(path, Mask.MODIFY)
        begun = time.monotonic()
        simulated.connect(made, service, address)
        async with asyncio.timeout(_EVENT_SECONDS):
            async for _ in inotify:
                if simulated.wanted(made, subscriber) in path.read_text():
                    break
        return time.monotonic() - begun


def _hosts(root: Path, box: simulated.Box) -> Path:
    return root / "containers" / box.id / "hosts"


def main() -> None:
    """Print the figures for each size, a JSON object a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES)
    if wrong := list(simulated.validated()):
        sys.exit(f"the simulated engine answers in another form than the recorded one: {', '.join(wrong)}")
    for row in rows(tuple(parser.parse_args().sizes)):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
