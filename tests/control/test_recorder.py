"""The changes that are made of comparisons, and the blocks of any earlier moment that are rebuilt from them."""

import ipaddress
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostwatch.control.archive import Opened
from hostwatch.control.blocks import KEPT_LINES, KEPT_STEPS, FileKey
from hostwatch.control.causes import AWAY
from hostwatch.control.comparison import Comparison
from hostwatch.control.history import History
from hostwatch.control.recorder import Finding
from hostwatch.core.block.differences import name_changes
from hostwatch.core.block.records import Block, Record, Withheld
from hostwatch.core.model import ContainerId, ContainerKey, EngineId
from tests.control.memory import recorder
from tests.effort import examples

NAMES = ["db", "cache", "mq"]
NOTHING = Block()
lines = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 4))
reasons = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["no running container", "not healthy"]))


def block(addresses: dict[str, int], withheld: dict[str, str] | None = None) -> Block:
    """A block with a record for each name, and the withheld lines with their reasons."""
    records = tuple(Record(ipaddress.IPv4Address(f"10.0.0.{last}"), (name,)) for name, last in addresses.items())
    return Block(records, tuple(Withheld(f"@{{{name}.ip}} {name}", why) for name, why in (withheld or {}).items()))


blocks = st.builds(block, lines, reasons)


def key(name: str) -> ContainerKey:
    """The key of the file of `name`."""
    return ContainerKey(EngineId("engine"), ContainerId(name))


class Files:
    """Files with a recorder."""

    def __init__(self) -> None:
        self.history = History()
        self.recorder = recorder(self.history)
        self.blocks = self.recorder.blocks
        self.blocks.known_since = 0.0
        self.known: dict[str, Block] = {}

    def write(self, at: float, name: str, after: Block, before: Block | None = None, *, quiet: bool = False) -> None:
        """The file of `name` was compared, and now has the block `after`."""
        known = self.known.get(name, NOTHING)
        before = known if before is None else before
        text = b"text" if before != after else None
        note = Comparison(key(name), name, f"cause {at}", text, before, known, after, 0.001, quiet=quiet)
        self.recorder.compared(note, Finding(at, before, name_changes(before, after)))
        self.known[name] = after

    def rebuilt(self, at: float) -> dict[str, Block]:
        """The blocks of that moment."""
        return {each.subscriber: each.block for each in self.blocks.rebuilding(at)()}

    @property
    def causes(self) -> Sequence[str]:
        """The causes of all changes."""
        return [change.cause for change in self.history.changes]


@given(st.lists(st.tuples(st.sampled_from(["web", "app"]), st.none() | blocks), max_size=12))
@settings(max_examples=examples(300), deadline=None)
def test_each_moment_is_rebuilt(steps: list[tuple[str, Block | None]]) -> None:
    """Withheld lines with their reasons, and files that end and come back (`None`), included."""
    files, expected, were = Files(), dict[str, Block](), [dict[str, Block]()]
    for at, (name, after) in enumerate(steps, 1):
        if after is None:
            files.recorder.ended(FileKey(key(name)), at)
            files.known.pop(name, None)
            expected.pop(name, None)
        else:
            files.write(at, name, after)
            expected[name] = after
        were.append({each: standing for each, standing in expected.items() if standing})
    assert [files.rebuilt(at + 0.5) for at in range(len(were))] == were


def test_a_file_that_was_right_from_the_start_is_rebuilt_from_it() -> None:
    """Nothing was written, so nothing is a change."""
    files = Files()
    files.known["web"] = block({"db": 1})
    files.write(1, "web", block({"db": 1}))
    assert files.causes == []
    assert files.rebuilt(1.5) == {"web": block({"db": 1})}


@pytest.mark.slow
def test_memory_ends_somewhere() -> None:
    """Moments before that are not known, rather than wrong; long changes count by their lines."""
    files = Files()
    for at in range(1, KEPT_STEPS + 3):
        files.write(at, "web", block({"db": at % 200 + 1}))
    assert files.blocks.known_since == 2
    assert files.rebuilt(1.5) == {}
    assert files.rebuilt(2) == {"web": block({"db": 3})}
    many = Block(tuple(Record(ipaddress.IPv4Address(number), (f"n{number}",)) for number in range(KEPT_LINES)))
    files.write(3_000, "app", many)
    files.write(3_001, "web", NOTHING)
    assert files.causes == ["cause 3001"]
    assert files.blocks.known_since == 3_000
    assert files.rebuilt(3_000.5).keys() == {"web", "app"}


