"""The floor: reads the stream, makes one request and one write. It knows one service, `db`, and handles no error.

`python bench/floor.py DATA_ROOT [FILE]`, with the engine's socket in `DOCKER_HOST`; the files must be right at the
start, and `db` the first name in each block. It is of no practical use.
"""

import http.client
import json
import os
import socket
import sys
from pathlib import Path
from urllib.parse import quote

BEGIN = b"\n# hostwatch: begin\n"


class Connection(http.client.HTTPConnection):
    """A connection to the engine's socket."""

    def connect(self) -> None:
        """Connect, as the base class requires."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))


def main() -> None:
    """Follow `db` for ever."""
    kept = [*Path(sys.argv[1]).glob("containers/*/hosts"), *map(Path, sys.argv[2:])]
    files = [path for path in kept if BEGIN in path.read_bytes()]
    stream, asking = Connection("localhost"), Connection("localhost")
    filters = quote(json.dumps({"type": ["network"], "event": ["connect"]}))
    stream.request("GET", f"/events?filters={filters}")
    response = stream.getresponse()
    print("ready", flush=True)
    for line in response:
        actor = json.loads(line)["Actor"]
        asking.request("GET", f"/networks/{actor['ID']}")
        members = json.loads(asking.getresponse().read())["Containers"]
        member = members.get(actor["Attributes"]["container"], {"Name": ""})
        if member["Name"] == "db":
            write(files, member["IPv4Address"].partition("/")[0])


def write(files: list[Path], address: str) -> None:
    """Put the address into each file, in the place of the one that is there."""
    for path in files:
        with path.open("r+b", buffering=0) as file:
            file.seek(file.read().rindex(BEGIN) + len(BEGIN))
            file.write(address.ljust(15).encode())


if __name__ == "__main__":
    main()
