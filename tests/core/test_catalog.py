"""The entries of catalogs: what is an instance, and what is refused, with the reason."""

import ipaddress
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostwatch.core.catalog import (
    VALUE_LIMIT,
    Doubt,
    Instance,
    Refusal,
    consul_instance,
    etcd_instance,
    looked_at,
    zookeeper_instance,
)

KEY = "/services/billing/host:billing:80"


def found(value: object, key: str = KEY) -> str:
    """The address of an entry of etcd, or why it is refused."""
    raw = (
        value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else json.dumps(value).encode()
    )
    entry = etcd_instance(key, raw)
    return str(entry.address) if isinstance(entry, Instance) else entry.reason


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("10.0.0.1:80", "10.0.0.1"),
        (" 10.0.0.1\n", "10.0.0.1"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ({"host": "10.0.0.1", "port": 80, "priority": 10}, "10.0.0.1"),
    ],
)
def test_the_forms_of_etcd(value: object, address: str) -> None:
    """registrator's and SkyDNS's."""
    assert found(value) == address


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("db.example.org:80", "db.example.org is a name, and no address"),
        ({"host": "db"}, "db is a name, and no address"),
        ("", "neither ADDRESS:PORT, nor ADDRESS, nor JSON with `host`"),
        ("password = hunter2", "neither ADDRESS:PORT, nor ADDRESS, nor JSON with `host`"),
        ("10.0.0.1:80 web", "neither ADDRESS:PORT, nor ADDRESS, nor JSON with `host`"),
        ("010.0.0.1", "neither ADDRESS:PORT, nor ADDRESS, nor JSON with `host`"),
        (b"\xff\xfe", "neither ADDRESS:PORT, nor ADDRESS, nor JSON with `host`"),
        ('{"host": ', "not JSON"),
        ('{"a":' * 10_000, "not JSON"),
        ('{"host": ' + "1" * 5_000 + "}", "not JSON"),
        ({"host": ["10.0.0.1"]}, "JSON without a text `host`"),
        ({"host": "10.0.0.1\n10.0.0.2 evil"}, "JSON without a text `host`"),
        ("127.0.0.1:80", "127.0.0.1 is a loopback address, which means another machine on each host"),
        ("::1", "::1 is a loopback address, which means another machine on each host"),
        ("::ffff:127.0.0.1", "127.0.0.1 is a loopback address, which means another machine on each host"),
        ("169.254.169.254", "169.254.169.254 is a link-local address, which means another machine on each host"),
        ("fe80::1", "fe80::1 is a link-local address, which means another machine on each host"),
        ("fe80::1%eth0", "fe80::1%eth0 has a zone, which each host names differently"),
        ("0.0.0.0", "0.0.0.0 is no host's address, which means another machine on each host"),
        ("224.0.0.1", "224.0.0.1 is a multicast address, which means another machine on each host"),
        ("255.255.255.255", "255.255.255.255 is no host's address, which means another machine on each host"),
        (b"1" * (VALUE_LIMIT + 1), "longer than 64 KiB"),
    ],
)
def test_what_is_refused(value: object, reason: str) -> None:
    """Each with its reason, which repeats no text that may be a secret."""
    assert found(value) == reason


def test_a_value_that_was_not_read_is_refused() -> None:
    """Its key is told in a printable form."""
    assert etcd_instance("/services/\x1b[2J\n", None) == Refusal("/services/\\x1b[2J\\n", "longer than 64 KiB")


def test_nerves_form() -> None:
    """The name is for people. A child without JSON is refused."""
    child = "host_0000000001"
    value = b'{"host": "10.0.0.1", "port": 80, "name": "i-\\u202e1"}'
    assert zookeeper_instance(child, value) == Instance(child, ipaddress.ip_address("10.0.0.1"), "i-\\u202e1")
    assert zookeeper_instance(child, b'{"host": "::2"}') == Instance(child, ipaddress.ip_address("::2"), child)
    assert zookeeper_instance(child, b"10.0.0.1:80") == Refusal(child, "not JSON")
    assert zookeeper_instance(child, b"[]") == Refusal(child, "JSON without a text `host`")


def test_consuls_form() -> None:
    """The service's own address comes first; what is no entry is refused."""
    entry = {"Node": {"Node": "a", "Address": "10.0.0.1"}, "Service": {"ID": "db-1", "Address": ""}}
    address = ipaddress.ip_address("10.0.0.1")
    assert consul_instance(entry) == Instance("a/db-1", address, "db-1", "a")
    other = entry | {"Service": {"ID": "db-1", "Address": "10.9.0.1"}}
    assert consul_instance(other) == Instance("a/db-1", ipaddress.ip_address("10.9.0.1"), "db-1", "a")
    nothing: tuple[object, ...] = (None, [], {}, {"Node": 5, "Service": "x"})
    for bad in nothing:
        assert consul_instance(bad) == Refusal("/", "it has no address")


JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists)


@pytest.mark.slow
@given(st.binary() | JSON.map(lambda value: json.dumps({"host": value, "name": value}).encode()), st.text())
def test_nothing_that_others_write_raises(value: bytes, key: str) -> None:
    """Whatever it is, the result is printable."""
    for entry in (etcd_instance(key, value), zookeeper_instance(key, value), consul_instance({"Node": {"Node": key}})):
        shown = (entry.key, entry.name, entry.host) if isinstance(entry, Instance) else (entry.key, entry.reason)
        assert all(text.isprintable() and text.isascii() for text in shown)


def test_an_empty_answer_is_doubted_for_a_while() -> None:
    """From the first one on; another answer, or the loss of the catalog, begins anew."""
    doubt = Doubt(60.0)
    assert doubt.wait(0.0) is None
    assert not doubt.is_believed(has_instances=False, now=0.0)
    assert not doubt.is_believed(has_instances=False, now=59.0)
    assert doubt.wait(59.0) == 1.0
    assert doubt.is_believed(has_instances=False, now=60.0)
    assert doubt.wait(61.0) is None
    assert doubt.is_believed(has_instances=True, now=61.0)
    assert not doubt.is_believed(has_instances=False, now=62.0)
    doubt.ended()
    assert not doubt.is_believed(has_instances=False, now=200.0)
    assert Doubt(0.0).is_believed(has_instances=False, now=0.0)


def test_of_a_long_value_no_more_is_kept_than_says_that_it_is_long() -> None:
    """Ten thousand of a megabyte each would fill the memory of the host."""
    kept = looked_at(b"x" * (VALUE_LIMIT * 4))
    assert len(kept) == VALUE_LIMIT + 1
    assert isinstance(found := zookeeper_instance("child", kept), Refusal)
    assert found.reason == "longer than 64 KiB"
    assert looked_at(b"short") == b"short"
