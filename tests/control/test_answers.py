"""The daemon's answers: computed from what it knows, in steps, and kept while nothing changes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from hostwatch.control.answers import Answers
from hostwatch.control.informer.connection import Connection
from hostwatch.control.remotes import Published, SourceState
from hostwatch.control.source import EngineInfo
from hostwatch.control.subscribers import NoNameError, NoSubscriberError
from tests.control.room import Deaf, Room
from tests.core.build import ENGINE, STOPPED, box, on


@asynccontextmanager
async def answering(room: Room) -> AsyncIterator[Answers]:
    """The answers of a daemon that keeps the files of a room, and has compared them."""
    connection = Connection()
    async with anyio.create_task_group() as tasks:
        answers = room.answers(connection)
        assert answers.unready == "waiting for the engine (no answer yet)"
        connection.engine = EngineInfo(ENGINE, "28.5.2", "1.51", Path("/nowhere"))
        connection.made()
        assert answers.unready == "not every subscriber has been compared yet"
        answers.reconcilers = room.reconcilers(tasks)
        tasks.start_soon(answers.reconcilers.hosts.run, Deaf())
        assert [each["in_sync"] for each in (await answers.state())["subscribers"]] == [False] * len(room.keys)
        room.queue.add_all(room.keys, "resync")
        await room.queue.worked_on(room.keys)
        answers.is_compared = True
        assert answers.unready is None
        yield answers
        tasks.cancel_scope.cancel()


async def test_the_state_follows_the_files(tmp_path: Path) -> None:
    """It is that of `status --json`, with the daemon; an unchanged one is made once."""
    room = Room(tmp_path, "web-1", "exec-1")
    async with answering(room) as answers:
        state = await answers.state()
        assert state["engine"] == {"connected": True, "version": "28.5.2", "api": "1.51"}
        assert state["daemon"].keys() == {"state", "pid", "since", "version"}
        assert [(each["name"], each["writer"]) for each in state["subscribers"]] == [
            ("exec-1", "exec"),
            ("web-1", "path"),
        ]
        (record,) = state["subscribers"][1]["records"]
        assert (record["address"], record["names"], record["network"]) == ("10.0.0.5", ["db"], "front")
        assert await answers.state() is state
        assert (await answers.state(["web-1"])) == {**state, "subscribers": state["subscribers"][1:]}
        with pytest.raises(NoSubscriberError, match="did you mean web-1"):
            await answers.state(["wbe-1"])
        room.store.put(box("db", on("front", "10.0.0.6")))
        moving = await answers.state()
        assert moving["services"][0]["containers"][0]["addresses"] == {"front": ["10.0.0.6"]}
        room.queue.add_all(room.keys, "start of db")
        await room.queue.worked_on(room.keys)
        moved = await answers.state()
        assert [each["records"][0]["address"] for each in moved["subscribers"]] == ["10.0.0.6", "10.0.0.6"]


async def test_a_file_that_cannot_be_kept_says_why(tmp_path: Path) -> None:
    """It is not in sync."""
    room = Room(tmp_path, "web-1")
    async with answering(room) as answers:
        room.path(room.keys[0]).unlink()
        room.path(room.keys[0]).mkdir()
        room.queue.add_all(room.keys, "resync")
        await room.queue.worked_on(room.keys)
        (subscriber,) = (await answers.state())["subscribers"]
        assert not subscriber["in_sync"]
        assert subscriber["error"]


async def test_the_daemon_explains_each_line(tmp_path: Path) -> None:
    """As the file says; a word that means nothing is refused with what to do."""
    room = Room(tmp_path, "web-1")
    room.path(room.keys[0]).write_bytes(b"10.9.9.9 db\n")
    async with answering(room) as answers:
        found = await answers.why("web-1", ["DB"])
        assert (found["worked_out_by"], found["notes"]) == ("daemon", [])
        (line,) = found["subscribers"][0]["lines"]
        assert (line["state"], line["records"]) == ("withheld", [])
        assert line["reason"] == "db: shadowed by 10.9.9.9 in the file"
        room.path(room.keys[0]).write_bytes(b"")
        room.queue.add_all(room.keys, "the file was changed")
        await room.queue.worked_on(room.keys)
        (line,) = (await answers.why("web-1"))["subscribers"][0]["lines"]
        assert (line["state"], line["asked_by"]) == ("published", "label hostwatch.hosts of web-1")
        assert line["records"] == (await answers.state())["subscribers"][0]["records"]
        assert {step["kind"] for step in line["steps"]} == {"asked", "name", "tier", "candidate", "taken", "published"}
        room.store.put(box("db", state=STOPPED))
        (line,) = (await answers.why("web-1"))["subscribers"][0]["lines"]
        assert (line["state"], len(line["records"])) == ("lingers", 1)
        with pytest.raises(NoSubscriberError, match="did you mean web-1"):
            await answers.why("web")
        with pytest.raises(NoNameError, match="mq: no line gives or looks up this name"):
            await answers.why("web-1", ["db", "mq"])


async def test_sources_of_other_hosts_are_told_with_their_state(tmp_path: Path) -> None:
    """An answer is made anew when one is lost, and says so."""
    room = Room(tmp_path, "web-1")
    async with answering(room) as answers:
        assert (await answers.state())["sources"] == []
        room.sources["cluster"] = SourceState("cluster", "http://10.0.0.1:2379", is_up=True, since=0.0, endpoints=2)
        (source,) = (await answers.state())["sources"]
        since = "1970-01-01T00:00:00.000Z"
        known = {"source": "cluster", "kind": "cluster", "name": "http://10.0.0.1:2379", "since": since}
        assert source == known | {"up": True, "fault": None, "endpoints": 2, "published": None}
        assert (await answers.why("web-1"))["notes"] == []
        room.sources["cluster"] = replace(room.sources["cluster"], is_up=False, fault="no server answers")
        room.sources["cluster"] = replace(room.sources["cluster"], published=Published("host-b", 12, ("db",)))
        (source,) = (await answers.state())["sources"]
        assert (source["up"], source["fault"]) == (False, "no server answers")
        assert source["published"] == {"node": "host-b", "services": 12, "names": ["db"]}
        (note,) = (await answers.why("web-1"))["notes"]
        assert note == f"cluster is away since {since} (no server answers): what it told is as last known"
        room.sources["cluster"] = replace(room.sources["cluster"], endpoints=0)
        assert (await answers.why("web-1"))["notes"][0].endswith("(no server answers): nothing is known of what it has")
        assert (await answers.gauges()).sources == (("cluster", room.sources["cluster"]),)
