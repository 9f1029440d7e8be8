"""Two daemons for one engine: one keeps the files, the other waits and takes over after any kind of end."""

import os
import signal
import subprocess

from tests.conftest import Lab, eventually, newest_only
from tests.integration.test_systemd import managed

pytestmark = newest_only

WANTS_DB = {"hostwatch.services": "db"}


def configured(lab: Lab, name: str, text: str) -> str:
    """The path of a configuration file with this text, beside others."""
    path = lab.directory / f"{name}.yaml"
    path.write_text(text)
    return str(path)


def test_the_second_takes_over(lab: Lab) -> None:
    """Until then it is ready, names the process that it waits for, and writes nothing, whatever its configuration."""
    lab.run("db", address="10.123.7.1")
    web = lab.run("web", labels=WANTS_DB)
    other = configured(lab, "other", "subscribers: {web: {match: {name: web}, hosts: 192.0.2.1 other}}\n")
    place = f"@hostwatch-{os.getpid()}"
    with lab.hostwatch(ready="web: ") as first, managed(place) as manager:
        right = lab.hosts(web)
        said = f"standby: hostwatch, process {first.process.pid} ("
        with lab.hostwatch("-c", other, ready=said, NOTIFY_SOCKET=place, WATCHDOG_USEC="200000") as second:
            eventually(lambda: manager.heard("READY=1\nSTATUS="))
            eventually(lambda: manager.heard(f"WATCHDOG=1\nSTATUS={said}"))
            lab.hosts_path(web).write_text(right.replace("10.123.7.1", "10.123.7.9"))
            eventually(lambda: lab.hosts(web) == right)
            late = lab.run("late", "cp /etc/hosts /seen; exec sleep 1000", labels=WANTS_DB)
            assert "10.123.7.1      db\n" in lab.first_read(late)
            assert "late: " not in second.log
            second.process.send_signal(signal.SIGHUP)
            eventually(lambda: "was read again" in second.log)
            assert lab.hosts(web) == right
            first.stop(signal.SIGKILL)
            eventually(lambda: lab.records(web) == {"db": ["10.123.7.1"], "other": ["192.0.2.1"]}, 3)
            eventually(lambda: manager.heard("WATCHDOG=1\nSTATUS=connected to engine"))
            with lab.hostwatch(ready=f"standby: hostwatch, process {second.process.pid} ("):
                pass
    assert second.log.count("standby") == second.log.count("takes over the hosts files in ") == 1


def test_blocks_are_left_to_the_one_that_waits(lab: Lab) -> None:
    """`on_exit: remove` does not count then. The last daemon removes the blocks."""
    web = lab.run("web", labels={"hostwatch.hosts": "192.0.2.1 fixed"})
    bare = lab.hosts(web)
    config = lab.configured("on_exit: remove")
    with lab.hostwatch("-c", config, ready="web: ") as first:
        written, right = lab.hosts_path(web).stat().st_mtime_ns, lab.hosts(web)
        with lab.hostwatch("-c", config, ready="standby: ") as second:
            assert first.stop() == 0
            assert "the blocks stay: another hostwatch keeps them" in first.log
            eventually(lambda: "takes over" in second.log)
            assert (lab.hosts_path(web).stat().st_mtime_ns, lab.hosts(web)) == (written, right)
            lab.hosts_path(web).write_text(bare)
            eventually(lambda: lab.hosts(web) == right)
    assert lab.hosts(web) == bare


def test_the_lock_follows_the_directory(lab: Lab) -> None:
    """A replaced directory has another lock, which another process may hold."""
    lab.run("db", address="10.123.7.1")
    web = lab.run("web", labels=WANTS_DB)
    seen = lab.directory / "root" / "containers"
    seen.mkdir(parents=True)
    config = lab.configured(f"docker: {{root: {seen.parent}}}\n")
    with lab.hostwatch("-c", config, ready="web: ") as late:
        with lab.hostwatch() as first:
            seen.rmdir()
            seen.symlink_to(lab.engine.data_root / "containers")
            eventually(lambda: f"standby: hostwatch, process {first.process.pid} (" in late.log)
        eventually(lambda: "takes over the hosts files in " in late.log)
        right = lab.hosts(web)
        lab.hosts_path(web).write_text(right.replace("10.123.7.1", "10.123.7.9"))
        eventually(lambda: lab.hosts(web) == right)


