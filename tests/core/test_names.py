"""The names that may be published in a hosts file, and the printable form of hostile text."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostwatch.core.names import is_reserved, name_fault, shown

LONGEST = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])


@pytest.mark.parametrize(
    "name",
    [
        "db",
        "DB",
        "a",
        "1a",
        "mysql.internal",
        "my_db",
        "_srv",
        "a--b",
        "3com.com",
        "0xcafe.de",
        "x.1",
        "a" * 63,
        LONGEST,
        "localhost.localdomain",
        "ip6",
        "ip6x-a",
        "xn--bcher-kva.example",
    ],
)
def test_a_host_name_may_be_published(name: str) -> None:
    """Letters, digits, `-`, `_` and `.`, within the lengths of DNS."""
    assert name_fault(name) is None


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("host.name.", "a name ends with a dot in DNS alone: leave it out"),
        ("bücher.example", "a hosts file has ASCII alone: write xn--bcher-kva.example"),
        ("BÜCHER.example.", "a hosts file has ASCII alone: write xn--bcher-kva.example"),
        ("straße", "a hosts file has ASCII alone: write xn--strae-oqa"),
        ("münchen.例え", "a hosts file has ASCII alone: write xn--mnchen-3ya.xn--r8jz45g"),
        ("bü cher", "not a host name"),
        ("a\u202eb", "not a host name"),
        ("ü" * 63, "not a host name"),
        (".", "not a host name"),
    ],
)
def test_a_fault_says_what_to_write_instead(name: str, fault: str) -> None:
    """If the text is another form of a DNS name."""
    assert name_fault(name) == fault


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "-a",
        "a-",
        "a.-b",
        "a-.b",
        "a b",
        "a\n",
        "a\tb",
        "a#b",
        "a\0",
        "bücher",
        "db\u202e",
        "a" * 64,
        LONGEST + "e",
        "@{db.ip}",
        "a/b",
        "a:b",
        "1.2.3.4",
        "127.1",
        "2130706433",
        "0x7f000001",
        "1.0x2",
        "0x",
        "1.2.3.4.5",
        "::1",
        "fe80::1%eth0",
        "localhost",
        "LocalHost",
        "ip6-localhost",
        "IP6-allnodes",
        "١٢",
    ],
)
def test_nothing_else_may_be_published(name: str) -> None:
    """No address in any notation of a resolver, no reserved name, no byte outside names."""
    assert name_fault(name) is not None


@given(st.text(st.sampled_from("0123456789abcdefxX.-"), min_size=1, max_size=12))
def test_no_name_is_an_address_to_the_c_library(name: str) -> None:
    """Resolvers try `inet_aton` before the hosts file."""
    try:
        socket.inet_aton(name)
    except OSError:
        return
    assert name_fault(name) is not None


@given(st.text(max_size=300))
def test_a_published_name_is_one_word_of_ascii(name: str) -> None:
    """A text that passes cannot end a line, begin a comment or look like an address."""
    if name_fault(name) is None:
        assert name.isascii()
        assert name.isprintable()
        assert not set(name) & set(" \t\n\r#")
        with pytest.raises(ValueError, match="does not appear"):
            ipaddress.ip_address(name)


def test_reserved_names_belong_to_the_image() -> None:
    """`localhost` and `ip6-…`, in any case."""
    assert [is_reserved(name) for name in ("localhost", "IP6-x", "localhost.a", "ip6")] == [True, True, False, False]


@given(st.text())
def test_shown_text_is_short_and_printable(text: str) -> None:
    """Newlines, escapes and directions are shown as escapes."""
    assert len(shown(text)) <= 100
    assert shown(text).isascii()
    assert shown(text) == "" or shown(text).isprintable()


def test_plain_text_is_shown_as_it_is() -> None:
    """Other text is shown recognisably."""
    assert shown("shop_back-end.1") == "shop_back-end.1"
    assert shown("a\nb\u202e") == "a\\nb\\u202e"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a few words", "a few words"),
        ("x" * 30, "x" * 30),
        ("x" * 31, "x" * 26 + " ..."),
        ("the server said no such host", "the server said no such host"),
        ("the server said: no such host there", "the server said: no such ..."),
        ("\u2026\n\x1b[2J", "\\u2026\\n\\x1b[2J"),
        ("a " + "y" * 60, "a " + "y" * 24 + " ..."),
    ],
)
def test_a_text_that_is_too_long_is_cut_between_words(text: str, expected: str) -> None:
    """It ends with an ellipsis, and is never longer than the limit."""
    assert shown(text, 30) == expected
    assert all(len(shown(text, most)) <= most for most in range(5, 40))