def test_drift_changes_names_and_no_block() -> None:
    """The names are those that the file showed; the block is the same as before."""
    files = Files()
    files.write(1, "web", block({"db": 1}))
    files.write(2, "web", block({"db": 1}), before=block({"db": 4}))
    drift = files.history.changes[-1]
    assert [str(name) for name in drift.names] == ["db 10.0.0.4 → 10.0.0.1"]
    assert files.rebuilt(1.5) == files.rebuilt(2.5)


def test_another_order_is_no_change_but_is_rebuilt() -> None:
    """No name has another address, so nobody looks for it."""
    files = Files()
    files.write(1, "web", block({"db": 1, "cache": 2}))
    files.write(2, "web", block({"cache": 2, "db": 1}))
    assert files.causes == ["cause 1"]
    assert files.rebuilt(1.5) == {"web": block({"db": 1, "cache": 2})}
    assert files.rebuilt(2.5) == {"web": block({"cache": 2, "db": 1})}


def test_another_reason_is_no_change_but_is_rebuilt() -> None:
    """A container that is being started has another one for a moment; each start would be two changes."""
    files = Files()
    files.write(1, "web", block({}, {"db": "no running container"}))
    files.write(2, "web", block({}, {"db": "not healthy"}))
    files.write(3, "web", block({"db": 1}))
    assert [(change.withheld, change.no_longer_withheld) for change in files.history.changes] == [
        ((Withheld("@{db.ip} db", "no running container"),), ()),
        ((), ("@{db.ip} db",)),
    ]
    assert files.rebuilt(1.5) == {"web": block({}, {"db": "no running container"})}
    assert files.rebuilt(2.5) == {"web": block({}, {"db": "not healthy"})}


def test_a_rebuild_during_a_start_is_no_change_of_its_own() -> None:
    """The engine rebuilds the file up to three times at one start."""
    files = Files()
    files.write(1, "web", block({"db": 1}))
    files.write(2, "web", block({"db": 1}), before=NOTHING, quiet=True)
    assert files.causes == ["cause 1"]


def test_what_happened_while_nobody_looked_is_one_change() -> None:
    """From the last recorded block to the one that stands now, whatever was in between."""
    files = Files()
    earlier = block({"db": 1, "cache": 2}, {"mq": "no running container"})
    files.recorder.opened(Opened(41, {FileKey(key(name)): earlier for name in ("web", "app", "same")}))
    files.write(1, "web", block({"db": 3, "cache": 2}), before=NOTHING)  # rebuilt by the engine
    files.write(2, "app", block({"db": 3, "cache": 2}), before=earlier)  # written by this daemon
    files.write(3, "same", earlier, before=earlier)
    web, app = files.history.changes
    assert (web.cause, app.cause) == (AWAY, "cause 2")
    assert (web.number, app.number) == (42, 43)
    for change in (web, app):
        assert [str(name) for name in change.names] == ["db 10.0.0.1 → 10.0.0.3"]
        assert change.no_longer_withheld == ("@{mq.ip} mq",)
    assert files.rebuilt(0.5) == {"web": earlier, "app": earlier, "same": earlier}


def test_records_are_known_since_their_last_change() -> None:
    """A record that was there before the first look is older than that."""
    files = Files()
    files.write(1, "web", block({"db": 1, "cache": 2}), before=block({"cache": 2}))
    files.write(2, "web", block({"db": 3, "cache": 2}))
    files.write(3, "web", block({"cache": 2, "db": 3}))  # another order
    db, cache = block({"db": 3, "cache": 2}).records
    sinces = files.blocks.dating()()[FileKey(key("web"))]
    assert sinces.get(db) == 2
    assert cache not in sinces
    gone = block({"cache": 2}, {"db": "no running container"})
    files.write(4, "web", gone)
    files.write(5, "web", block({"cache": 3}, {"db": "no running container"}))
    assert files.blocks.dating()()[FileKey(key("web"))][gone.withheld[0]] == 4
