"""The lines of the log: those that the code writes, and what is said of each in `log.yaml`."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

import hostwatch

_CODE = Path(hostwatch.__file__).parent
_SAID = Path(__file__).with_name("log.yaml")
_LEVELS = ("debug", "info", "warning", "error", "log")
_LAZY = "at_debug"


@dataclass(frozen=True, slots=True)
class Line:
    """What is said of a line of the log."""

    code: str
    """The module that writes it, with the text in the code behind a blank."""
    level: str
    words: str
    """The line as people see it, with words in capitals for what differs."""
    meaning: str


def groups() -> Mapping[str, tuple[Line, ...]]:
    """What is said of the lines, in the groups of the page."""
    found = yaml.safe_load(_SAID.read_text())
    return {group: tuple(Line(**line) for line in lines) for group, lines in found.items()}


def logged() -> frozenset[str]:
    """The lines that the code writes, each with the module in front. Those of the log's own failures are not in it."""
    trees = {path.relative_to(_CODE): ast.parse(path.read_text()) for path in _CODE.rglob("*.py")}
    return frozenset(f"{path} {text}" for path, tree in trees.items() for text in texts(tree))


def texts(tree: ast.Module) -> Iterator[str]:
    """The texts that a module logs."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and (place := _place(call)) is not None:
            yield _written(call.args[place])
        elif isinstance(call, ast.Call) and (target := _target(call)) is not None:
            yield _written(target)


def _place(call: ast.Call) -> int | None:
    """The position of the text among the arguments of a call that logs; `None` for any other call."""
    match call.func:
        case ast.Name(id=name) if name == _LAZY:
            return 0
        case ast.Attribute(value=owner, attr=level) if level in _LEVELS and _is_logger(owner):
            return 1 if level == "log" else 0
        case _:
            return None


def _is_logger(owner: ast.expr) -> bool:
    return any(isinstance(part, ast.Name) and part.id == "logger" for part in ast.walk(owner))


def _target(call: ast.Call) -> ast.expr | None:
    """The text of a line that a thread writes: `Thread(target=logger.error, args=[TEXT, …])`."""
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    match named.get("target"), named.get("args"):
        case ast.Attribute(value=owner), ast.List(elts=[text, *_]) if _is_logger(owner):
            return text
        case _:
            return None


def _written(text: ast.expr) -> str:
    return text.value if isinstance(text, ast.Constant) and isinstance(text.value, str) else ast.unparse(text)[2:-1]
