"""The view of a program in a container. This script runs there, with only Python and glibc.

`reader.py lookups NAME COUNT ADDRESS` looks a name up so many times. `reader.py reads FILE ADDRESSES` reads a file all
the time until there is a file `/tmp/over`; a line is whole if it stood there at first, with any of these addresses.
"""

import json
import socket
import sys
import time
from pathlib import Path

_OVER = Path("/tmp/over")
_BLOCK = 100


def lookups(name: str, count: int, address: str) -> dict[str, float]:
    """The times of look-ups, one after the other."""
    took = []
    for _ in range(count):
        begun = time.perf_counter()
        found = socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
        took.append(time.perf_counter() - begun)
        if found[0][4][0] != address:
            raise SystemExit(f"{name} is {found}")
    took.sort()
    return {
        "per_second": round(count / sum(took)),
        "median_us": round(took[count // 2] * 1e6, 1),
        "p99_us": round(took[count * 99 // 100] * 1e6, 1),
    }


def reads(path: Path, addresses: set[str]) -> dict[str, int]:
    """The number of reads, of empty texts, and of texts with a line that is neither old nor new."""
    while not (text := path.read_text()).endswith("# hostwatch: end\n"):
        pass  # the file is just being written
    first = text.splitlines()
    whole = {*first, *(f"{address:<16}{line[16:]}" for line in first if line[15:16] == " " for address in addresses)}
    count = empty = torn = 0
    while not _OVER.exists():
        for _ in range(_BLOCK):
            text = path.read_text()
            empty += not text
            torn += not whole.issuperset(text.splitlines())
        count += _BLOCK
    return {"reads": count, "empty": empty, "torn": torn}


match sys.argv[1:]:
    case ["lookups", name, count, address]:
        print(json.dumps(lookups(name, int(count), address)))
    case ["reads", path, addresses]:
        print(json.dumps(reads(Path(path), set(json.loads(addresses)))))
