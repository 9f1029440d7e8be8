"""Valid but probably mistaken entries of a configuration: `check`, `doctor` and the log of `run` tell their places."""

import signal

from tests.conftest import Lab, eventually, newest_only

pytestmark = newest_only

CONFIGURATION = """\
services:
  db: {match: {name: db}}
  idle: {match: {name: nobody}}
  odd: {match: {name: '^db$'}}
subscribers:
  web:
    match: {name: web}
    hosts: "@{bd.ip} db"
"""


def test_a_probable_mistake_is_told_once(lab: Lab) -> None:
    """An entry without a container, a regular expression, an unknown name, and a notification without a receiver."""
    path = lab.configured(CONFIGURATION)
    alone = f"{path}:4:23: `^` looks like a regular expression"
    beside = [
        f"{path}:3:10: services.idle: there is no container that this matches",
        f"{path}:8:13: nothing has this name; did you mean 'db'?",
        "app: label hostwatch.notify does nothing: this container does not subscribe",
        "shy: nothing has the name 'dbb'; did you mean 'db'?",
    ]
    lab.run("db", address="10.123.7.7")
    lab.run("web")
    lab.run("app", labels={"hostwatch.notify": "SIGHUP"})
    lab.run("shy", labels={"hostwatch.services": "dbb, not-there-yet"})

    checked = lab.command("check", "-c", path)
    assert "valid" in checked.stdout
    assert f"warning: {alone}" in checked.stderr
    assert f"warning: {path}:8:13: no service is called that here; did you mean 'db'?" in checked.stderr
    assert "idle" not in checked.stderr

    examined = lab.command("doctor", "-c", path).stdout
    for told in (alone, *beside):
        assert examined.count(f"warning  {told}") == 1, told
    assert "not-there-yet" not in examined

    with lab.hostwatch("-c", path) as hostwatch:
        for told in (alone, *beside):
            eventually(lambda told=told: f"WARNING {told}" in hostwatch.log, 20)  # type: ignore[misc]
        lab.configured(CONFIGURATION.replace("{name: nobody}", "{name: '(no|body)'}"))
        hostwatch.process.send_signal(signal.SIGHUP)
        eventually(lambda: f"{path}:3:24: `(` looks like a regular expression" in hostwatch.log)
    for told in (alone, *beside):
        assert hostwatch.log.count(told) == 1, told
