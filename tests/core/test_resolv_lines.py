"""The lines that a container's resolv.conf is to have: from services, over time, and where several share the file."""

from hostwatch.core.block.forms import OF_RESOLV
from hostwatch.core.block.hostsfile import found, rewritten
from hostwatch.core.model import FileKind
from hostwatch.core.resolve import desired
from hostwatch.core.resolve.linger import Desired
from hostwatch.core.resolve.outcome import Memory
from hostwatch.core.resolve.recall import memory_of
from hostwatch.core.store.store import Store
from tests.core.build import STOPPED, UNKNOWN, box, key, on, store

LINGER = 2.0


def asking(*lines: str) -> dict[str, str]:
    return {"hostwatch.resolv": "\n".join(lines)}


def world(*lines: str) -> Store:
    """`web` asks for these lines beside `dns` and `spare`."""
    return store(
        box("web", on("net", "10.0.0.2"), labels=asking(*lines)),
        box("dns", on("net", "10.0.0.5")),
        box("spare", on("net", "10.0.0.6")),
    )


def decided(made: Store, memory: Memory | None = None, now: float = 0.0) -> Desired:
    requests = made.sharing(key("web"), FileKind.RESOLV).requests
    return desired.desired_block(made, requests, memory or {}, now, LINGER)


def lines(now: Desired) -> list[str]:
    """The lines of the block as it stands in an empty file, without their blanks at the end."""
    text = rewritten(b"", now.block, form=OF_RESOLV).text
    return [line.rstrip() for line in text.decode().splitlines()[1:-1]]


def test_the_lines_have_the_order_of_the_template() -> None:
    """A service in the place of its reference, and never a line without an address."""
    made = world("nameserver 192.0.2.1", "nameserver @{dns.ip}", "nameserver @{gone.ip}", "search a", "options rotate")
    assert lines(decided(made)) == [
        "nameserver 192.0.2.1",
        "nameserver 10.0.0.5",
        "search a",
        "options rotate",
        "# withheld: nameserver @{gone.ip}  (gone: no running container)",
    ]


def test_replicas_are_a_line_each() -> None:
    """In their order."""
    made = store(
        box("web", on("net", "10.0.0.2"), labels=asking("nameserver @{dns.ip}"), compose="p/web"),
        box("dns-2", on("net", "10.0.0.9"), compose="p/dns", number=2),
        box("dns-1", on("net", "10.0.0.10"), compose="p/dns", number=1),
    )
    assert lines(decided(made)) == ["nameserver 10.0.0.10", "nameserver 10.0.0.9"]


def test_the_same_address_twice_is_one_line() -> None:
    """From a service and as a literal."""
    assert lines(decided(world("nameserver @{dns.ip}", "nameserver 10.0.0.5"))) == ["nameserver 10.0.0.5"]


def test_a_nameserver_lingers_while_another_one_is_replaced() -> None:
    """Each line goes its own way: one is gone and stays for a moment, the other moves at once."""
    made = world("nameserver @{dns.ip}", "nameserver @{spare.ip}")
    first = decided(made)
    made.put(box("dns", state=STOPPED))
    made.put(box("spare", on("net", "10.0.0.66")))
    second = decided(made, first.memory, now=1.0)
    assert lines(second) == ["nameserver 10.0.0.5", "nameserver 10.0.0.66"]
    assert second.again_at == 3.0
    made.put(box("dns", on("net", "10.0.0.55")))
    assert lines(decided(made, second.memory, now=1.5)) == ["nameserver 10.0.0.55", "nameserver 10.0.0.66"]
    made.put(box("dns", state=STOPPED))
    third = decided(made, second.memory, now=3.0)
    assert lines(third)[0] == "nameserver 10.0.0.66"
    assert lines(third)[1].startswith("# withheld: nameserver @{dns.ip}  (dns: ")


def test_a_nameserver_whose_address_is_anothers_goes_at_once() -> None:
    """A container must not be asked that is no DNS server."""
    made = world("nameserver @{dns.ip}")
    first = decided(made)
    made.put(box("dns", state=STOPPED))
    made.put(box("evil", on("net", "10.0.0.5")))
    assert not any(line.startswith("nameserver") for line in lines(decided(made, first.memory, now=0.1)))


def test_what_is_unknown_changes_nothing() -> None:
    """The line of a container that is changing stays."""
    made = world("nameserver @{dns.ip}")
    first = decided(made)
    made.put(box("dns", on("net", "10.0.0.5"), state=UNKNOWN))
    assert decided(made, first.memory, now=99.0).block == first.block


def test_memory_after_a_restart() -> None:
    """A line with a reference may be any nameserver that the block has and that no line gives literally."""
    made = world("nameserver @{dns.ip}", "nameserver 192.0.2.1", "search a", "nameserver @{spare.ip}")
    text = rewritten(b"nameserver 127.0.0.11\n", decided(made).block, form=OF_RESOLV).text
    block = found(text, OF_RESOLV)
    assert block is not None
    requests = made.sharing(key("web"), FileKind.RESOLV).requests
    memory = memory_of(desired.outcomes(made, requests), block, FileKind.RESOLV)
    remembered = {line: [str(record.address) for record in last.records] for line, last in memory.items()}
    assert remembered == {
        "nameserver @{dns.ip}": ["10.0.0.5", "10.0.0.6"],
        "nameserver 192.0.2.1": ["192.0.2.1"],
        "search a": ["a"],
        "nameserver @{spare.ip}": ["10.0.0.5", "10.0.0.6"],
    }
    made.put(box("dns", state=STOPPED))  # it went while nobody looked: its address lingers, in its old place
    again = decided(made, memory, now=5.0)
    assert lines(again)[0] == "nameserver 10.0.0.5"
    assert lines(decided(made, again.memory, now=5.0 + LINGER))[:2] == ["nameserver 192.0.2.1", "nameserver 10.0.0.6"]


def test_containers_that_share_a_file() -> None:
    """The lines of both, the owner's first, each once; the rest of the file's rules is in `core.block.resolv`."""
    made = store(
        box("web", on("net", "10.0.0.2"), labels=asking("nameserver @{dns.ip}", "options rotate")),
        box("side", join="web", labels=asking("nameserver 192.0.2.1", "nameserver @{dns.ip}", "options rotate")),
        box("dns", on("net", "10.0.0.5")),
    )
    assert lines(decided(made)) == ["nameserver 10.0.0.5", "nameserver 192.0.2.1", "options rotate"]


def test_a_resolver_out_of_reach_is_withheld() -> None:
    """Another network."""
    made = store(
        box("web", on("net", "10.0.0.2"), labels=asking("nameserver @{dns.ip}")), box("dns", on("other", "10.1.0.5"))
    )
    (line,) = lines(decided(made))
    assert line.startswith("# withheld: nameserver @{dns.ip}  (dns: ")


def test_only_those_who_ask_are_subscribed() -> None:
    """By either file: a start is then looked at in time."""
    made = world("nameserver @{dns.ip}")
    assert [made.is_subscribed(key(name)) for name in ("web", "dns")] == [True, False]
    assert made.resolv_files == frozenset([key("web")])
