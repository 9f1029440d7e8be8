"""How hostwatch grows with the engine: cold start, one event, requests, memory, beside a simulated engine."""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from aiohttp import web

from bench import simulated

EVENTS = 30


def rss_bytes(pid: int) -> int:
    """The resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processors."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def right(made: simulated.World, root: Path, boxes: list[simulated.Box], seconds: float) -> float:
    """Wait until the files of these subscribers are right; returns when that was (monotonic seconds)."""
    until = time.monotonic() + seconds
    for box in boxes:
        block, path = simulated.wanted(made, box), root / "containers" / box.id / "hosts"
        while block not in path.read_text():
            if time.monotonic() > until:
                raise TimeoutError(f"{path} is not right after {seconds} s")
            await asyncio.sleep(0.0005)
    return time.monotonic()


async def measured(count: int, directory: Path) -> dict[str, Any]:
    """The figures for so many containers."""
    made = simulated.world(count, directory)
    runner = web.AppRunner(simulated.Server(made, directory).application(), access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(directory / "engine.sock")).start()
    subscribers = made.subscribers
    begun = time.monotonic()
    hostwatch = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hostwatch", "run", "--docker-host", f"unix://{directory}/engine.sock"),
        stderr=subprocess.DEVNULL,
    )
    try:
        started = await right(made, directory, subscribers, 300) - begun
        cpu_start = cpu_seconds(hostwatch.pid)
        await asyncio.sleep(1)
        before, took = len(made.requests), []
        for number in range(EVENTS):
            subscriber = subscribers[number % len(subscribers)]
            service = made.by_service[subscriber.project, "db"]
            address = simulated.free_address(service, number)
            since = time.monotonic()
            simulated.moved(made, service, address)
            took.append(await right(made, directory, [subscriber], 30) - since)
            await asyncio.sleep(0.02)
        requests = [request for request in made.requests[before:] if request != "/_ping"]
        return {
            "containers": count,
            "start_seconds": round(started, 3),
            "start_cpu_seconds": round(cpu_start, 2),
            "event_ms": round(median(took) * 1000, 2),
            "requests_per_event": round(len(requests) / (2 * EVENTS), 2),
            "rss_bytes": rss_bytes(hostwatch.pid),
        }
    finally:
        with contextlib.suppress(ProcessLookupError):
            hostwatch.terminate()
        await hostwatch.wait()
        await runner.cleanup()


def main() -> None:
    """Print the figures for each size, a JSON object a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[100, 1000, 10000])
    for count in parser.parse_args().sizes:
        with tempfile.TemporaryDirectory() as directory:
            print(json.dumps(asyncio.run(measured(count, Path(directory)))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
