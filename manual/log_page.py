"""The page of the log: each line with its meaning, and each cause of a change."""

import ast
import inspect
from collections.abc import Iterator, Mapping

from hostwatch.control import causes
from manual import markdown
from manual.events import groups
from manual.template import filled

_EVENTS = {
    "ACTION CONTAINER": "An event of the engine, as in `start db`, `die db`, `destroy db` or `rename db`, and the"
    " container that it names; the engine was asked afterwards.",
    "network ACTION NETWORK": "An event of a network, as in `network connect front` or `network disconnect front`.",
    "SOURCE": "`cluster`, `overlay:NETWORK` or `catalog:SERVICE`: that source of names on other hosts has been heard"
    " for the first time; a catalog also when it has other instances.",
}
"""The causes whose words are those of others."""


def page() -> str:
    """The page."""
    rows = {**_EVENTS, **told()}.items()
    return filled(
        "log.md",
        {
            "causes": markdown.table(("cause", "means"), ((f"`{words}`", meaning) for words, meaning in rows)),
            "lines": "\n\n".join(_groups()),
        },
    )


def _groups() -> Iterator[str]:
    for group, lines in groups().items():
        yield f"### {group}"
        yield markdown.table(
            ("level", "line", "means"), ((line.level, f"`{line.words}`", line.meaning) for line in lines)
        )


def told() -> Mapping[str, str]:
    """The causes of `hostwatch.control.causes` with their meanings. Raises `ValueError` for one without."""
    return dict(_causes(ast.parse(inspect.getsource(causes)).body[1:]))


def _causes(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for at, statement in enumerate(body):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield getattr(causes, name), _text(name, body[at + 1 : at + 2])
            case ast.FunctionDef(name=name, body=inner):
                yield getattr(causes, name)("NAME"), _text(name, inner[:1])


def _text(name: str, behind: list[ast.stmt]) -> str:
    match behind:
        case [ast.Expr(value=ast.Constant(value=str() as text))]:
            return text
        case _:
            raise ValueError(f"hostwatch/control/causes.py: nothing is said of {name}")
