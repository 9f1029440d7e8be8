"""`status` of some subscribers, and `status --watch`: with a daemon and without, while the engine restarts."""

import itertools
import json
import signal
import subprocess
import sys

import pytest

from tests.conftest import Lab, eventually, newest_only
from tests.integration.test_http import alone
from tests.terminal import terminal

pytestmark = newest_only

WATCH = [sys.executable, "-m", "hostwatch", "status", "--watch"]
DB, MOVED = "10.123.7.7", "10.123.7.8"
ALWAYS = {"Name": "always"}


@pytest.fixture
def watched(lab: Lab) -> Lab:
    """A service and two subscribers, which come back with the engine. No other engine's daemon is seen."""
    alone(lab)
    lab.environ["TERM"] = "xterm"
    lab.run("db", address=DB, restart_policy=ALWAYS)
    for name in ("app-1", "web-1"):
        lab.run(name, labels={"hostwatch.services": "db"}, restart_policy=ALWAYS)
    return lab


def move(lab: Lab, address: str) -> None:
    """Give the service another address."""
    lab.network.disconnect("db")
    lab.network.connect("db", ipv4_address=address)


def test_some_subscribers(watched: Lab) -> None:
    """By name, by the beginning of an id, and by a key of the configuration; by the daemon as without one."""
    identity = str(watched.client.containers.get("web-1").id)
    configuration = watched.configured("subscribers: {web: {match: {name: 'web-*'}, services: db}}")

    def names(*words: str) -> list[str]:
        found = json.loads(watched.command("status", "--json", "-c", configuration, *words).stdout)
        return [subscriber["name"] for subscriber in found["subscribers"]]

    def check() -> None:
        assert names("web-1") == names(identity[:10]) == names("web") == ["web-1"]
        assert names("web", "app-1") == names() == ["app-1", "web-1"]
        assert "did you mean web-1?" in watched.command("status", "-c", configuration, "wbe-1", status=1).stderr
        shown = watched.command("status", "-c", configuration, "web-1").stdout
        assert "web-1: " in shown
        assert "app-1" not in shown

    check()
    with watched.hostwatch("-c", configuration, ready="app-1: "):
        check()


def test_a_live_view_survives_the_engine_and_the_daemon(watched: Lab) -> None:
    """It follows what changes, keeps the last picture while the engine is away, and does without a daemon."""
    with (
        watched.hostwatch(ready="web-1: ") as daemon,
        terminal([*watched.within, *WATCH], 100, watched.environ) as made,
    ):
        eventually(lambda: "web-1: right" in made.screen and "daemon: active" in made.screen)
        eventually(lambda: DB in made.screen)
        move(watched, MOVED)
        eventually(lambda: MOVED in made.screen and DB not in made.screen)
        watched.engine.kill(signal.SIGTERM)
        eventually(lambda: "engine away since " in made.screen)
        eventually(lambda: "away" in made.screen and MOVED in made.screen)  # the last picture
        watched.engine.start()
        eventually(lambda: "away" not in made.screen and "web-1: right" in made.screen, 60)
        daemon.stop()
        eventually(lambda: "daemon: none answers" in made.screen)
        move(watched, DB)
        eventually(lambda: DB in made.screen)
        watched.engine.kill(signal.SIGTERM)
        eventually(lambda: "engine away since " in made.screen)
        eventually(lambda: "away" in made.screen and DB in made.screen)
        watched.engine.start()
        eventually(lambda: "away" not in made.screen and "web-1: " in made.screen, 60)
        with watched.hostwatch(ready="connected"):
            eventually(lambda: "daemon: active" in made.screen)
            move(watched, MOVED)
            eventually(lambda: MOVED in made.screen)
        made.type("\x03")
        assert made.end() == 0
        assert "Traceback" not in made.text


def test_a_pipe_gets_an_object_for_each_change(watched: Lab) -> None:
    """Each is one line, and differs from the one before."""
    with watched.hostwatch(ready="web-1: "):
        command = [*watched.within, *WATCH, "--json", "web-1"]
        with subprocess.Popen(command, env=watched.environ, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            seen = [json.loads(process.stdout.readline())]
            move(watched, MOVED)
            while [record["address"] for record in seen[-1]["subscribers"][0]["records"]] != [MOVED]:
                seen.append(json.loads(process.stdout.readline()))
            process.terminate()
            assert process.wait(10) == 0
    assert [[each["name"] for each in found["subscribers"]] for found in seen] == [["web-1"]] * len(seen)
    assert all(one != other for one, other in itertools.pairwise(seen))
