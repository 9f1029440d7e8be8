"""Records the answers of a real engine, for the simulated one: `python -m bench.record`."""

import http.client
import json
import socket
from pathlib import Path
from typing import Any

from tests import engine as engines

RECORDINGS = Path(__file__).parent / "recordings"
VERSION = engines.VERSIONS[-1]
API = "v1.51"
INFO = ("ID", "Containers", "ContainersRunning", "Driver", "DockerRootDir", "ServerVersion", "OSType")
LABELS = {
    "com.docker.compose.project": "shop",
    "com.docker.compose.service": "db",
    "com.docker.compose.container-number": "1",
    "hostwatch.hosts": "@{db.ip} db",
}


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


def asked(engine: engines.Engine, path: str) -> Any:
    """The engine's answer to a GET request."""
    connection = _Connection(engine.socket)
    connection.request("GET", path)
    return json.loads(connection.getresponse().read())


def events(engine: engines.Engine) -> list[Any]:
    """The engine's events so far."""
    connection = _Connection(engine.socket)
    connection.request("GET", f"/{API}/events?since=0&until=9999999999")
    lines = []
    connection.sock.settimeout(1.0)
    response = connection.getresponse()
    try:
        while line := response.readline():
            lines.append(json.loads(line))
    except TimeoutError:
        pass
    return lines


def main() -> None:
    """Start an engine, make all requests, and write the answers down."""
    engine = engines.start(VERSION, "bench-record")
    try:
        labels = [f"--label={key}={value}" for key, value in LABELS.items()]
        engine.docker("network", "create", "--subnet=10.99.0.0/24", "shop_default")
        engine.docker(
            *("run", "-d", "--name=shop-db-1", "--network=shop_default", "--network-alias=db", *labels),
            *("--ip=10.99.0.5", "busybox", "sleep", "1000"),
        )
        engine.docker("network", "disconnect", "shop_default", "shop-db-1")
        engine.docker("network", "connect", "--ip=10.99.0.6", "--alias=db", "shop_default", "shop-db-1")
        (listed,) = asked(engine, f"/{API}/containers/json?all=1")
        found = {
            "version": asked(engine, "/version"),
            "info": {key: value for key, value in asked(engine, f"/{API}/info").items() if key in INFO},
            "listed": listed,
            "inspected": asked(engine, f"/{API}/containers/{listed['Id']}/json"),
            "network": asked(engine, f"/{API}/networks/shop_default"),
            "networks": next(net for net in asked(engine, f"/{API}/networks") if net["Name"] == "shop_default"),
        }
        engine.docker("rm", "-f", "shop-db-1")
        for event in events(engine):
            if event["Type"] != "image":
                found[f"event-{event['Type']}-{event['Action']}"] = event
    finally:
        engine.stop()
    for name, answer in found.items():
        text = json.dumps(answer, indent=1).replace(str(engine.data_root), "/var/lib/docker")
        text = text.replace(str(engine.directory), "/var/run/docker")
        (RECORDINGS / f"{name}.json").write_text(text + "\n")
        print(name)


if __name__ == "__main__":
    main()
