"""The container's other file: /etc/resolv.conf, from a start to the end, on real engines."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from tests.conftest import Hostwatch, Lab, eventually, newest_only
from tests.noise import wrong_rounds

DNS = {"hostwatch.resolv": "nameserver @{dns.ip}"}
END = "# hostwatch: end\n"
FIXED = {"hostwatch.resolv": "nameserver 192.0.2.7\noptions attempts:1"}
READ = "cat /etc/resolv.conf; echo ---; exec sleep 1000"
ROUNDS = 3
"""A start, a restart, a stop and a start."""

MODES: dict[str, dict[str, Any]] = {
    "user": {},
    "both": {},
    "bridge": {"network_mode": "bridge"},
    "host": {"network_mode": "host", "dns": ["192.0.2.53"]},
    "options": {"read_only": True, "dns": ["192.0.2.53"], "dns_search": ["a.example"], "dns_opt": ["timeout:3"]},
}
"""Each in its own way: the engine writes the file another number of times, with other contents."""


def resolv_path(lab: Lab, container: Container) -> Path:
    """The path of the file on the host."""
    return lab.hosts_path(container).parent / "resolv.conf"


def resolv(lab: Lab, container: Container) -> str:
    """The text of the file."""
    return resolv_path(lab, container).read_text()


def block(*lines: str) -> str:
    """A block with these lines. Blanks behind an address keep other lines in place."""
    written = (f"nameserver {line.split()[1]:<15}" if line.startswith("nameserver") else line for line in lines)
    return "".join(f"{line}\n" for line in ("# hostwatch: begin", *written, "# hostwatch: end"))


def has(lab: Lab, container: Container, *lines: str) -> None:
    """Wait until the file begins with a block of these lines."""
    eventually(lambda: resolv(lab, container).startswith(block(*lines)))


def follows(lab: Lab, container: Container, address: str) -> None:
    """Wait until the only line of the block is this nameserver."""
    has(lab, container, f"nameserver {address}")


def bare(lab: Lab, container: Container) -> str:
    """The text without the block, which stands at the head."""
    text = resolv(lab, container)
    return text.partition(END)[2] if END in text else text


def first_reads(container: Container, count: int) -> str:
    """What the container read as its first act, the last of so many times."""
    eventually(lambda: container.logs().count(b"---\n") == count)
    return container.logs().decode().split("---\n")[-2]


def test_a_nameserver_is_followed(lab: Lab) -> None:
    """From the first instruction on, through moves of the service and restarts; foreign bytes stay."""
    with lab.hostwatch() as hostwatch:
        dns = lab.run("dns", address="10.123.7.1")
        web = lab.run("web", "cat /etc/resolv.conf; exec sleep 1000", labels=DNS)
        follows(lab, web, "10.123.7.1")
        before = bare(lab, web)
        assert "nameserver 127.0.0.11" in before
        eventually(lambda: web.logs().count(b"nameserver 127.0.0.11") == 1)
        assert web.logs().decode().startswith(block("nameserver 10.123.7.1"))
        lab.network.disconnect(dns)
        lab.network.connect(dns, ipv4_address="10.123.7.22")
        follows(lab, web, "10.123.7.22")
        web.restart(timeout=0)
        follows(lab, web, "10.123.7.22")
        assert bare(lab, web).split() == before.split()
        eventually(lambda: web.logs().count(b"nameserver 127.0.0.11") == 2)
        assert web.logs().count(b"nameserver 10.123.7.22") == 1
        shown = json.loads(lab.command("status", "--json").stdout)["subscribers"][0]["resolv"]
        assert shown["in_sync"]
        assert [line["line"] for line in shown["lines"]] == ["nameserver 10.123.7.22"]
        dns.remove(force=True)
        eventually(lambda: "nameserver 10." not in resolv(lab, web))
        assert "# withheld: nameserver @{dns.ip}  (dns: no running container)\n" in resolv(lab, web)
    assert "web: resolv.conf: nameserver 10.123.7.1 → 10.123.7.22" in hostwatch.log


def test_each_mode_has_its_block_before_the_first_instruction(lab: Lab) -> None:
    """And no byte of the engine's is another one than in a container that does not subscribe: Docker's DNS stays."""
    with lab.hostwatch(), ThreadPoolExecutor(2) as pool:

        def made(mode: str, name: str, labels: dict[str, str]) -> Container:
            container = lab.create(f"{mode}-{name}", READ, labels=labels, **MODES[mode])
            if mode == "both":
                lab.client.networks.get("bridge").connect(container)
            return container

        def is_right(mode: str, bare: str, number: int) -> bool:
            if number == 0:
                made(mode, "web", FIXED).start()  # at once, so that its inspection waits for the start
            web = lab.client.containers.get(f"{mode}-web")
            if number % 2:
                web.restart(timeout=0)
            elif number:
                web.stop(timeout=0)
                web.start()
            head, _, rest = first_reads(web, number + 1).partition(END)
            return head.startswith("# hostwatch: begin\nnameserver 192.0.2.7 ") and rest == bare

        def wrong(mode: str) -> list[int]:
            twin = made(mode, "twin", {})
            twin.start()
            return wrong_rounds(ROUNDS, partial(is_right, mode, first_reads(twin, 1)))

        assert list(zip(MODES, pool.map(wrong, MODES), strict=True)) == [(mode, []) for mode in MODES]
        for mode in ("user", "both", "options"):
            found = lab.client.containers.get(f"{mode}-web").exec_run(["nslookup", f"{mode}-twin", "127.0.0.11"])
            assert found.exit_code == 0, found.output
        # The engine rewrites the file of a container on the default bridge (20.10), and may not find ours.
        bridged = lab.client.containers.get("bridge-web")
        lab.network.connect(bridged)
        has(lab, bridged, "nameserver 192.0.2.7", "options attempts:1")
        lab.network.disconnect(bridged)
        has(lab, bridged, "nameserver 192.0.2.7", "options attempts:1")


@newest_only
def test_whoever_writes_the_file(lab: Lab) -> None:
    """Two containers, a mount, drift, one that writes all the time, one without a network: each as it should be."""
    configuration = 'subscribers: {by-exec: {match: {name: by-exec}, writer: exec, resolv: "nameserver @{dns.ip}"}}'
    mine = lab.directory / "mine.conf"
    mine.write_text("nameserver 192.0.2.99\n")
    with lab.hostwatch("-c", lab.configured(configuration)) as hostwatch:
        dns = lab.run("dns", address="10.123.7.1")
        web = lab.run("web", labels={"hostwatch.resolv": "nameserver @{dns.ip}\nnameserver 192.0.2.1\noptions rotate"})
        other = {
            "hostwatch.resolv": "nameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.1\nsearch a.example"
        }
        lab.run("side", network_mode="container:web", labels=other)
        lines = ["nameserver 10.123.7.1", "nameserver 192.0.2.1", "nameserver 192.0.2.2", "search a.example"]
        late = "# withheld: nameserver 192.0.2.3  (only the first 3 nameservers count)"
        has(lab, web, *lines, "options rotate", late)
        # Out of reach, and out of the engine's hands.
        lone = lab.run("lone", network_mode="none", labels=FIXED)
        mount = {str(mine): {"bind": "/etc/resolv.conf", "mode": "rw"}}
        lab.run("mounted", labels=FIXED, volumes=mount)
        has(lab, lone, "nameserver 192.0.2.7", "options attempts:1")
        eventually(lambda: "mounted: refused: " in hostwatch.log)
        assert mine.read_text() == "nameserver 192.0.2.99\n"
        by_exec = lab.run("by-exec")
        follows(lab, by_exec, "10.123.7.1")
        # Drift: a whole other text, which does not look like the engine's, and a half block.
        web.exec_run(["sh", "-c", "printf 'nameserver 192.0.2.8\\nsearch b.example' >/etc/resolv.conf"])
        shadowed = "# withheld: search a.example  (shadowed by search b.example in the file)"
        has(lab, web, *lines[:3], "options rotate", late, shadowed)
        assert bare(lab, web) == "nameserver 192.0.2.8\nsearch b.example\n"
        lone.exec_run(["sh", "-c", "sed '/hostwatch: end/d' /etc/resolv.conf >/tmp/x; cat /tmp/x >/etc/resolv.conf"])
        has(lab, lone, "nameserver 192.0.2.7", "options attempts:1")
        assert "nameserver 8.8.8.8\n" in bare(lab, lone)
        # A container that writes all the time delays nobody, and has its block once it ends.
        wild = "while [ ! -e /over ]; do echo nameserver 192.0.2.9 >/etc/resolv.conf; done; exec sleep 1000"
        writer = lab.run("wild", wild, labels=DNS)
        eventually(lambda: resolv(lab, writer) == "nameserver 192.0.2.9\n")
        lab.network.disconnect(dns)
        lab.network.connect(dns, ipv4_address="10.123.7.2")
        for container in (web, by_exec):
            eventually(lambda container=container: "nameserver 10.123.7.2 " in resolv(lab, container))  # type: ignore[misc]
        writer.exec_run(["touch", "/over"])
        eventually(lambda: resolv(lab, writer) == block("nameserver 10.123.7.2") + "nameserver 192.0.2.9\n", 40)


ASKING = 'subscribers: {web: {match: {name: "web*"}, resolv: "nameserver @{dns.ip}"}}\n'


def reconfigured(lab: Lab, hostwatch: Hostwatch, text: str) -> None:
    """Have the daemon read another configuration."""
    lab.configured(text)
    hostwatch.process.send_signal(signal.SIGHUP)


@newest_only
def test_those_who_keep_the_file_come_and_go(lab: Lab) -> None:
    """A first subscriber while the daemon runs, one that is taken back, a kill, a takeover, `clean` and the end."""
    dns, web = lab.run("dns", address="10.123.7.1"), lab.run("web")
    before = resolv(lab, web)
    path = lab.configured("on_exit: remove\n")

    def moved(address: str) -> None:
        lab.network.disconnect(dns)
        lab.network.connect(dns, ipv4_address=address)

    with lab.hostwatch("-c", path) as first:
        assert resolv(lab, web) == before
        reconfigured(lab, first, ASKING)
        follows(lab, web, "10.123.7.1")
        reconfigured(lab, first, "on_exit: remove\n")
        eventually(lambda: resolv(lab, web) == before)
        reconfigured(lab, first, ASKING)
        follows(lab, web, "10.123.7.1")
        with lab.hostwatch("-c", path, ready="standby") as second:
            first.process.kill()
            first.process.wait()
            eventually(lambda: "connected to engine" in second.log)
            moved("10.123.7.2")
            follows(lab, web, "10.123.7.2")
            second.process.kill()
            second.process.wait()
    moved("10.123.7.3")  # while nobody looks
    follows(lab, web, "10.123.7.2")
    with lab.hostwatch("-c", path) as third:
        follows(lab, web, "10.123.7.3")
        reconfigured(lab, third, "on_exit: remove\n" + ASKING)
        new = lab.run("web-2")  # the watch is there: right at once
        follows(lab, new, "10.123.7.3")
    assert resolv(lab, web) == before
    with lab.hostwatch("-c", lab.configured(ASKING)):
        follows(lab, web, "10.123.7.3")
    follows(lab, web, "10.123.7.3")  # `on_exit: keep`
    lab.command("clean")
    assert resolv(lab, web) == before
