"""A plain script with docker-py that lists and inspects everything at each event, and writes each file that is wrong.

`python bench/lister.py DATA_ROOT`. It is what one writes in an evening, and what several tools do.
"""

import sys
from pathlib import Path

import docker


def main() -> None:
    """Follow the engine for ever."""
    client = docker.from_env()
    for event in client.events(decode=True):
        if event.get("Type") in ("container", "network"):
            write_all(client, Path(sys.argv[1]))


def write_all(client: docker.DockerClient, root: Path) -> None:
    """Bring every subscriber's file to what the engine says now."""
    addresses, subscribers = {}, []
    for container in client.containers.list(ignore_removed=True):
        for settings in container.attrs["NetworkSettings"]["Networks"].values():
            addresses[container.name] = settings["IPAddress"]
        if "hostwatch.hosts" in container.labels:
            subscribers.append(container.id)
    for identity in subscribers:
        path = root / "containers" / identity / "hosts"
        lines = [line for line in path.read_text().splitlines() if not line.endswith(" db") and "hostwatch" not in line]
        if address := addresses.get("db"):
            lines += ["# hostwatch: begin", f"{address:<16}db", "# hostwatch: end"]
        if (text := "\n".join(lines) + "\n") != path.read_text():
            path.write_text(text)


if __name__ == "__main__":
    main()
