"""The promise of the project: a file is right before the first instruction. Counted, not timed."""

from docker.models.containers import Container

from tests.conftest import Lab, eventually
from tests.noise import wrong_rounds

ROUNDS = 30
SUBSCRIBER = {"hostwatch.hosts": "@{db.PrivateIpAddress} db"}


def line(address: str) -> str:
    """The line that announces the database."""
    return f"{address:<16}db\n"


def test_a_new_subscriber_finds_its_block_before_its_first_instruction(lab: Lab) -> None:
    """Each new container reads its file as its first act, and the block is there."""

    def is_right(number: int) -> bool:
        return line("10.123.7.7") in output(lab.run(f"web-{number}", "cat /etc/hosts", labels=SUBSCRIBER))

    with lab.hostwatch() as hostwatch:
        lab.run("db", address="10.123.7.7")
        assert wrong_rounds(ROUNDS, is_right) == [], hostwatch.log


def test_a_restarted_subscriber_finds_its_block_before_its_first_instruction(lab: Lab) -> None:
    """The engine removes the block from the file at each start, and hostwatch puts it back in time."""
    with lab.hostwatch() as hostwatch:
        lab.run("db", address="10.123.7.7")
        web = lab.run("web", "cat /etc/hosts; echo ---; exec sleep 1000", labels=SUBSCRIBER)

        def is_right(number: int) -> bool:
            if number > 0:
                web.restart(timeout=0)
            return line("10.123.7.7") in reads_so_far(web, number + 1)[-1]

        assert wrong_rounds(ROUNDS + 1, is_right) == [], hostwatch.log


def test_peers_follow_a_recreated_service_before_its_first_instruction(lab: Lab) -> None:
    """The new database reads its peers' files as its first act, and finds its own new address in each."""
    with lab.hostwatch() as hostwatch:
        peers = [lab.run(f"web-{number}", labels=SUBSCRIBER) for number in range(3)]
        mounts = {str(lab.hosts_path(peer)): {"bind": f"/peer-{peer.name}", "mode": "ro"} for peer in peers}

        def is_right(number: int) -> bool:
            address = f"10.123.8.{number + 1}"
            service = lab.run("db", "cat /peer-*", address, volumes=mounts)
            found = output(service).count(line(address))
            service.remove(force=True)
            return found == len(peers)

        assert wrong_rounds(ROUNDS, is_right) == [], hostwatch.log


def reads_so_far(container: Container, wanted: int) -> list[str]:
    """The text that the container has read at each of its starts, once there are that many."""
    eventually(lambda: output(container, wait=False).count("---") == wanted)
    return output(container, wait=False).split("---\n")[:-1]


def output(container: Container, *, wait: bool = True) -> str:
    """The container's output, once it has ended."""
    if wait:
        container.wait(timeout=20)
    return container.logs().decode()
