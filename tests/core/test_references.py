"""The grammar of hosts templates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostwatch.core.references import MAX_TEMPLATE_LINES, Attribute, Reference, is_service_name, parsed_template
from tests.core.build import lines


@pytest.mark.parametrize(
    ("text", "name", "attribute", "index"),
    [
        ("@{db.ip}", "db", Attribute.IP, None),
        ("@{db.PrivateIpAddress}", "db", Attribute.IP, None),
        ("@{db.ip6}", "db", Attribute.IP6, None),
        ("@{db.PublicIp}", "db", Attribute.PUBLIC_IP, None),
        ("@{db.ip[0]}", "db", Attribute.IP, 0),
        ("@{db.PrivateIpAddress[12]}", "db", Attribute.IP, 12),
        ("@{db.ip6[1]}", "db", Attribute.IP6, 1),
        ("@{self.ip}", "self", Attribute.IP, None),
        ("@{a.b.ip}", "a.b", Attribute.IP, None),
        ("@{ip.ip}", "ip", Attribute.IP, None),
        ("@{Shop_db-1.x.ip}", "shop_db-1.x", Attribute.IP, None),
    ],
)
def test_an_address_reference(text: str, name: str, attribute: Attribute, index: int | None) -> None:
    """Both spellings, with and without a number; the attribute follows the last dot."""
    (line,) = lines(f"{text} x")
    assert line.address == (Reference(name, attribute, index, text),)
    assert (line.service, line.text) == (name, f"{text} x")


@pytest.mark.parametrize(
    ("text", "port"), [("@{db.HostIp}", None), ("@{db.HostIp[1]}", 1), ("@{db.HostIp[65535]}", 65535)]
)
def test_a_published_address_has_a_port_in_the_place_of_a_number(text: str, port: int | None) -> None:
    """So that the line stands for each replica."""
    (line,) = lines(f"{text} x")
    assert line.address == (Reference("db", Attribute.HOST_IP, None, text, port),)
    assert line.of_host == line.references[0]
    assert lines("@{db.ip} x")[0].of_host is None


@pytest.mark.parametrize(
    ("text", "attribute"),
    [
        ("@{db.mac}", Attribute.MAC),
        ("@{db.MacAddress}", Attribute.MAC),
        ("@{db.hostname}", Attribute.HOSTNAME),
        ("@{db.name}", Attribute.NAME),
        ("@{db.name[3]}", Attribute.NAME),
    ],
)
def test_a_reference_in_a_name(text: str, attribute: Attribute) -> None:
    """An attribute that is no address may be in a name, with text around it."""
    (line,) = lines(f"192.0.2.1 a-{text}.internal {text}")
    assert [reference.attribute for reference in line.references] == [attribute, attribute]
    assert line.names[0] == ("a-", line.references[0], ".internal")


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("@{db.ip}", 0),
        ("db 172.18.0.5", 0),
        ("@{db} x", 0),
        ("@{.ip} x", 0),
        ("@{db.} x", 0),
        ("@{db.IP} x", 0),
        ("@{db.port} x", 0),
        ("@{db.ip[]} x", 0),
        ("@{db.ip[-1]} x", 0),
        ("@{db.HostIp[0]} x", 0),
        ("@{db.HostIp[65536]} x", 0),
        ("@{db.HostIp[53/udp]} x", 0),
        ("@{db.ip[1} x", 0),
        ("@{db.ip[1][2]} x", 0),
        ("@{db.ip[1234567]} x", 0),
        ("@{db.ip x", 0),
        ("@{ db.ip } x", 0),
        ("@{@{db.ip}} x", 0),
        ("@{-db.ip} x", 0),
        ("@{d\u00e9.ip} x", 0),
        ("@{db.mac} x", 0),
        ("@{db.name} x", 0),
        ("a@{db.ip} x", 0),
        ("@{db.ip}@{db.ip} x", 0),
        ("fe80::1%eth0 x", 0),
        ("1.2.3 x", 0),
        ("  @{db.ip}  ok  -bad", 16),
        ("@{db.ip} @{db.name}-", 9),
        ("@{db.ip} x@@{y}", 9),
        ("@@{db.ip} x", 0),
        ("@{db.ip} localhost", 9),
        ("@{db.ip} 10.0.0.1", 9),
        ("@{db.ip} b\u00fccher", 9),
        ("@{db.ip} a\x0bb", 9),
        ("@{db.ip} a\u2028b", 9),
        ("@{db.ip} a\x85b", 9),
        ("@{db.ip} a\u202eb", 9),
        ("@{db.ip} a\rb", 9),
        ("@{db.ip} @{cache.name}", 0),
        ("@{self.ip} @{db.name}", 0),
        ("192.0.2.1 " + "x " * 3000, 0),
    ],
)
def test_a_fault_has_its_place(text: str, column: int) -> None:
    """A faulty line is refused as a whole, with the place of the fault."""
    found, (fault,) = parsed_template("10.0.0.1 fine\n" + text)
    assert (len(found), fault.row, fault.column) == (1, 1, column)
    assert len(fault.value) <= 200
    assert str(fault).startswith("line 2: ")
    assert str(fault).isprintable()


def test_a_doubled_at_opens_no_reference() -> None:
    """`@@{` is a literal `@{`, so the line has no reference (and is not valid, as no name may have `@{`)."""
    _, (fault,) = parsed_template("10.0.0.1 @@{db.ip}")
    assert fault.reason == "not a host name"


def test_blanks_comments_and_line_ends() -> None:
    """Fields are separated by blanks and tabs, `#` begins a comment, and lines may end as on Windows."""
    (first, second) = lines("# all", "", " \t ", "\t@{db.ip}\t db  mysql # why\r", "192.0.2.1 x#y\r")
    assert (first.text, second.text) == ("@{db.ip} db mysql", "192.0.2.1 x")
    assert second.service is None


def test_a_comment_may_hold_anything() -> None:
    """Also faulty text, and more text than a line may have."""
    assert len(lines("192.0.2.1 x # @{ " + "y" * 5000)) == 1


@pytest.mark.parametrize(
    ("count", "end", "faults"), [(1000, "", 0), (1000, "\n", 0), (1001, "", 1), (100_000, "\n", 1)]
)
def test_a_template_has_1000_lines_at_most(count: int, end: str, faults: int) -> None:
    """One more is a fault, never silently left out."""
    found, refused = parsed_template("\n".join(["192.0.2.1 x"] * count) + end)
    assert (len(found), len(refused)) == (MAX_TEMPLATE_LINES, faults)


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("db", True),
        ("a.b_c-1", True),
        ("9", True),
        ("-a", False),
        ("_a", False),
        ("", False),
        ("a b", False),
        ("a" * 253, True),
        ("a" * 254, False),
        ("db\n", False),
    ],
)
def test_names_that_can_be_looked_up(name: str, holds: bool) -> None:
    """Container names that Docker allows, and host names."""
    assert is_service_name(name) is holds


hostile = st.text(st.one_of(st.sampled_from("@{}[]. \t\r\n#-_ab0:"), st.characters()), max_size=60)
pieces = st.sampled_from(["@{db.ip}", "@{db.ip[1]}", "@@{", "@{", "192.0.2.1", " ", "\n", "#", "\u202e", "\x85", "db"])


@given(st.one_of(hostile, st.lists(pieces, max_size=20).map("".join)))
def test_in_any_text_lines_are_printable_and_faults_have_places(text: str) -> None:
    """No text raises an error. An accepted line is one line of ASCII, and a second parse gives the same."""
    found, faults = parsed_template(text)
    for line in found:
        assert line.text.isascii()
        assert line.text.isprintable()
        assert lines(line.text) == (line,)
    for fault in faults:
        assert 0 <= fault.column <= len(text.split("\n")[fault.row])
        assert str(fault).isprintable()
