"""The explanation of each line of a resolv.conf: what it says, what it would take, and what the file overrides."""

import pytest

from hostwatch.core.block.forms import OF_RESOLV
from hostwatch.core.block.hostsfile import rewritten
from hostwatch.core.host_resolver import HostResolver
from hostwatch.core.mentions import given_by, looked_up
from hostwatch.core.model import FileKind
from hostwatch.core.resolve.bearers import Bearers
from hostwatch.core.resolve.desired import desired_block
from hostwatch.core.resolve.explained import Explained, Explanation, names_of
from hostwatch.core.store.store import Store
from tests.core.build import STOPPED, box, ip, key, on, store

FRONT = on("front", "10.0.0.2")
DNS = box("dns", on("front", "10.0.0.53"))


def asks(*lines: str, host: HostResolver | None = None, dns: bool = True) -> Store:
    """A store with a subscriber that has these lines, beside a DNS server."""
    web = box("web", FRONT, labels={"hostwatch.resolv": "\n".join(lines)})
    made = store(web, DNS if dns else box("dns", state=STOPPED))
    if host is not None:
        made.put_host_resolver(host)
    return made


def explained(made: Store, file: bytes = b"") -> list[Explained]:
    """The explanations of all lines, in a file with these lines of its own."""
    requests = made.sharing(key("web"), FileKind.RESOLV).requests
    desired = desired_block(made, requests, {}, 0.0, 2.0)
    standing = rewritten(file, desired.block, (), form=OF_RESOLV).block
    bearers = Bearers(made)
    for container in made.containers:
        bearers.take_in(container)
    explanation = Explanation(made, (key("web"), FileKind.RESOLV), desired, standing, bearers)
    assert not any(explanation.prepare())
    return [*filter(None, explanation.lines((), lambda _last: "later"))]


def texts(line: Explained, *kinds: str) -> list[str]:
    """The texts of the steps of these kinds."""
    return [step.text for step in line.steps if step.kind in kinds]


def gives(line: Explained) -> list[str]:
    """The lines of the file."""
    return [f"{record.names[0]} {record.address}" for record, _ in line.records]


def test_a_nameserver_is_looked_up() -> None:
    """With all tiers, candidates and the record that it gives."""
    (line,) = explained(asks("nameserver @{dns.ip}"), b"nameserver 127.0.0.11\n")
    assert (line.state, line.asked_by) == ("published", "label hostwatch.resolv of web")
    assert gives(line) == ["nameserver 10.0.0.53"]
    assert texts(line, "name") == ["dns is looked up from the network front"]
    assert texts(line, "taken") == ["taken: 10.0.0.53 on front, where both are"]
    assert texts(line, "published") == ["it gives nameserver 10.0.0.53"]


def test_without_an_answer_the_remedy_is_said() -> None:
    """As for a line of a hosts file."""
    (line,) = explained(asks("nameserver @{dns.ip}", dns=False))
    assert (line.state, line.reason, line.records) == ("withheld", "dns: no running container", ())
    assert texts(line, "would_change") == ["start dns"]


def test_the_nameservers_of_the_host_are_told() -> None:
    """What its file says, or why it says nothing."""
    known = HostResolver((ip("192.0.2.1"), ip("192.0.2.2")), ("a.example",))
    server, search = explained(asks("nameserver host", "search host", host=known))
    assert gives(server) == ["nameserver 192.0.2.1", "nameserver 192.0.2.2"]
    assert texts(server, "name") == ["the host asks 192.0.2.1, 192.0.2.2"]
    assert gives(search) == ["search a.example"]
    assert texts(search, "name") == ["the host searches in a.example"]


def test_a_host_without_nameservers_is_told() -> None:
    """With what would change it."""
    fault = "the host uses only loopback nameservers (127.0.0.1)"
    server, search = explained(asks("nameserver host", "search host", host=HostResolver(fault=fault)))
    assert (server.state, server.reason) == ("withheld", fault)
    assert texts(server, "name") == [fault]
    assert "in the place of `host`" in texts(server, "would_change")[0]
    assert (search.state, search.reason) == ("withheld", "the host has no search domains")
    assert "`search` in the host's resolv.conf" in texts(search, "would_change")[0]
    (server,) = explained(asks("nameserver host"))
    assert texts(server, "name", "would_change") == ["the host's resolv.conf is not read yet"]


def test_what_a_later_line_overrides_is_shadowed_by_it() -> None:
    """Of options each word by itself."""
    found = explained(
        asks("search a.example", "options timeout:1 ndots:2", "options rotate"),
        b"search of.file\noptions ndots:0\nnameserver 127.0.0.11\n",
    )
    search, options, rotate = found
    assert (search.state, search.reason, search.records) == ("withheld", "shadowed by search of.file in the file", ())
    assert texts(search, "name") == ["its words are literal, so nothing is looked up"]
    assert "--dns-search=." in texts(search, "would_change")[0]
    assert (options.state, gives(options)) == ("published", ["options timeout:1"])
    assert texts(options, "shadowed") == ["withheld: options ndots:2 (shadowed by ndots:0 in the file)"]
    assert "dns_opt" in texts(options, "would_change")[0]
    assert (rotate.state, gives(rotate)) == ("published", ["options rotate"])


def test_one_nameserver_too_many_and_an_earlier_search_are_left_out() -> None:
    """Three count, and of several `search` the last."""
    lines = [f"nameserver 192.0.2.{number}" for number in range(1, 5)]
    *three, fourth, first, last = explained(asks(*lines, "search a.example", "search a.example b.example"))
    assert {line.state for line in three} == {"published"}
    assert (fourth.state, fourth.reason) == ("withheld", "only the first 3 nameservers count")
    assert "another nameserver" in texts(fourth, "would_change")[0]
    assert first.state == "withheld"
    assert texts(first, "would_change") == ["write all domains into one line `search`"]
    assert gives(last) == ["search a.example b.example"]


def test_a_nameserver_of_two_lines_is_one() -> None:
    """The later line is published, and has no record of its own."""
    first, second = explained(asks("nameserver @{dns.ip}", "nameserver 10.0.0.53"))
    assert gives(first) == ["nameserver 10.0.0.53"]
    assert (second.state, second.records) == ("published", ())
    assert texts(second, "published") == ["an earlier line gives the same"]


@pytest.mark.parametrize(
    ("line", "names", "sought"),
    [
        ("nameserver @{dns.ip}", ["nameserver", "dns"], "dns"),
        ("nameserver host", ["nameserver"], None),
        ("options timeout:1", ["options"], None),
        ("@{db.ip} db x", ["db", "x"], "db"),
        ("192.0.2.1 search", ["search"], None),
        ("", [], None),
    ],
)
def test_a_line_is_meant_by_its_keyword_or_its_names(line: str, names: list[str], sought: str | None) -> None:
    """And by the name that it looks up."""
    assert given_by(line) == names
    assert looked_up(line) == sought
    assert names_of(line, ()) >= {*names}
