"""The address of a server of the shared store."""

import pytest

from hostwatch.control.key_values import endpoint


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("http://10.0.0.1", "http://10.0.0.1:2379"),
        ("https://store.example:4001/", "https://store.example:4001"),
        ("https://[2001:db8::1]:2379", "https://[2001:db8::1]:2379"),
    ],
)
def test_a_url_is_completed(written: str, asked: str) -> None:
    """The port of etcd is the default."""
    assert endpoint(written) == asked


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("10.0.0.1:2379", "begin with http"),
        ("ftp://10.0.0.1", "begin with http"),
        ("http://user:secret@10.0.0.1", "no user or password"),
        ("http://10.0.0.1/v3", "end with the port"),
        ("http://10.0.0.1?x", "end with the port"),
        ("http://:2379", "names no host"),
        ("http://a b:2379", "names no host"),
        ("http://10.0.0.1:99999", "out of range"),
    ],
)
def test_what_is_no_server_says_why(written: str, reason: str) -> None:
    """A reason that helps, without the secret."""
    with pytest.raises(ValueError, match=reason) as caught:
        endpoint(written)
    assert "secret" not in str(caught.value)
