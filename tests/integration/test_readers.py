"""A process that only reads the file, while the database moves."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Lab, eventually

pytestmark = pytest.mark.parametrize("engine", ["28.5"], indirect=True)

CHANGES = {"hosts": 80, "resolv": 40}
"""Of each file. A change takes the engine a tenth of a second or two."""

LOCALHOST = "127.0.0.1\tlocalhost\n"

READER = """
import json, pathlib, signal, sys
path, known, foreign = pathlib.Path(sys.argv[1]), set(json.loads(sys.argv[2])), sys.argv[3]
going = True
def end(*_):
    global going
    going = False
signal.signal(signal.SIGTERM, end)
reads = empty = homeless = torn = 0
print("ready", flush=True)
while going:
    text = path.read_text()
    reads += 1
    empty += not text
    homeless += foreign not in text
    torn += not set(text.splitlines()) <= known
print(json.dumps([reads, empty, homeless, torn]))
"""


@pytest.mark.parametrize("kind", ["hosts", "resolv"])
def test_a_spinning_reader_sees_only_whole_files(lab: Lab, kind: str) -> None:
    """Through many moves the file is never empty, never lacks a line of the engine's, and has old or new lines only."""
    labels = {"hosts": "@{db.ip} db\n192.0.2.1 fixed", "resolv": "nameserver @{db.ip}\nnameserver 192.0.2.1"}
    line, foreign = {
        "hosts": ("{:<16}db", LOCALHOST),
        "resolv": ("nameserver {:<15}", "nameserver 127.0.0.11\n"),
    }[kind]
    web = lab.run("web", labels={f"hostwatch.{kind}": labels[kind]})
    path = lab.hosts_path(web).with_name("hosts" if kind == "hosts" else "resolv.conf")
    service = lab.run("db", address="10.123.1.1")
    # Addresses of every length: lines that move are in danger.
    addresses = [f"10.123.{2 + number % 120}.{1 + number * 3}" for number in range(CHANGES[kind])]
    lines = [line.format(address) for address in ("10.123.1.1", *addresses)]
    with lab.hostwatch():
        eventually(lambda: lines[0] in path.read_text() and "# hostwatch: end\n" in path.read_text())
        known = {*path.read_text().splitlines(), *lines}
        reader = started_reader(path, known, foreign)
        for address, line in zip(addresses, lines[1:], strict=True):
            lab.network.disconnect(service)
            lab.network.connect(service, ipv4_address=address)
            eventually(lambda line=line: line in path.read_text())  # type: ignore[misc]
        reader.terminate()
        output, _ = reader.communicate(timeout=10)
    reads, *wrong = json.loads(output)
    assert reads > CHANGES[kind]
    assert wrong == [0, 0, 0]


def started_reader(path: Path, known: set[str], foreign: str = LOCALHOST) -> subprocess.Popen[str]:
    """A process that reads the file as fast as it can."""
    command = [sys.executable, "-c", READER, str(path), json.dumps(sorted(known)), foreign]
    reader = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    return reader
