"""The file of the history: what is written is read again, at any moment, after pruning, and whatever it holds."""

import ipaddress
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostwatch.archive import pruning
from hostwatch.archive.answers import of_file
from hostwatch.archive.archive import SqliteArchive, open_archive
from hostwatch.archive.schema import APPLICATION_ID, VERSION
from hostwatch.control import past
from hostwatch.control.archive import Altered, ArchiveBrokenError, ArchiveError, Ended, Entry, Opened, Stood
from hostwatch.control.blocks import FileBlock, FileKey
from hostwatch.control.history import Change, described
from hostwatch.control.inquiry import Inquiry
from hostwatch.core.block.delta import delta
from hostwatch.core.block.differences import NameChange
from hostwatch.core.block.records import Block, Directive, Record, Withheld
from hostwatch.core.model import ContainerId, ContainerKey, EngineId
from tests.effort import examples

OLD, NEW = ipaddress.ip_address("172.18.0.4"), ipaddress.ip_address("172.18.0.5")
NOTHING = Block()


def key(name: str) -> FileKey:
    """The key of the file of `name`."""
    return FileKey(ContainerKey(EngineId("engine"), ContainerId(name)))


def block(names: str, withheld: str = "") -> Block:
    """A block with a record for each letter, and a withheld line for each of the others."""
    return Block(
        tuple(Record(OLD, (name,)) for name in names),
        tuple(Withheld(f"@{{{name}.ip}} {name}", "gone") for name in withheld),
    )


def change(number: int, subscriber: str = "web", name: str = "db", line: str = "") -> Change:
    """A change of one name, and of a withheld line."""
    names = (NameChange(name, (OLD,), (NEW,)),)
    withheld = (Withheld(line, "gone"),) if line else ()
    return Change(number, float(number), key(subscriber).owner, subscriber, "start of db", names, withheld, (), 0.0018)


@contextmanager
def opened(path: Path) -> Iterator[tuple[SqliteArchive, Opened]]:
    """The file, open."""
    archive, found = open_archive(path)
    with closing(archive):
        yield archive, found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a file that does not exist yet, nor does its directory."""
    return tmp_path / "state" / "history.db"


def shown(archive: SqliteArchive, at: float) -> dict[str, Block]:
    """The blocks of a moment."""
    return {each.subscriber: each.block for each in archive.blocks_at(at)}


letters = st.lists(st.sampled_from("abcdef"), max_size=6).map("".join)
blocks = st.builds(block, letters, letters)
Given = list[tuple[str, str, Block]]
steps = st.tuples(st.sampled_from(["web", "app"]), st.sampled_from(["alter", "stand", "end"]), blocks)


@given(st.lists(steps, max_size=10))
@settings(max_examples=examples(100), deadline=None)
def test_each_moment_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, given_steps: list[tuple[str, str, Block]]
) -> None:
    """However a file came to its block, whatever moved or is there twice; files end, and may come back."""
    path = tmp_path_factory.mktemp("archive") / "history.db"
    known, were = dict[str, Block](), [dict[str, Block]()]
    with opened(path) as (archive, _):
        begun = archive.known_since()
        for at, (name, how, after) in enumerate(given_steps, 1):
            before = known.get(name, NOTHING)
            entry: Entry = Ended(begun + at, key(name))
            if how == "alter":
                entry = Altered(begun + at, key(name), name, delta(before, after))
            elif how == "stand":
                entry = Stood(begun + at, FileBlock(key(name), name, after), before)
            archive.write([entry])
            known[name] = NOTHING if how == "end" else after
            were.append({each: standing for each, standing in known.items() if standing})
        assert [shown(archive, begun + at + 0.5) for at in range(len(were))] == were
    with opened(path) as (_, found):
        assert {each.owner.id: standing for each, standing in found.blocks.items()} == were[-1]


def test_lines_find_room_between_others(path: Path) -> None:
    """However often one is put at the same place."""
    lines = "az"
    with opened(path) as (archive, _):
        begun = archive.known_since()
        before = NOTHING
        for number in range(300):
            after = block(lines)
            archive.write([Altered(begun + number, key("web"), "web", delta(before, after))])
            before, lines = after, f"a{chr(0x4E00 + number)}{lines[1:]}"
        assert shown(archive, begun + 299.5) == {"web": before}
        assert shown(archive, begun + 0.5) == {"web": block("az")}
        assert shown(archive, begun + 60.5) == {"web": Block((before.records[0], *before.records[-61:]))}


def test_pruning_keeps_what_stands_at_the_cut(path: Path) -> None:
    """Whenever it began. Moments before the cut are not known any more, rather than wrong, and numbers go on."""
    with opened(path) as (archive, _):
        begun = archive.known_since()
        stood = [
            Stood(begun + 1, FileBlock(key(name), name, block("ab", "m")), NOTHING) for name in ("web", "app", "old")
        ]
        archive.write([*stood, replace(change(7), time=begun + 1)])
        archive.write([Altered(begun + 2, key("web"), "web", delta(block("ab", "m"), block("ac")))])
        archive.write([Ended(begun + 2, key("old")), replace(change(8), time=begun + 2)])
        archive.write([Altered(begun + 5, key("web"), "web", delta(block("ac"), block("c")))])
        archive.prune(begun + 3)
        assert shown(archive, begun + 3) == {"app": block("ab", "m"), "web": block("ac")}
        assert shown(archive, begun + 6) == {"app": block("ab", "m"), "web": block("c")}
        assert shown(archive, begun + 2.5) == {}
        assert archive.known_since() == begun + 3
        assert archive.changes(Inquiry(), 100) == []
    with opened(path) as (_, found):
        assert found.last_number == 8
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM mention").fetchone() == (0,)
        assert connection.execute("SELECT subscriber FROM file ORDER BY 1").fetchall() == [("app",), ("web",)]


def test_a_file_that_is_too_long_loses_its_oldest_changes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a container may cause many long ones."""
    monkeypatch.setattr(pruning, "_MOST_BYTES", 1 << 20)
    with opened(path) as (archive, _):
        lines = tuple(Withheld(f"192.0.2.1 n{number} {'x' * 4_000}", "gone") for number in range(20))
        archive.write([replace(change(number), withheld=lines) for number in range(1, 101)])
        archive.prune(0.0)
        numbers = [found["id"] for found in archive.changes(Inquiry(), 1_000)]
        assert numbers[-1] == 100
        assert 1 < len(numbers) < 15


