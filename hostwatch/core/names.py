"""Which strings may stand as a name in a hosts file."""

import re
import unicodedata

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*", re.ASCII)
_MAX_SHOWN = 100
_CUT = " ..."


def folded(name: str) -> str:
    """The one form of a host name by which it is looked up and compared: names have no case (RFC 4343).

    glibc and musl compare the names of a hosts file so, and so does the engine's DNS (tried on 20.10, 26.1 and 28.5).
    """
    return name.lower()


def name_fault(name: str) -> str | None:
    """Why `name` may not be published, `None` if it may.

    Letters, digits, `-`, `_` and `.`; labels of 1 to 63 characters that neither begin nor end with `-`; 253 characters
    at most (RFC 1035, 2.3.4; the underscore is what containers and compose use); not an address, as glibc and musl
    would take that for itself. `localhost` and `ip6-…` belong to the image.
    """
    if len(name) > 253:
        return "longer than 253 characters"
    labels = name.split(".")
    if not all(map(_LABEL.fullmatch, labels)):
        return _malformed(name)
    # `127.1`, `2130706433` and `1.0x2` are addresses to inet_aton, which resolvers try before the file.
    if all(_NUMBER.fullmatch(label) for label in labels):
        return "an address, not a name"
    if is_reserved(name):
        return "never published"
    return None


def _malformed(name: str) -> str:
    """Why something is no host name, and what to write instead where that is known."""
    if all(map(_LABEL.fullmatch, name.removesuffix(".").split("."))):
        return "a name ends with a dot in DNS alone: leave it out"
    written = ".".join(map(_in_ascii, name.removesuffix(".").split(".")))
    if all(map(_LABEL.fullmatch, written.split("."))) and len(written) <= 253:
        return f"a hosts file has ASCII alone: write {written}"
    return "not a host name"


def _in_ascii(label: str) -> str:
    """A label of letters and digits of any script as DNS has it (RFC 5890, an A-label); any other as it is."""
    if label.isascii() or not all(c.isalnum() or c in "-_" or unicodedata.category(c)[0] == "M" for c in label):
        return label
    return f"xn--{unicodedata.normalize('NFKC', label).lower().encode('punycode').decode()}"


def is_reserved(name: str) -> bool:
    """Whether the name belongs to the machine itself, so that nobody may publish it."""
    lower = name.lower()
    return lower == "localhost" or lower.startswith("ip6-")


def shown(text: str, most: int = _MAX_SHOWN) -> str:
    """Text that somebody else chose, as it may stand in a comment or a log: printable ASCII, and not too much of it.

    It is cut between two words, if there are any, and says that it was.
    """
    safe = ascii(text[: most + 1])[1:-1]
    if len(safe) <= most:
        return safe
    cut = safe[: most - len(_CUT)]
    words = cut.rpartition(" ")[0]
    return (words if len(words) > most // 2 else cut) + _CUT


def printable(text: str) -> str:
    """Text for a terminal or a log: nothing in it moves the cursor, changes colours or the direction of writing.

    Newlines and tabs stay; what else cannot be printed is shown as its escape.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
