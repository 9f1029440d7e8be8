"""The messages of a watch, cut as a server and the network like."""

import json
from base64 import b64encode
from collections.abc import Sequence

import pytest

from hostwatch.control.key_values import Deleted, Entry, Put
from hostwatch.etcd.lines import Lines, LongLineError
from hostwatch.etcd.watching import NotToBeHadError, Revision, Watch
from hostwatch.etcd.wire import after_prefix


def lines(pieces: Sequence[bytes], limit: int = 1000) -> Lines:
    """The lines of a stream that comes in these pieces."""
    left = iter([*pieces, b""])

    async def read() -> bytes:
        return next(left)

    return Lines(read, limit)


def message(**result: object) -> bytes:
    """A line of a watch."""
    return json.dumps({"result": result}).encode() + b"\n"


def event(key: str, revision: int, kind: str = "PUT") -> dict[str, object]:
    """An event as etcd tells it."""
    fields = {"key": b64encode(key.encode()).decode(), "value": "", "mod_revision": str(revision)}
    return {"type": kind, "kv": fields} if kind != "PUT" else {"kv": fields}


async def test_lines_come_in_any_pieces() -> None:
    """Empty ones are left out, and what comes after the last one is no line."""
    found = [line async for line in lines([b"a", b"b\n\nc", b"\nd\n\n", b"\n", b"rest"])]
    assert found == [b"ab", b"c", b"d"]
    with pytest.raises(LongLineError):
        await anext(lines([b"x" * 600, b"x" * 600, b"\n"]))


async def test_a_revision_is_told_when_it_is_whole() -> None:
    """A fragment may end within it, and so may the connection, after which it comes once more."""
    stream = [
        message(events=[event("a", 5), event("b", 6)], fragment=True),
        message(events=[event("c", 6, "DELETE")], fragment=True),
        message(events=[event("d", 7), event("e", 7)]),
        message(),
    ]
    watch = Watch("server", lines(stream))
    assert list(await watch.revisions()) == [Revision(5, (Put(Entry("a", b"", 5)),))]
    assert list(await watch.revisions()) == []
    assert list(await watch.revisions()) == [
        Revision(6, (Put(Entry("b", b"", 6)), Deleted("c"))),
        Revision(7, (Put(Entry("d", b"", 7)), Put(Entry("e", b"", 7)))),
    ]
    assert list(await watch.revisions()) == []


async def test_a_watch_after_a_compaction_ends() -> None:
    """It begins as any other."""
    watch = Watch("server", lines([message(created=True), message(canceled=True, compact_revision="9")]))
    await watch.begun()
    with pytest.raises(NotToBeHadError, match="compacted revision 9"):
        await watch.revisions()


def test_the_end_of_a_prefix() -> None:
    """The first key that does not begin with it."""
    assert [after_prefix(each) for each in (b"/a/", b"a\xff", b"\xff", b"")] == [b"/a0", b"b", b"\0", b"\0"]
