"""The documentation that is made from the code: it is what is committed, and nothing of the code is left out."""

import ast
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import ValidationError

import hostwatch
from hostwatch.config.file import load
from hostwatch.config.settings import schema
from hostwatch.control import causes
from hostwatch.control.remotes import Published, SourceState
from hostwatch.control.service_list import elsewhere
from hostwatch.control.source_list import asked_once, sources
from hostwatch.control.view import View
from hostwatch.core import resolv_template
from hostwatch.core.patterns import Part
from hostwatch.core.references import Attribute
from hostwatch.core.remote import RemoteEndpoint
from hostwatch.core.resolve.services import Tier
from hostwatch.core.store.selection import KNOWN_LABELS
from hostwatch.http.events import Events
from hostwatch.http.files import page_files
from hostwatch.http.routes import routes
from manual import (
    answers,
    configuration_page,
    events,
    json_page,
    keys,
    labels,
    log_page,
    man,
    metrics_page,
    notes,
    reasons,
    reference_page,
)
from manual.commands import commands, common_options
from manual.completions import completions
from manual.reference import PAGES
from manual.roff import escaped, prose

REFERENCE = Path(__file__).resolve().parent.parent / "docs/reference"


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_as_committed(name: str) -> None:
    assert (REFERENCE / name).read_text() == PAGES[name](), "run `make reference`"


def test_each_command_is_told() -> None:
    assert {command.name for command in commands()} == notes.NOTES.keys()


def test_each_label_is_told() -> None:
    assert {*KNOWN_LABELS} == labels.LABELS.keys()


def test_the_man_page_has_each_command_option_and_label() -> None:
    page = man.page("9.9", "2026-01-02")
    assert page.startswith('.TH HOSTWATCH 1 2026-01-02 "hostwatch 9.9"\n')
    for command in commands():
        assert f"\\fBhostwatch\\fR \\fB{command.name}\\fR" in page
        for option in (*command.options, *common_options()):
            assert all(escaped(form) in page for form in option.forms)
    for name in labels.labels():
        assert escaped(name) in page


def test_nothing_in_a_paragraph_is_a_request_to_roff() -> None:
    assert prose(".so /etc/passwd") == r"\&.so /etc/passwd"
    assert prose("'tis `a-b` \\n") == r"\(aqtis \fBa\-b\fR \en"
    assert prose("a" * 78 + " .x") == f"{'a' * 78}\n\\&.x"


def test_completions_are_for_packages() -> None:
    """zsh autoloads the file as the function's body; a definition alone would complete at the second press."""
    found = completions()
    assert found.keys() == {"hostwatch.bash", "_hostwatch", "hostwatch.fish"}
    assert found["_hostwatch"].startswith("#compdef hostwatch\neval ")
    assert "compdef _" not in found["_hostwatch"]


@pytest.mark.parametrize("name", keys.examples())
def test_an_example_is_valid(name: str, tmp_path: Path) -> None:
    """That each key has one is seen when the page is made."""
    path = tmp_path / name
    path.write_text(keys.examples()[name])
    load(path)


@pytest.mark.slow
def test_a_key_of_which_nothing_is_said_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = json.loads(json.dumps(schema()))
    whole["$defs"]["TimingSettings"]["properties"]["patience"] = {"type": "boolean", "description": "How long."}
    monkeypatch.setattr(keys, "schema", lambda: whole)
    with pytest.raises(LookupError, match=r"timing\.patience"):
        configuration_page.page()
    del whole["$defs"]["TimingSettings"]["properties"]["patience"]["description"]
    with pytest.raises(KeyError, match="description"):
        configuration_page.page()


def test_the_keys_that_need_a_drop_in_say_which() -> None:
    files = {path.name for path in (REFERENCE.parent.parent / "config/hostwatch.service.d").iterdir()}
    assert {*re.findall(r"\[(\w+\.conf)\]", "".join(configuration_page.UNIT.values()))} == files


def test_each_metric_is_told() -> None:
    assert metrics_page.told().keys() == metrics_page.READINGS.keys()


@pytest.mark.parametrize(
    ("told", "known"),
    [
        (reference_page.ATTRIBUTES, Attribute),
        (reference_page.TIERS, Tier),
        (reference_page.PARTS, Part),
        (reference_page.LINES, resolv_template.KEYWORDS),
    ],
)
def test_each_word_of_a_template_is_told(told: Mapping[Any, Any], known: Iterable[Any]) -> None:
    assert told.keys() == {*known}


@pytest.mark.slow
def test_each_line_of_the_log_is_told() -> None:
    told = [line.code for lines in events.groups().values() for line in lines]
    assert sorted(told) == sorted(events.logged())


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("logger.info('{} came', name)", "{} came"),
        ("logger.bind(a=1).log(level, '{}', name)", "{}"),
        ("logger.warning(f'{name} went', 1)", "{name} went"),
        ("at_debug('{}', lambda: 1)", "{}"),
        ("threading.Thread(target=logger.error, args=['{}', message])", "{}"),
    ],
)
def test_a_line_is_found_in_the_code(source: str, text: str) -> None:
    assert [*events.texts(ast.parse(source))] == [text]
    assert [*events.texts(ast.parse("figures.log('x'); threading.Thread(target=run, args=['x'])"))] == []


