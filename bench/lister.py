"""A plain script with docker-py that lists and inspects everything at each event, and writes each file that is wrong.

`python bench/lister.py DATA_ROOT [FILE]`, a file on the host that gets every name. It is a script of an evening's work,
and does the same as docker-gen and others.
"""

import sys
from pathlib import Path

import docker

ACTIONS = ["start", "die", "connect", "disconnect"]


def main() -> None:
    """Follow the engine for ever."""
    client = docker.from_env(timeout=600)
    events = client.events(decode=True, filters={"type": ["container", "network"], "event": ACTIONS})
    root, *files = map(Path, sys.argv[1:])
    write_all(client, root, files)
    print("ready", flush=True)
    for _ in events:
        write_all(client, root, files)


def write_all(client: docker.DockerClient, root: Path, host_files: list[Path]) -> None:
    """Write every subscriber's file by the engine's present answers."""
    addresses: dict[str, str] = {}
    subscribers = dict.fromkeys(host_files, True)
    for container in client.containers.list(ignore_removed=True):  # docker-py inspects each of them, too
        for settings in container.attrs["NetworkSettings"]["Networks"].values():
            if settings["IPAddress"]:
                addresses[str(container.name)] = settings["IPAddress"]
        if {"hostwatch.hosts", "hostwatch.services"} & container.labels.keys():
            path = root / "containers" / str(container.id) / "hosts"
            subscribers[path] = "hostwatch.services" in container.labels
    for path, everything in subscribers.items():
        names = sorted(addresses) if everything else [name for name in ("db",) if name in addresses]
        write(path, [f"{addresses[name]:<16}{name}" for name in names])


def write(path: Path, records: list[str]) -> None:
    """Put the records behind the engine's lines, unless they are there."""
    try:
        old = path.read_text()
        text = old.partition("# hostwatch: begin\n")[0] + "\n".join(
            ["# hostwatch: begin", *records, "# hostwatch: end", ""]
        )
        if text != old:
            path.write_text(text)
    except FileNotFoundError:  # the container is gone
        pass


if __name__ == "__main__":
    main()