def test_a_file_of_the_host_is_kept_by_one(lab: Lab) -> None:
    """Two hostwatches of two engines do not know each other. The second says so, and waits for the file."""
    lab.run("db", address="10.123.7.1")
    hosts = lab.directory / "hosts"
    hosts.write_text("192.0.2.1 foreign\n")
    this = f"subscribers: {{this: {{file: {hosts}, hosts: 192.0.2.9 %s}}}}\n"
    mine = configured(lab, "mine", this % "mine")
    elsewhere = f"docker: {{root: {lab.directory}}}\n"
    yours = configured(lab, "yours", this % "yours" + elsewhere)
    with lab.hostwatch("-c", mine, ready="this: ") as first:
        right = hosts.read_text()
        assert "192.0.2.9       mine\n" in right
        said = f"this: refused: {hosts} is kept by hostwatch, process {first.process.pid} ("
        web = lab.run("web", labels=WANTS_DB)
        with lab.hostwatch("-c", yours, ready=said) as second:
            found = lab.command("sync", "-c", yours, status=1)
            assert f"this: {hosts} is kept by hostwatch, " in found.stderr
            hosts.write_text("192.0.2.1 foreign\n")
            eventually(lambda: hosts.read_text() == right)
            configured(lab, "mine", "")
            first.process.send_signal(signal.SIGHUP)
            eventually(lambda: "192.0.2.9       yours\n" in hosts.read_text())
            configured(lab, "mine", this % "mine")
            first.process.send_signal(signal.SIGHUP)
            eventually(lambda: f"is kept by hostwatch, process {second.process.pid} (" in first.log)
            second.stop(signal.SIGKILL)
            eventually(lambda: hosts.read_text() == right)
        assert second.log.count("is kept by") == first.log.count("is kept by") == 1
        eventually(lambda: lab.records(web) == {"db": ["10.123.7.1"]})


def test_a_stranger_is_named(lab: Lab) -> None:
    """Its process is named. Nothing is written meanwhile, as it may be another version of hostwatch."""
    web = lab.run("web", labels={"hostwatch.hosts": "192.0.2.1 fixed"})
    bare = lab.hosts(web)
    command = ["flock", "--close", str(lab.engine.data_root / "containers"), "sleep", "1000"]
    with subprocess.Popen(command) as stranger:
        try:
            with lab.hostwatch(ready=f"standby: process {stranger.pid} (flock ") as hostwatch:
                found = lab.command("doctor", status=1)
                assert f"process {stranger.pid} (flock --close " in found.stdout
                assert lab.hosts(web) == bare
                stranger.kill()
                stranger.wait()
                eventually(lambda: lab.records(web))
                assert "lock: hostwatch, process " in lab.command("doctor").stdout
            assert "in 30 s it is done without the lock" in hostwatch.log
        finally:
            stranger.kill()


def test_commands_beside_a_daemon(lab: Lab) -> None:
    """The daemon would undo or do the work itself, so they are refused with a remedy. `--force` does the work."""
    web = lab.run("web", labels={"hostwatch.hosts": "192.0.2.1 fixed"})
    with lab.hostwatch(ready="web: ") as hostwatch:
        right = lab.hosts(web)
        for command in ("clean", "sync"):
            found = lab.command(command, status=1)
            assert (found.stdout, lab.hosts(web)) == ("", right)
            assert found.stderr.startswith(f"hostwatch, process {hostwatch.process.pid} (")
            assert "stop it first, or use --force" in found.stderr
        lab.command("sync", "--force")
        assert lab.command("clean", "--force").stdout == "web: block removed\n"
        eventually(lambda: lab.hosts(web) == right)
    assert lab.command("clean").stdout == "web: block removed\n"
