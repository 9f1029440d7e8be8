"""A process that only reads the file, while the database moves."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Lab, eventually

pytestmark = pytest.mark.parametrize("engine", ["28.5"], indirect=True)

CHANGES = 80

READER = """
import json, pathlib, signal, sys
path, known = pathlib.Path(sys.argv[1]), set(json.loads(sys.argv[2]))
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
    homeless += "127.0.0.1\\tlocalhost\\n" not in text
    torn += not set(text.splitlines()) <= known
print(json.dumps([reads, empty, homeless, torn]))
"""


def test_a_spinning_reader_sees_only_whole_files(lab: Lab) -> None:
    """Through 80 moves the file is never empty, never lacks localhost, and each line is an old or a new one."""
    web = lab.run("web", labels={"hostwatch.hosts": "@{db.ip} db\n192.0.2.1 fixed"})
    service = lab.run("db", address="10.123.1.1")
    addresses = [f"10.123.{2 + number // 100}.{1 + number % 100 * 2}" for number in range(CHANGES)]
    lines = [f"{address:<16}db" for address in ("10.123.1.1", *addresses)]
    with lab.hostwatch():
        eventually(lambda: lines[0] in lab.hosts(web) and lab.hosts(web).endswith("# hostwatch: end\n"))
        known = {*lab.hosts(web).splitlines(), *lines}
        reader = started_reader(lab.hosts_path(web), known)
        for address, line in zip(addresses, lines[1:], strict=True):
            lab.network.disconnect(service)
            lab.network.connect(service, ipv4_address=address)
            eventually(lambda line=line: line in lab.hosts(web))  # type: ignore[misc]
        reader.terminate()
        output, _ = reader.communicate(timeout=10)
    reads, *wrong = json.loads(output)
    assert reads > CHANGES
    assert wrong == [0, 0, 0]


def started_reader(path: Path, known: set[str]) -> subprocess.Popen[str]:
    """A process that reads the file as fast as it can."""
    command = [sys.executable, "-c", READER, str(path), json.dumps(sorted(known))]
    reader = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    return reader
