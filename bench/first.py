"""First instruction: is the file right before the container does anything? Counted on each engine.

The container itself reads the file as its first act. Measured at rest, and with every core kept busy by other programs.
A recreated service also reads a file on the host that gets every name.
"""

from contextlib import nullcontext
from pathlib import Path

from docker.models.containers import Container

from bench.contenders import HOSTWATCH, busy_cores, exact, lab, running, wait_for
from bench.report import Answer, Row, Target
from tests import engine as engines
from tests.conftest import Lab

ROUNDS, ROUNDS_QUICK = 100, 10
PEERS = 3
LABELS = {"hostwatch.hosts": "@{db.ip} db"}
ADDRESS = "10.123.7.7"
OF_HOST = "# a file on the host\n"
COLUMNS = ("new_subscriber", "restarted_subscriber", "recreated_service", "recreated_service_in_host_file")
"""What is counted; `bench.drawing` shows these columns."""


def asked(quick: bool) -> Answer:
    """The counts, for each engine, at rest and with busy cores."""
    rounds = ROUNDS_QUICK if quick else ROUNDS
    rows: list[Row] = []
    exacts: list[str] = []
    for version in engines.VERSIONS:
        with lab(version) as made, running(HOSTWATCH, made, hosts := host_file(made)):
            for cores in ("at rest", "busy"):
                with busy_cores() if cores == "busy" else nullcontext():
                    counts = counted(made, hosts, rounds)
                rows.append({"engine": version, "cores": cores, "of": rounds, **counts})
            exacts.append(exact(made))
    targets = [
        Target(
            f"{column.replace('_', ' ')}, the least of all engines, cores {cores}", min(found), rounds, at_least=True
        )
        for column in COLUMNS
        for cores in ("at rest", "busy")
        if (found := [int(row[column] or 0) for row in rows if row["cores"] == cores])
    ]
    notes = [
        ", ".join(exacts),
        "hostwatch has taken the lowest real-time priority by itself; the busy loops, one a core, are at the usual one",
    ]
    return Answer("First instruction: how often the file was right before it", rows, targets, notes)


def host_file(made: Lab) -> Path:
    """A file on the host, for every name."""
    path = made.directory / "host"
    path.write_text(OF_HOST)
    return path


def counted(made: Lab, hosts: Path, rounds: int) -> dict[str, int]:
    """The counts."""
    db = made.run("db", address=ADDRESS)
    counts = [new_subscribers(made, rounds), restarts(made, rounds)]
    db.remove(force=True)
    return dict(zip(COLUMNS, [*counts, *recreations(made, hosts, rounds)], strict=True))


def line(address: str) -> str:
    """The line that announces the database."""
    return f"{address:<16}db\n"


def new_subscribers(made: Lab, rounds: int) -> int:
    """Each new container finds the line."""
    right = 0
    for number in range(rounds):
        web = made.run(f"web-{number}", "cat /etc/hosts", labels=LABELS)
        web.wait(timeout=60)
        right += line(ADDRESS) in printed(web)
        web.remove(force=True)
    return right


def restarts(made: Lab, rounds: int) -> int:
    """A restarted container finds the line, which the engine removes at each start."""
    web = made.run("web", "cat /etc/hosts; echo ---; exec sleep 1000", labels=LABELS)
    for number in range(rounds):
        wait_for(lambda so_far=number + 1: printed(web).count("---") == so_far, "a restarted container read its file")  # type: ignore[misc]
        web.restart(timeout=0)
    wait_for(lambda: printed(web).count("---") == rounds + 1, "a restarted container read its file")
    reads = printed(web).split("---\n")[1:-1]
    web.remove(force=True)
    return sum(line(ADDRESS) in read for read in reads)


def recreations(made: Lab, hosts: Path, rounds: int) -> tuple[int, int]:
    """The new database finds its own address in all of its peers' files, and in that of the host."""
    peers = [made.run(f"peer-{number}", labels=LABELS) for number in range(PEERS)]
    files = {hosts: "host"} | {made.hosts_path(peer): peer.name for peer in peers}
    mounts = {str(path): {"bind": f"/{name}", "mode": "ro"} for path, name in files.items()}
    right = right_of_host = 0
    for number in range(rounds):
        address = f"10.123.8.{number + 1}"
        db = made.run("db", "cat /peer-* /host", address, volumes=mounts)
        db.wait(timeout=60)
        of_peers, _, of_host = printed(db).partition(OF_HOST)
        right += of_peers.count(line(address)) == PEERS
        right_of_host += line(address) in of_host
        db.remove(force=True)
    for peer in peers:
        peer.remove(force=True)
    return right, right_of_host


def printed(container: Container) -> str:
    """The output of a container so far."""
    return container.logs().decode()