CHANGES = (change(1), change(2, "db", "Cache"), change(3, "app", "mq", "@{cache.ip} cache cache.internal"))


@pytest.mark.parametrize(
    "asked",
    [
        Inquiry(),
        Inquiry(("web",)),
        Inquiry(("db", "web")),
        Inquiry(("ap",)),
        Inquiry(("no-such", "")),
        Inquiry(("entry",), owners=frozenset([key("app").owner])),
        Inquiry(names=frozenset(["cache"])),
        Inquiry(names=frozenset(["cache", "db"])),
        Inquiry(("web",), frozenset(["cache"])),
        Inquiry(since=2.0),
        Inquiry(limit=2),
        Inquiry(after=1),
        Inquiry(names=frozenset(["%", "d_"])),
    ],
)
def test_the_same_changes_are_found_as_in_memory(path: Path, asked: Inquiry) -> None:
    """By the same filters, in the same form."""
    asked = asked.resolved({"web", "db", "app"}, asked.owners)
    with opened(path) as (archive, _):
        archive.write(CHANGES)
        assert archive.changes(asked, 100) == json.loads(json.dumps(past.changes(asked, CHANGES)))
        assert archive.changes(asked, 3) == json.loads(json.dumps(past.changes(asked, CHANGES[:2])))
        assert archive.names(["web", "no-such", "ap"]) == {"web"}


def test_since_when_a_record_stands(path: Path) -> None:
    """Nobody knows it of a record that was there before the first look."""
    with opened(path) as (archive, _):
        archive.write([Stood(1.0, FileBlock(key("web"), "web", block("ab")), block("a"))])
        archive.write([Altered(2.0, key("web"), "web", delta(block("ab"), block("abc")))])
        a, b, c = block("abc").records
        assert archive.sinces([key("web").owner]) == {key("web"): {b: 1.0, c: 2.0}}
        assert a not in archive.sinces([key("web").owner])[key("web")]
        assert archive.sinces([key("app").owner]) == {}
        withheld = Withheld("@{d.ip} d", "d: no running container")
        held = replace(block("abc"), withheld=(withheld,))
        archive.write([Altered(3.0, key("web"), "web", delta(block("abc"), held))])
        assert archive.sinces([key("web").owner])[key("web")] == {b: 1.0, c: 2.0, withheld: 3.0}


