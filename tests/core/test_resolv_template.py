"""The grammar of templates for a resolv.conf."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostwatch.core.resolv_template import KEYWORDS, MAX_SEARCH, ResolvLine, is_option, parsed_resolv
from tests.effort import examples

LONG = " ".join(["example.internal"] * 120)
"""A list of domains of 2 kB."""


def refused(text: str) -> str:
    """The value and the reason of the only fault. No line is left."""
    lines, faults = parsed_resolv(text)
    assert lines == ()
    (fault,) = faults
    return f"{fault.column}: {fault.value[:20]}: {fault.reason}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("nameserver dns.example", "11: dns.example: behind nameserver stands an address or", id="a name"),
        pytest.param("nameserver @{dns.name}", "stands an address; 'name' is none", id="the name of a container"),
        pytest.param("nameserver @{dns.mac}", "stands an address; 'mac' is none", id="no address"),
        pytest.param("nameserver 192.0.2.1:53", "11: 192.0.2.1:53: behind nameserver stands an address", id="a port"),
        pytest.param("nameserver [2001:db8::1]:53", "[2001:db8::1]:53: behind nameserver", id="a port, IPv6"),
        pytest.param("nameserver 192.0.2.1#53", "11: 192.0.2.1#53: an address has no port", id="dnsmasq's port"),
        pytest.param("nameserver 192.0.2.1@53", "192.0.2.1@53: behind nameserver stands an address", id="a port, @"),
        pytest.param("nameserver @{dns.ip}:53", "nothing joined to it", id="a port behind a reference"),
        pytest.param("nameserver fe80::1%eth0", "an address with a zone is not supported", id="a zone"),
        pytest.param("nameserver 192.0.2.1 192.0.2.2", "21: 192.0.2.2: a line has one nameserver", id="two"),
        pytest.param("nameserver host 192.0.2.2", "16: 192.0.2.2: a line has one nameserver", id="host and another"),
        pytest.param("nameserver", "0: nameserver: behind nameserver something is needed", id="none"),
        pytest.param("nameserver 192.0.2", "behind nameserver stands an address", id="half an address"),
        pytest.param("nameserver 0127.0.0.1", "behind nameserver stands an address", id="an octal address"),
        pytest.param("Nameserver 192.0.2.1", "0: Nameserver: a line begins with one of nameserver,", id="upper case"),
        pytest.param("domain example.org", "0: domain: a line begins with one of nameserver, search,", id="domain"),
        pytest.param("sortlist 192.0.2.0/24", "a line begins with one of", id="sortlist"),
        pytest.param("192.0.2.1 db", "a line begins with one of", id="a line of a hosts file"),
        pytest.param("search", "something is needed", id="no domain"),
        pytest.param(f"search {LONG}", f"more than {MAX_SEARCH} characters", id="2 kB of domains"),
        pytest.param(f"search {'x' * 2000}", "longer than 253 characters", id="a domain of 2 kB"),
        pytest.param("search @{dns.hostname}", "7: @{dns.hostname}: a reference stands behind nameserver", id="ref"),
        pytest.param("search x.@{dns.name}", "a reference stands behind nameserver only", id="a reference in a domain"),
        pytest.param("search @@{dns.name}", "not a host name", id="a literal reference"),
        pytest.param("search exämple.org", "xn--exmple-cua.org", id="not ASCII"),
        pytest.param("search a..b", "not a host name", id="an empty label"),
        pytest.param("search 192.0.2.1", "an address, not a name", id="an address"),
        pytest.param("search host example.org", "7: host: `search host` is a line of its own", id="host and others"),
        pytest.param("search a .", "9: .: ", id="the root behind another domain"),
        pytest.param("options inet7", "8: inet7: resolv.conf(5) knows no such option", id="an unknown option"),
        pytest.param("options ndots", "ndots: resolv.conf(5) knows no such option", id="no number"),
        pytest.param("options ndots:-1", "knows no such option", id="a negative number"),
        pytest.param("options timeout:1s", "knows no such option", id="a unit"),
        pytest.param("options rotate:1", "knows no such option", id="a number too much"),
        pytest.param("options edns0 host", "14: host: resolv.conf(5) knows no such option", id="the host's options"),
        pytest.param("options @{dns.ip}", "a reference stands behind nameserver only", id="a reference as an option"),
        pytest.param("nameserver @{dns.ip", "a reference ends with `}`", id="an open reference"),
        pytest.param("nameserver 192.0.2.1\x0bsearch evil", "28: evil: a line has one nameserver", id="a vertical tab"),
        pytest.param("search a\u2028b", "not a host name", id="a line separator"),
        pytest.param("search a\x00b", "not a host name", id="a NUL"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    """With the place, the value and a sentence; the lines around it count."""
    assert reason in refused(text)
    lines, faults = parsed_resolv(f"nameserver 192.0.2.9\n  {text}\nsearch b.example\n")
    assert [line.text for line in lines] == ["nameserver 192.0.2.9", "search b.example"]
    assert [(fault.row, fault.column >= 2) for fault in faults] == [(1, True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nameserver   192.0.2.1\t# ours", "nameserver 192.0.2.1"),
        ("nameserver 2001:db8::1\r", "nameserver 2001:db8::1"),
        ("nameserver @{dns.ip}", "nameserver @{dns.ip}"),
        ("nameserver @{dns.ip6[1]}", "nameserver @{dns.ip6[1]}"),
        ("nameserver 127.0.0.11", "nameserver 127.0.0.11"),
        ("nameserver host", "nameserver host"),
        ("search  corp.example   lab", "search corp.example lab"),
        ("search corp.example.", "search corp.example."),
        ("search .", "search ."),
        ("search host", "search host"),
        ("options ndots:0 timeout:1 attempts:5 rotate edns0 trust-ad no-aaaa", None),
        ("# nameserver 192.0.2.1", ""),
    ],
)
def test_what_is_taken(text: str, expected: str | None) -> None:
    """As resolv.conf(5) has it, its words separated by single blanks."""
    lines, faults = parsed_resolv(text)
    assert faults == ()
    assert "\n".join(line.text for line in lines) == (text if expected is None else expected)


def test_what_the_host_uses() -> None:
    """The one word `host`, behind nameserver and search."""
    lines, _ = parsed_resolv("nameserver host\nsearch host\nnameserver @{host.ip}\nsearch hosts")
    assert [isinstance(line, ResolvLine) and line.is_of_host for line in lines] == [True, True, False, False]


@settings(max_examples=examples(500), deadline=None)
@given(
    st.lists(st.sampled_from([*KEYWORDS, "192.0.2.1", "@{db.ip}", "a.b", "rotate", "ndots:1", "#", "\n", "\r", "é"]))
)
def test_a_line_that_is_taken_is_one_line(words: list[str]) -> None:
    """Whatever a label holds: each line begins with a keyword, and has printable ASCII and single blanks only."""
    lines, _ = parsed_resolv(" ".join(words))
    for line in lines:
        keyword, *values = line.text.split(" ")
        assert keyword in KEYWORDS
        assert values
        assert line.text.isascii()
        assert line.text.isprintable()
        assert keyword != "options" or all(map(is_option, values))
