"""The names that may be published in a hosts file, and text from others in a printable form."""

import re
import unicodedata

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*", re.ASCII)
_MAX_SHOWN = 100
_MAX_TOLD = 1_000
"""Longer than any name, and long enough for some of them."""
_CUT = " ..."


def folded(name: str) -> str:
    """A host name in lower case, in which it is looked up and compared: case does not count (RFC 4343).

    glibc, musl and the engine's DNS (tried on 20.10, 26.1 and 28.5) ignore case too.
    """
    return name.lower()


def name_fault(name: str) -> str | None:
    """The reason why `name` may not be published; `None` if it may.

    A valid name has letters, digits, `-`, `_` and `.`, and at most 253 characters. Its labels have 1 to 63 characters
    and neither begin nor end with `-` (RFC 1035, 2.3.4; containers and compose use the underscore as well). It is no
    address, because glibc and musl would not look that up. `localhost` and `ip6-…` belong to the image.
    """
    if len(name) > 253:
        return "longer than 253 characters"
    labels = name.split(".")
    if not all(map(_LABEL.fullmatch, labels)):
        return _malformed(name)
    # inet_aton takes `127.1`, `2130706433` and `1.0x2` for addresses, and resolvers try it before the file.
    if all(_NUMBER.fullmatch(label) for label in labels):
        return "an address, not a name"
    if is_reserved(name):
        return "never published"
    return None


def _malformed(name: str) -> str:
    """The reason why a text is no host name, with the name to write instead if there is one."""
    if all(map(_LABEL.fullmatch, name.removesuffix(".").split("."))):
        return "a name ends with a dot in DNS alone: leave it out"
    written = ".".join(map(_in_ascii, name.removesuffix(".").split(".")))
    if all(map(_LABEL.fullmatch, written.split("."))) and len(written) <= 253:
        return f"a hosts file has ASCII alone: write {written}"
    return "not a host name"


def _in_ascii(label: str) -> str:
    """A label of letters and digits of any script in the form of DNS (an A-label, RFC 5890). Others are unchanged."""
    if label.isascii() or not all(c.isalnum() or c in "-_" or unicodedata.category(c)[0] == "M" for c in label):
        return label
    return f"xn--{unicodedata.normalize('NFKC', label).lower().encode('punycode').decode()}"


def is_reserved(name: str) -> bool:
    """Whether the name belongs to the machine itself, so that it is never published."""
    lower = name.lower()
    return lower == "localhost" or lower.startswith("ip6-")


def shown(text: str, most: int = _MAX_SHOWN) -> str:
    """Text from another source, safe for a comment or a log: printable ASCII, `most` characters long at most.

    A longer text is cut, between two words if possible, and ends with an ellipsis.
    """
    safe = ascii(text[: most + 1])[1:-1]
    if len(safe) <= most:
        return safe
    cut = safe[: most - len(_CUT)]
    words = cut.rpartition(" ")[0]
    return (words if len(words) > most // 2 else cut) + _CUT


def told(text: str) -> str:
    """Text from another source for a sentence: safe as in `shown`, and whole as long as it may be names."""
    return shown(text, _MAX_TOLD)


def printable(text: str) -> str:
    """Text that is safe for a terminal: it cannot move the cursor, or change colours or the direction of writing.

    Newlines and tabs stay. Other characters that are not printable are shown as escapes.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
