"""Writes changes to a file of the history until it is killed; says after each write which number is safe.

python -m tests.archive.writer FILE
"""

import ipaddress
import random
import sys
from pathlib import Path

from hostwatch.archive.archive import open_archive
from hostwatch.control.archive import Altered, Entry
from hostwatch.control.blocks import FileKey
from hostwatch.control.history import Change
from hostwatch.core.block.delta import delta
from hostwatch.core.block.differences import NameChange
from hostwatch.core.block.records import Block, Record
from hostwatch.core.model import ContainerId, ContainerKey, EngineId

_FILES = 20
BEGUN = 4e9
"""A change is so many seconds later than this as its number tells: after any real time."""


def key(number: int) -> FileKey:
    """The key of one of the files."""
    return FileKey(ContainerKey(EngineId("engine"), ContainerId(f"web-{number % _FILES}")))


def block(number: int) -> Block:
    """The block of a file after that change."""
    address = ipaddress.IPv4Address(0x0A000000 + number)
    return Block((Record(address, ("db",)), Record(ipaddress.IPv4Address("10.9.9.9"), ("cache",))))


def entries(number: int) -> list[Entry]:
    """What is written of one change. Its number is its time, and the first address tells it."""
    before, after = block(number - _FILES) if number > _FILES else Block(), block(number)
    old = before.records[0].address if before else None
    names = (NameChange("db", (old,) if old is not None else (), (after.records[0].address,)),)
    at, owner = BEGUN + number, key(number)
    change = Change(number, at, owner.owner, owner.owner.id, "start of db", names, (), (), 0.001)
    return [change, Altered(at, owner, owner.owner.id, delta(before, after))]


def main(path: Path) -> None:
    """Write batches of some changes, and prune now and then."""
    archive, found = open_archive(path)
    number = found.last_number
    while True:
        batch = range(number + 1, number + 1 + random.randint(1, 30))
        archive.write([entry for each in batch for entry in entries(each)])
        number = batch[-1]
        print(number, flush=True)
        if random.random() < 0.02:
            archive.prune(BEGUN + number - 2_000)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
