"""Why a line may be withheld: the reasons that the code gives, and what is said of each in `reasons.yaml`."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import yaml

import hostwatch

_CODE = Path(hostwatch.__file__).parent / "core"
_SAID = Path(__file__).with_name("reasons.yaml")
_FIRST = ("Unreached", "NotKnown", "Undecided", "NotHealthy", "NotRunning", "Ambiguous", "Excluded")
"""What is made of a reason."""
_SECOND = ("Refused", "Gone", "Unknown", "Withheld", "Limit", "kind")
"""What is made of a line, or of a size, and a reason."""
_TELLERS: Mapping[str, Sequence[str]] = {
    "block/collisions.py": ("_reason",),
    "host_resolver.py": ("_fault",),
    "names.py": ("name_fault", "_malformed"),
    "resolve/host_address.py": ("_several",),
    "resolve/linger.py": ("_new_owners",),
    "resolve/members.py": ("_nobody",),
    "resolve/remote_reach.py": ("_fault",),
}
"""Functions whose results are reasons, or parts of them, by their modules."""


@dataclass(frozen=True, slots=True)
class Reason:
    """What is said of a reason."""

    words: str
    """The reason as people see it, with words in capitals for what differs."""
    meaning: str
    """What it means, and what to do."""
    code: frozenset[str]
    """The texts of the code that are such a reason, with … for what differs."""


def reasons() -> tuple[Reason, ...]:
    """The reasons of which something is said."""
    found = yaml.safe_load(_SAID.read_text())
    return tuple(
        Reason(each["words"], each["meaning"], frozenset(map(_open, each.get("code", [each["words"]]))))
        for each in found
    )


def _open(words: str) -> str:
    """The words with … for what differs."""
    return _SEVERAL.sub("…", _DIFFERS.sub("…", words))


_DIFFERS = re.compile(r"\{[^{}]*\}|\b(?:N|[A-Z]{3,})\b")
_SEVERAL = re.compile("…(?: and|) …")


def given() -> frozenset[str]:
    """The reasons that the code gives, without the name that is looked up in front, and with … for what differs."""
    paths = [path for path in _CODE.rglob("*.py") if path.parent != _CODE / "cluster"]  # which tells other hosts
    trees = {path.relative_to(_CODE).as_posix(): ast.parse(path.read_text()) for path in paths}
    constants = {name: values for tree in trees.values() for name, values in _values(tree).items() if name.isupper()}
    texts = (
        _open(text)
        for path, tree in trees.items()
        for expression in _expressions(tree, _TELLERS.get(path, ()))
        for text in _texts(_without_name(expression), {**constants, **_values(tree)})
    )
    return frozenset(text for text in texts if text not in ("", "…"))


_Values = Mapping[str, Sequence[ast.expr]]


def _expressions(tree: ast.Module, tellers: Sequence[str]) -> Iterator[ast.expr]:
    """What the code makes reasons of."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[found, *_]) if name in _FIRST:
                yield found
            case ast.Call(func=ast.Name(id=name), args=[_, found, *_]) if name in _SECOND:
                yield found
            case ast.Call(func=ast.Call(func=ast.Name(id="type")), args=[found]):
                yield found
            case ast.FunctionDef(name=name) if name in tellers:
                yield from (each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value)
            case _:
                pass


def _values(tree: ast.Module) -> dict[str, list[ast.expr]]:
    """The texts that names stand for."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant() | ast.JoinedStr() | ast.IfExp() as value):
                found.setdefault(name, []).append(value)
            case _:
                pass
    return found


def _without_name(expression: ast.expr) -> ast.expr:
    """A text without `{name}: ` in front."""
    match expression:
        case ast.JoinedStr(values=[ast.FormattedValue(), ast.Constant(value=str(text)), *others]) if text[:2] == ": ":
            return ast.JoinedStr([ast.Constant(text[2:]), *others])
        case _:
            return expression


def _texts(expression: ast.expr, values: _Values) -> Iterator[str]:
    """The texts that an expression may be, with `{…}` for what differs."""
    match expression:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield from map("".join, product(*([*_texts(part, values)] for part in parts)))
        case ast.FormattedValue(value=value):
            yield from _filled_in(value, values)
        case ast.Name(id=name):
            yield from (text for value in values.get(name, ()) for text in _texts(value, values))
        case _:
            yield from (text for each in _parts(expression) for text in _texts(each, values))


def _filled_in(value: ast.expr, values: _Values) -> Iterator[str]:
    """What stands in a text for a value."""
    known = [*_texts(value, values)] if isinstance(value, ast.Name | ast.BoolOp | ast.IfExp) else []
    yield from known or [f"{{{ast.unparse(value)}}}"]


def _parts(expression: ast.expr) -> Sequence[ast.expr]:
    """What texts an expression is made of, or chosen from."""
    match expression:
        case ast.IfExp(body=one, orelse=other) | ast.BinOp(left=one, right=other):
            return [one, other]
        case ast.BoolOp(values=several):
            return several
        case ast.Call(func=ast.Attribute(attr="join"), args=[ast.GeneratorExp(elt=each)]):
            return [each]
        case _:
            return []