@pytest.mark.parametrize("text", ["\x1b[31m</script>\u2028", "\0", "\ud800", "x" * 100_000, "'; DROP TABLE change; --"])
def test_whatever_a_container_chose_is_data(path: Path, text: str) -> None:
    """It is stored, found and shown again, or at least its beginning."""
    line = Withheld(f"@{{db.ip}} {text}", text)
    hostile = replace(change(1), subscriber=text, cause=text, withheld=(line,), no_longer_withheld=(text,))
    with opened(path) as (archive, _):
        standing = FileBlock(key("web"), text, Block((Record(OLD, ("db",)),), (line,)))
        archive.write([hostile, Stood(archive.known_since() + 1, standing, NOTHING)])
        (found,) = archive.changes(Inquiry(), 100)
        assert (found["subscriber"], found["cause"]) == (text, text)
        assert found["no_longer_withheld"] == [text[:4096]]
        (shown_again,) = archive.blocks_at(archive.known_since() + 2)
        assert shown_again.block.withheld[0].line[:9] == line.line[:9]


# Files that were there before.


def test_a_file_is_for_root_alone(path: Path) -> None:
    """The names and addresses of all containers are in it."""
    with opened(path):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


def corrupt_pages(path: Path) -> None:
    """Overwrite everything but the header."""
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xa5" * (path.stat().st_size - 100))


def cut_off(path: Path) -> None:
    """Leave the first page alone."""
    with path.open("r+b") as file:
        file.truncate(4096)


@pytest.mark.parametrize("damage", [corrupt_pages, cut_off])
def test_a_corrupt_file_is_moved_aside(path: Path, damage: Callable[[Path], None]) -> None:
    """It is ours, as its application_id tells. Its remains are for a person to look at."""
    with opened(path) as (archive, _):
        archive.write(CHANGES)
    damage(path)
    with opened(path) as (archive, found):
        assert found.warning is not None
        assert "is corrupt" in found.warning
        (aside,) = path.parent.glob("history.db.corrupt-*")
        assert str(aside) in found.warning
        archive.write(CHANGES)
        assert len(archive.changes(Inquiry(), 100)) == 3


def test_a_file_that_turns_out_to_be_corrupt(path: Path) -> None:
    """While it is used: the writer opens it anew, and so moves it aside."""
    with opened(path) as (archive, _):
        archive.write([change(number, f"web-{number}") for number in range(1, 2_000)])
        with closing(sqlite3.connect(path)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        corrupt_pages(path)
        with pytest.raises(ArchiveBrokenError, match="is corrupt"):
            archive.prune(1_000.0)


def foreign_database(path: Path) -> None:
    """Another program's database."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE precious (value); INSERT INTO precious VALUES (1);")


def newer_version(path: Path) -> None:
    """A later hostwatch's."""
    with opened(path), closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")


def no_database(path: Path) -> None:
    """A text of a user."""
    path.write_text("127.0.0.1 localhost\n" * 100)


def short_text(path: Path) -> None:
    """Shorter than a header."""
    path.write_text("x")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (foreign_database, "another program's; it is left as it is"),
        (newer_version, "of a newer hostwatch; it is left as it is"),
        (no_database, "another program's; it is left as it is"),
        (short_text, "another program's; it is left as it is"),
    ],
)
def test_a_file_that_is_not_ours_is_left_alone(path: Path, make: Callable[[Path], None], words: str) -> None:
    """Every byte of it, and nothing appears beside it."""
    path.parent.mkdir()
    make(path)
    before = path.read_bytes()
    with pytest.raises(ArchiveError, match=words):
        open_archive(path)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_command_reads_only_what_is_ours(path: Path) -> None:
    """And says what keeps it from that."""
    with pytest.raises(ArchiveError, match="does not exist yet"):
        of_file(path, Inquiry())
    with opened(path) as (archive, _):
        archive.write([*CHANGES, Stood(archive.known_since() + 1, FileBlock(key("web"), "web", block("ab")), NOTHING)])
        at = archive.known_since() + 2
    assert [found["id"] for found in of_file(path, Inquiry(("w",)))["changes"]] == [1]
    (found,) = of_file(path, Inquiry(("web",), frozenset(["a"]), at=at))["blocks"]
    assert (found["subscriber"], found["records"]) == ("web", [{"address": "172.18.0.4", "names": ["a"]}])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 0")
    with pytest.raises(ArchiveError, match="of another version of hostwatch, and no daemon has opened it yet"):
        of_file(path, Inquiry())
    for make in (foreign_database, no_database, short_text):
        path.unlink()
        make(path)
        before = path.read_bytes()
        with pytest.raises(ArchiveError, match="another program's; it is left as it is"):
            of_file(path, Inquiry())
        assert path.read_bytes() == before


def test_something_else_in_its_place(path: Path, tmp_path: Path) -> None:
    """A directory, a pipe without a reader, a link to elsewhere."""
    with pytest.raises(ArchiveError, match="Is a directory"):
        open_archive(tmp_path)
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with pytest.raises(ArchiveError, match="Too many levels of symbolic links"):
        open_archive(link)
    assert not path.exists()