def test_the_words_of_causes_are_in_one_place() -> None:
    """So that what is told of them is whole: nobody else gives a cause as a text of its own."""
    assert causes_elsewhere(Path(hostwatch.__file__).parent) == []
    assert log_page.told()["drift"] == "Somebody else had changed the block, and it was put back."


UNSEEN = "_UNSEEN"
"""The name of a cause that nobody is told of."""
GIVE_CAUSES = {"_affected": {1}, "affected": {1}, "_changed": {1}, "changed": {1}}
"""Callbacks, with the place of the cause among their arguments."""


def causes_elsewhere(code: Path) -> list[str]:
    """The places where a cause is given that is not of `hostwatch.control.causes`."""
    files = *code.glob("*.py"), *code.glob("control/**/*.py")
    trees = {path.relative_to(code): ast.parse(path.read_text()) for path in files}
    nodes = [(path, node) for path, tree in trees.items() for node in ast.walk(tree)]
    places = {name: {*places} for name, places in GIVE_CAUSES.items()}
    for _, node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [argument.arg for argument in node.args.args if argument.arg != "self"]
            if "cause" in names:
                places.setdefault(node.name, set()).add(names.index("cause"))
    calls = [(path, node) for path, node in nodes if isinstance(node, ast.Call)]
    given = [(path, each) for path, call in calls for each in given_causes(call, places)]
    return [f"{path}:{each.lineno}: {ast.unparse(each)}" for path, each in given if is_of_its_own(each)]


def given_causes(call: ast.Call, places: Mapping[str, set[int]]) -> list[ast.expr]:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    given = [each for at, each in enumerate(call.args) if at in places.get(name, ())]
    return [*given, *(each.value for each in call.keywords if each.arg == "cause")]


def is_of_its_own(given: ast.expr) -> bool:
    match given:
        case ast.JoinedStr() | ast.Constant(value=str()):
            return True
        case ast.Name(id=name):
            return name.isupper() and name != UNSEEN and not hasattr(causes, name)
        case _:
            return False


def test_an_answer_with_a_field_that_is_not_told_fails() -> None:
    """The tests of the commands hold each answer against what is told (`Lab.command`)."""
    change = {
        "id": 5,
        "time": "2026-11-29T17:16:30.271Z",
        "subscriber": "shop-web-1",
        "subscriber_id": "d63cece479c5",
        "file": "hosts",
        "cause": "linger is over",
        "changes": [{"name": "mq", "old": ["10.123.7.6"], "new": []}],
        "withheld": [{"line": "@{mq.ip} mq", "reason": "mq: no running container"}],
        "no_longer_withheld": [],
        "ms": 1.3,
    }
    answers.check("history", json.dumps(change))
    with pytest.raises(ValidationError, match="host"):
        answers.check("history", json.dumps(change | {"host": "a"}))
    with pytest.raises(ValidationError, match="ms"):
        answers.check("history", json.dumps(change | {"ms": "1.3"}))
    plan = {"id": "a", "name": "web", "file": "hosts", "path": "/h", "changes": False, "diff": "", "error": None}
    answers.check("plan", json.dumps([plan]))
    with pytest.raises(ValidationError, match="error"):
        answers.check("plan", json.dumps([{key: value for key, value in plan.items() if key != "error"}]))


def test_a_schema_is_open_to_fields_of_later_versions() -> None:
    whole = json.loads(json_page.schema("status"))
    assert "additionalProperties" not in whole
    assert whole["$defs"]["Container"]["properties"]["addresses"]["additionalProperties"]["type"] == "array"


def test_each_path_of_http_is_told() -> None:
    rows = re.findall(r"^\| `(/[^`]*)` \|", (REFERENCE / "http.md").read_text(), re.MULTILINE)
    files = {file.path for file in page_files()} - {"/"}
    known = {each.path for each in routes(cast("View", None), Events(cast("View", None)))} - files
    assert {re.sub(r"SUBSCRIBER", "{subscriber:.+}", row) for row in rows} == known


def test_what_other_hosts_have_is_told() -> None:
    """No test of a command comes to these parts of an answer."""
    cluster = SourceState("cluster", "cluster", is_up=True, since=0.0, published=Published("host-a", 1, ("db",)))
    for told in (*sources({"cluster": cluster}), *asked_once({}, frozenset({"overlay:mesh"}))):
        answers.Source.model_validate(told)
    answers.Elsewhere.model_validate(elsewhere(RemoteEndpoint("1", "db", host="host-b")))


@pytest.mark.slow
def test_the_reasons_that_are_told_are_those_of_the_code() -> None:
    assert set().union(*(reason.code for reason in reasons.reasons())) == reasons.given()
    assert "no shared network with … (on …)" in reasons.given()


def test_the_page_of_networks_has_the_words_of_the_list_of_reasons() -> None:
    told = re.findall(r"^- \(\w\) `(.*)`$", (REFERENCE / "networks.md").read_text(), re.MULTILINE)
    assert {"CONTAINER is on no network"} < {*told} < {reason.words for reason in reasons.reasons()}
