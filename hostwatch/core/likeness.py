"""Similar names: finds the name that a user probably meant when another one was mistyped."""

import string
from collections.abc import Iterable, Iterator

_LETTERS = string.ascii_lowercase + string.digits + "-_."


def nearest_of(name: str, names: Iterable[str]) -> str | None:
    """The first of the names that differs from this one by case or one letter at most; `None` if there is none."""
    lower = name.lower()
    found = (other for other in names if other.lower() == lower or differs_by_a_letter(lower, other.lower()))
    return next(found, None)


def differs_by_a_letter(one: str, other: str) -> bool:
    """Whether the names differ by one letter (missing, added or replaced), or by two neighbouring letters swapped."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    start, shorter = 0, min(len(one), len(other))
    while start < shorter and one[start] == other[start]:
        start += 1
    end = 0
    while end < shorter - start and one[-1 - end] == other[-1 - end]:
        end += 1
    changed, instead = one[start : len(one) - end], other[start : len(other) - end]
    return max(len(changed), len(instead)) == 1 or (len(changed) == 2 and changed == instead[::-1])


def is_slip(one: str, other: str) -> bool:
    """Whether one name is probably a typing error for the other, unlike `web1` and `web2`, or `app` and `api`."""
    if not differs_by_a_letter(one, other):
        return False
    return sorted(one) == sorted(other) or (min(len(one), len(other)) > 3 and _digits(one) == _digits(other))


def neighbours(name: str) -> Iterator[str]:
    """Every name that differs by a letter, in lower case: several hundred names."""
    name = name.lower()
    for at in range(len(name)):
        yield name[:at] + name[at + 1 :]
        yield name[:at] + name[at + 1 : at + 2] + name[at] + name[at + 2 :]
        yield from (name[:at] + letter + name[at + 1 :] for letter in _LETTERS)
    for at in range(len(name) + 1):
        yield from (name[:at] + letter + name[at:] for letter in _LETTERS)


def _digits(name: str) -> str:
    return "".join(character for character in name if character.isdigit())