def test_one_daemon_at_a_time_writes_a_file(path: Path) -> None:
    """Two would give the same numbers."""
    with opened(path) as (first, _):
        with pytest.raises(ArchiveError, match="another hostwatch writes its history to"):
            open_archive(path)
        first.write(CHANGES)
    with opened(path) as (_, found):
        assert found.last_number == 3


def test_a_file_of_the_first_draft_is_migrated(path: Path) -> None:
    """What it holds stays: it had the same tables, but for two things."""
    with opened(path) as (archive, _):
        begun = archive.known_since()
        archive.write([*CHANGES, Stood(begun + 1, FileBlock(key("web"), "web", block("ab", "m")), NOTHING)])
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "ALTER TABLE line DROP COLUMN known_since; DROP INDEX mention_change; PRAGMA user_version = 0;"
        )
    with opened(path) as (archive, found):
        assert found.blocks == {key("web"): block("ab", "m")}
        assert [each["id"] for each in archive.changes(Inquiry(), 100)] == [1, 2, 3]
        archive.write([change(4), Ended(begun + 2, key("web"))])
        assert archive.sinces([key("web").owner]) == {}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


RESOLV = FileKey(key("web").owner, "resolv")
CONF = Block(
    (
        Directive(NEW, ("nameserver",)),
        Directive(ipaddress.ip_address("2001:db8::53"), ("nameserver",)),
        Directive("a.example b.example", ("search",)),
        Directive("timeout:1 rotate", ("options",)),
    ),
    (Withheld("nameserver @{dns.ip}", "dns: no running container"),),
)


def test_a_resolv_conf_is_read_again_beside_the_hosts_file(path: Path) -> None:
    """With its lines as they were, and since when they are so; the same in a file of the version before."""
    later = Block(CONF.records[1:], CONF.withheld)
    with opened(path) as (archive, _):
        begun = archive.known_since()
        archive.write([Stood(begun + 1, FileBlock(key("web"), "web", block("ab")), NOTHING)])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1")
    with opened(path) as (archive, found):
        assert found.blocks == {key("web"): block("ab")}
        archive.write([Stood(begun + 2, FileBlock(RESOLV, "web", CONF), NOTHING)])
        archive.write([Altered(begun + 3, RESOLV, "web", delta(CONF, later))])
        assert {each.key: each.block for each in archive.blocks_at(begun + 2.5)} == {
            key("web"): block("ab"),
            RESOLV: CONF,
        }
        sinces = archive.sinces([RESOLV.owner])[RESOLV]
        assert sinces == dict.fromkeys((*later.records, *later.withheld), begun + 2)
    with opened(path) as (_, found):
        assert found.blocks == {key("web"): block("ab"), RESOLV: later}
        assert all(isinstance(record, Directive) for record in found.blocks[RESOLV].records)


def test_a_moment_of_a_resolv_conf_has_its_lines(path: Path) -> None:
    """A keyword, and the name that a withheld line looks up, select them."""
    with opened(path) as (archive, _):
        begun = archive.known_since()
        archive.write([Stood(begun + 1, FileBlock(RESOLV, "web", CONF), NOTHING)])
    (found,) = of_file(path, Inquiry(at=begun + 1.5))["blocks"]
    assert (found["file"], found["records"]) == ("resolv", [])
    assert found["lines"][0] == {"line": "nameserver 172.18.0.5"}
    assert [each["line"] for each in found["lines"][2:]] == ["search a.example b.example", "options timeout:1 rotate"]
    (found,) = of_file(path, Inquiry(at=begun + 1.5, names=frozenset(["search"])))["blocks"]
    assert (found["lines"], found["withheld"]) == ([{"line": "search a.example b.example"}], [])
    (found,) = of_file(path, Inquiry(at=begun + 1.5, names=frozenset(["dns"])))["blocks"]
    assert (found["lines"], len(found["withheld"])) == ([], 1)


def test_a_stored_change_has_the_form_of_all_others(path: Path) -> None:
    """Readers do not notice where it comes from."""
    with opened(path) as (archive, _):
        archive.write([change(1)])
        assert archive.changes(Inquiry(), 100) == [json.loads(json.dumps(described(change(1))))]


def test_a_batch_is_written_as_a_whole(path: Path) -> None:
    """Or not at all, whatever goes wrong; the next one is written all the same."""
    with opened(path) as (archive, _):
        with pytest.raises(AssertionError):
            archive.write([change(1), "no entry"])  # type: ignore[list-item]
        archive.write([change(2)])
        assert [found["id"] for found in archive.changes(Inquiry(), 100)] == [2]
