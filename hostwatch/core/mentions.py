"""The names by which people mean a line of a template."""

from hostwatch.core.resolv_template import KEYWORDS


def given_by(line: str) -> list[str]:
    """The names that a line gives in a hosts file; of a line of a resolv.conf its keyword, and the name it looks up.

    No address is a keyword.
    """
    first, *others = line.split() or [""]
    if first not in KEYWORDS:
        return others
    name = looked_up(line)
    return [first] if name is None else [first, name]


def looked_up(line: str) -> str | None:
    """The name in the reference that stands in the place of the address."""
    start, _, rest = line.partition("@{")
    return rest.partition("}")[0].rpartition(".")[0] if start.strip() in ("", *KEYWORDS) and rest else None
