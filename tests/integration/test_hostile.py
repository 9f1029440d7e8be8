"""Hostile containers: their labels, names and files, and the effect on others."""

import json
import re
import time
from contextlib import suppress

import docker
import pytest

from tests.conftest import Lab, eventually, make_network, newest_only
from tests.noise import slowness
from tests.proxy import Proxy
from tests.usage import usage

pytestmark = newest_only

WANTS_DB = {"hostwatch.hosts": "@{db.ip} db"}
WANTS_OWN = {"hostwatch.hosts": "192.0.2.1 own"}
ODD = "\n# hostwatch: end\n10.9.9.9 evil\n\x1b[2J\u202e\x9b\r\x7f"


def moved(lab: Lab, number: int) -> float:
    """Give the database another address; returns the milliseconds until the file of the subscriber `web` has it."""
    web, db, address = lab.client.containers.get("web"), lab.client.containers.get("db"), f"10.123.200.{number}"
    lab.network.disconnect(db)
    lab.network.connect(db, ipv4_address=address)
    begun = time.monotonic()
    line = f"{address:<16}db\n"
    eventually(lambda: line in lab.hosts(web), 20)
    return (time.monotonic() - begun) * 1000


def honest(lab: Lab) -> None:
    """A database and a subscriber to it."""
    lab.run("db", address="10.123.200.1")
    lab.run("web", labels=WANTS_DB)


def delays(lab: Lab, times: int = 10) -> list[float]:
    """The milliseconds until each of so many moves was in the file, sorted."""
    return sorted(moved(lab, number) for number in range(2, times + 2))


_LARGE = "yes '1.1.1.1         db' | head -c 250000 > /tmp/x; "
WRITERS = (
    "yes '' | head -c 500000000 > /etc/hosts; sleep 1000",
    "while :; do : >> /etc/hosts; done",
    _LARGE + "while :; do cat /tmp/x > /etc/hosts; done",
    _LARGE + "(echo '# hostwatch: begin'; cat /tmp/x) > /tmp/y; while :; do cat /tmp/y > /etc/hosts; done",
    "while :; do flock /etc/hosts sh -c 'echo >> /etc/hosts; sleep 1'; done",
    "exec 9<>/etc/hosts; while :; do echo '10.9.9.9 db' > /etc/hosts; done",
)
LOOKED = f"hostile-{len(WRITERS) - 1}: "
"""The beginning of a log line for each look at the last of them."""


def test_containers_that_keep_writing_their_files_delay_nobody(lab: Lab) -> None:
    """One of each kind subscribes. Others are followed as fast as without them, but for 100 ms.

    The number of looks at their files is bounded, too, as hostwatch runs with real-time priority.
    """
    honest(lab)
    with lab.hostwatch() as hostwatch:
        eventually(lambda: "db" in lab.records(lab.client.containers.get("web")))
        before = delays(lab)
        for number, command in enumerate(WRITERS):
            lab.run(f"hostile-{number}", command, labels=WANTS_OWN, nano_cpus=200_000_000)
        time.sleep(3)
        begun, used, looks = time.monotonic(), usage(hostwatch.process.pid).cpu_seconds, hostwatch.log.count(LOOKED)
        time.sleep(3)
        looks = hostwatch.log.count(LOOKED) - looks
        seconds = time.monotonic() - begun
        share = (usage(hostwatch.process.pid).cpu_seconds - used) / seconds
        meanwhile = delays(lab)
    print(f"before {before}, meanwhile {meanwhile}, {share:.2f} of a processor, {looks} looks")
    assert meanwhile[len(meanwhile) // 2] < before[len(before) // 2] + 100
    assert looks < 24 + 2 * seconds, "two each second at one that wipes its block, and a credit of twenty"
    assert LOOKED in hostwatch.log, "it may fail for a while, as somebody keeps writing"
    assert share < 0.8 * slowness(), "with a credit of seconds, that is spent here"
    assert max(map(len, hostwatch.log.splitlines())) < 5_000, "what they put between the markers is not told in full"


def test_hostile_labels_and_names_change_only_their_own_container(lab: Lab) -> None:
    """Labels, host names, mounts and networks have texts of all kinds: one file, one log line, one row each."""
    victim = lab.directory / "shadow"
    victim.write_text("root:secret\n")
    before = victim.read_bytes(), victim.stat().st_mtime_ns
    odd = make_network(lab.client, "[/x]")
    honest(lab)
    web = lab.client.containers.get("web")
    with lab.hostwatch() as hostwatch:
        eventually(lambda: lab.records(web) == {"db": ["10.123.200.1"]})
        for number, label in enumerate(LABELS):
            lab.run(f"odd-{number}", labels=label | {"com.docker.compose.container-number": "9" * 5_000})
        lab.run("localhost", labels={"hostwatch.names": "db web ip6-localhost LOCALHOST"}, network=odd.name)
        lab.run("LOCALHOST", hostname="web", labels={"hostwatch.names": "db"})
        lab.run("ip6-localhost", hostname="db", labels={"com.docker.compose.service": "db"})
        for number, place in enumerate(("/etc/hosts", "/etc/../etc/hosts", "/etc//hosts")):
            lab.run(f"mounts-{number}", labels=WANTS_DB, volumes={str(victim): {"bind": place}})
        lab.run("joins", labels=WANTS_DB, network_mode="container:mounts-0")
        everything = lab.run("everything", labels={"hostwatch.services": "*"})
        moved(lab, 2)
        eventually(lambda: lab.records(everything).get("db") == ["10.123.200.2"])
        shown = lab.command("status").stdout + lab.command("plan").stdout + lab.command("doctor", status=None).stdout
        rows = json.loads(lab.command("status", "--json").stdout)["subscribers"]
        names = {name.lower() for name in lab.records(everything)}
    assert not {"localhost", "ip6-localhost"} & names
    assert lab.records(web) == {"db": ["10.123.200.2"]}
    assert (victim.read_bytes(), victim.stat().st_mtime_ns) == before
    assert {row["name"] for row in rows if row["error"]} == {"mounts-0", "mounts-1", "mounts-2"}
    for text in (shown, hostwatch.log):
        assert all(line.isprintable() for line in text.replace("\t", "").splitlines()), text
        assert not any(line.startswith("10.9.9.9") for line in text.splitlines())
    files = list((lab.engine.data_root / "containers").glob("*/hosts"))
    assert len(files) > len(LABELS)
    assert not [file for file in files if "10.9.9.9" in file.read_text()]


def test_a_rename_to_the_name_of_a_service_takes_nothing(lab: Lab) -> None:
    """A Compose service that comes back in time keeps its name. The engine gives a container's name only once."""
    shop = {"com.docker.compose.project": "shop", "com.docker.compose.container-number": "1"}
    service = lab.run("shop-db-1", address="10.123.200.1", labels=shop | {"com.docker.compose.service": "db"})
    web = lab.run("shop-web-1", labels=shop | {"com.docker.compose.service": "web"} | WANTS_DB)
    named, follows = lab.run("cache", address="10.123.200.2"), {"hostwatch.hosts": "@{cache.ip} cache"}
    other = lab.run("other", labels=follows)
    evil = lab.run("evil", address="10.123.200.9")
    with lab.hostwatch("-c", lab.configured("timing: {linger: 30s}")) as hostwatch:
        eventually(lambda: lab.records(web) == {"db": ["10.123.200.1"]})
        for name in ("db", "cache"):
            with suppress(docker.errors.APIError):  # the engine refuses a name that is taken
                evil.rename(name)
        service.kill()
        named.kill()
        evil.restart(timeout=0)
        service.start()
        lab.run("last", address="10.123.200.3")
        sign = lab.run("sign", labels={"hostwatch.hosts": "@{last.ip} last"})
        eventually(lambda: lab.records(sign) == {"last": ["10.123.200.3"]})
        assert lab.records(web) == {"db": ["10.123.200.1"]}
        assert lab.records(other) == {"cache": ["10.123.200.2"]}
        assert evil.id == lab.client.containers.get("db").id
    assert "10.123.200.9" not in hostwatch.log


FORGE = """
while :; do printf '10.123.200.1\\t%s\\n' "$(hostname)" > /etc/hosts; usleep 20000; done & sleep 1000
"""


def test_a_forged_early_address_takes_no_address_of_others(lab: Lab, proxy: Proxy) -> None:
    """A container writes the database's address into its own file, and its events and inspections are held up."""
    honest(lab)
    evil = lab.create("evil", FORGE, address="10.123.200.9")
    web, follower = lab.client.containers.get("web"), lab.run("follower", labels={"hostwatch.hosts": "@{evil.ip} evil"})
    with lab.hostwatch() as hostwatch:
        eventually(lambda: lab.records(web) == {"db": ["10.123.200.1"]})
        proxy.freeze("events")
        proxy.hold = re.compile(str(evil.id))
        evil.start()
        eventually(lambda: proxy.held)
        time.sleep(1)
        assert lab.records(web) == {"db": ["10.123.200.1"]}
        assert "10.123.200.1" not in lab.hosts(follower)
        proxy.thaw()
        proxy.release()
        eventually(lambda: lab.records(follower) == {"evil": ["10.123.200.9"]})
        assert lab.records(web) == {"db": ["10.123.200.1"]}
    assert len([line for line in hostwatch.log.splitlines() if " web: " in line]) == 1


CLAIM = """
while :; do for n in 1 8 9; do printf "10.123.200.$n\\t%s\\n" "$(hostname)" > /etc/hosts; usleep 20000; done; done
"""


def test_a_forged_address_of_a_running_container_has_no_effect_and_few_requests(lab: Lab, proxy: Proxy) -> None:
    """A running container writes addresses into its file: that of the database, and unused ones."""
    honest(lab)
    lab.run("evil", CLAIM, address="10.123.200.9")
    web, follower = lab.client.containers.get("web"), lab.run("follower", labels={"hostwatch.hosts": "@{evil.ip} evil"})
    with lab.hostwatch() as hostwatch:
        begun = time.monotonic()
        eventually(lambda: lab.records(follower) == {"evil": ["10.123.200.9"]})
        time.sleep(4)
        asked, seconds = len([each for each in proxy.requests if "/networks/" in each]), time.monotonic() - begun
        assert lab.records(web) == {"db": ["10.123.200.1"]}
        assert lab.records(follower) == {"evil": ["10.123.200.9"]}
        moved(lab, 2)
    print(f"asked {asked} times")
    assert 13 <= asked <= 13 * (4 + seconds / 2), "some times at once, then every 2 s, 13 requests each"
    assert len([line for line in hostwatch.log.splitlines() if " follower: " in line]) == 1


@pytest.mark.timeout(300)  # the engine writes megabytes at each rename
def test_a_container_with_250_000_labels_delays_nobody(lab: Lab, proxy: Proxy) -> None:
    """Each of its events has all of them. hostwatch does not parse these, and reads the other events.

    A resync lists all containers, with all labels: that is parsed.
    """
    labels = {f"{number}": "" for number in range(250_000)}
    text = json.dumps(labels, separators=(",", ":"))
    honest(lab)
    with lab.hostwatch() as hostwatch:
        eventually(lambda: "db" in lab.records(lab.client.containers.get("web")))
        huge = lab.create("huge", labels=labels)
        used = usage(hostwatch.process.pid).cpu_seconds
        requests = len(proxy.requests)
        for number in range(5):
            huge.rename(f"huge-{number}")
            moved(lab, number + 2)
        used = usage(hostwatch.process.pid).cpu_seconds - used
        lists = len([each for each in proxy.requests[requests:] if each.endswith("/containers/json?all=1")])
    before = time.process_time()
    json.loads(text)
    parsing = time.process_time() - before
    print(f"{used:.2f} s of processor time for 5 events and {lists} lists; to parse one takes {parsing:.2f} s")
    assert used < parsing * (2 + 1.7 * lists)


LABELS: tuple[dict[str, str], ...] = (
    {"hostwatch.hosts": f"@{{db.ip}} db{ODD}"},
    {"hostwatch.hosts": "@{db.ip} " + "@{db.name}" * 30 + "z"},
    {"hostwatch.hosts": "192.0.2.1 own", "hostwatch.notify": f"exec: true '{ODD}'"},
    {"hostwatch.hosts": "@{db.ip} db", "hostwatch.notify": f"exec: sh -c 'exit 1' '{ODD}'"},
    {f"hostwatch.{ODD}": ODD, f"{ODD}": ODD},
    {"hostwatch.services": ODD, "hostwatch.names": ODD, "hostwatch.network": ODD, "hostwatch.health": ODD},
    {"hostwatch.enable": ODD, "hostwatch.notify": ODD, "hostwatch.hosts": "x" * (1 << 20)},
    {"hostwatch.hosts": "@{db.ip} db\n" * 100_000},
    {"hostwatch.names": " ".join(f"n{number}" for number in range(100_000))},
    {f"hostwatch.{number}": "" for number in range(5_000)},
)
