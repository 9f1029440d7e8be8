"""Parses a YAML file into a `Document`, and collects all faults of the YAML itself.

Numbers are read as in YAML 1.2 (`1:20` and `010` are text, as in Compose), truth values as in 1.1 (`yes`, `on`), since
both are in use. Aliases count as written out, so that a small file cannot grow into a huge document.
"""

import re
from collections.abc import Iterator

import yaml

from hostwatch.config.document import Document, Mapping, Node, Problem, Scalar, Sequence, shown

MAX_DEPTH = 64
MAX_VALUES = 100_000

_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"


def parsed(text: str) -> tuple[Document, list[Problem]]:
    """A file's document and its faults as YAML. If nothing can be read, the document's root is `None`."""
    builder = _Builder(text)
    try:
        raw = _composed(text)
        root = None if raw is None else builder.node(raw)
    except _RefusedError as error:
        return Document(text, None), [error.problem]
    return Document(text, root), builder.problems


class _RefusedError(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.reason)
        self.problem = problem


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with fewer surprising meanings of unquoted words, and with limits to depth and size."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  (PyYAML's own interface; its resolvers would come along otherwise)
    _depth = 0
    _values = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._depth += 1
        self._values += 1
        if self._depth > MAX_DEPTH or self._values > MAX_VALUES:
            problem = f"more than {MAX_DEPTH} levels deep, or more than {MAX_VALUES} values"
            place = None if parent is None else parent.start_mark
            raise yaml.composer.ComposerError(problem=problem, problem_mark=place)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


for _kind, _pattern, _first in (
    ("bool", r"(?i:yes|no|true|false|on|off)\Z", "yYnNtTfFoO"),
    ("int", r"[-+]?(0|[1-9][0-9_]*|0x[0-9a-fA-F]+|0o[0-7]+)\Z", "-+0123456789"),
    ("float", r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?\Z", "-+.0123456789"),
    ("float", r"([-+]?\.(?i:inf)|\.(?i:nan))\Z", "-+."),
    ("null", r"(~|(?i:null)|)\Z", ["~", "n", "N", ""]),
    ("merge", r"<<\Z", "<"),
):
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(_pattern), list(_first))


def _composed(text: str) -> yaml.Node | None:
    index = 0
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_node()
        finally:
            index = loader.index
    except yaml.reader.ReaderError as error:
        reason = "not valid YAML: a control character"
        raise _RefusedError(Problem(error.position, shown(chr(error.character)), reason)) from None
    except yaml.MarkedYAMLError as error:
        raise _RefusedError(_syntax_problem(text, error)) from None
    except (ValueError, ArithmeticError):
        # PyYAML does not wrap some errors: an escape beyond Unicode ("\UFFFFFFFF"), a version of 5,000 digits.
        raise _RefusedError(Problem(index, "", "not valid YAML: an escape or a number out of range")) from None


_REMEDIES = (
    ("character '\\t'", "indent with spaces, not with tabs"),
    ("cannot start any token", 'quote the text, as in "@{db.ip}  db", or put it in a block below `|`'),
    ("expected alphabetic or numeric character", 'a text that begins with * or & must be quoted, as in "*"'),
    ("undefined alias", 'a text that begins with * must be quoted, as in "*-db"'),
    ("mapping values are not allowed", "check the indentation, and quote text that holds a colon"),
    ("<block end>", "check the indentation"),
    ("could not find expected ':'", "a key needs a colon and a space behind it"),
    ("found another document", "the configuration is one document"),
)


def _syntax_problem(text: str, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    index = 0 if mark is None else mark.index
    message = ", ".join(part for part in (error.context, error.problem) if part)
    remedy = next((f"; {remedy}" for words, remedy in _REMEDIES if words in message), "")
    if text[:index].endswith("}"):
        remedy = '; a text that begins with { must be quoted, as in "{name}.docker"'
    line = text[index:].partition("\n")[0].strip()
    return Problem(index, shown(line) if line else "the end of the line", f"not valid YAML: {message}{remedy}")


_PROPERTIES = re.compile(r"(?:[&!]\S*|#[^\n]*|\s)*")
_TRUE = ("yes", "true", "on")
_FALSE = ("no", "false", "off")


class _Builder:
    """Turns PyYAML's nodes into ours, and collects their faults."""

    def __init__(self, text: str) -> None:
        self.problems: list[Problem] = []
        self._text = text
        self._built: dict[int, Node] = {}
        self._open: set[int] = set()
        self._entries = 0

    def node(self, raw: yaml.Node) -> Node:
        """The node and all nodes below it. An alias gives the same node as its anchor, so nothing is built twice."""
        if (built := self._built.get(id(raw))) is not None:
            return built
        if id(raw) in self._open:
            raise _RefusedError(Problem(self._start(raw), "", "an alias to something that it is a part of"))
        self._open.add(id(raw))
        built = self._new(raw)
        self._open.discard(id(raw))
        self._count(1, built)
        self._built[id(raw)] = built
        return built

    def _count(self, entries: int, node: Node) -> None:
        # Merged entries cost memory, and aliased values cost time later, so both are limited.
        self._entries += entries
        if max(node.size, self._entries) > MAX_VALUES:
            reason = f"more than {MAX_VALUES} values with all aliases written out"
            raise _RefusedError(Problem(node.index, "", reason))

    def _new(self, raw: yaml.Node) -> Node:
        match raw:
            case yaml.MappingNode():
                self._check_tag(raw, "map")
                return self._mapping(raw)
            case yaml.SequenceNode():
                self._check_tag(raw, "seq")
                items = tuple(self.node(item) for item in raw.value)
                size = 1 + sum(item.size for item in items)
                return Sequence(self._start(raw), items, size, [item.value for item in items])
            case _:
                return self._scalar(raw)

    def _mapping(self, raw: yaml.MappingNode) -> Mapping:
        entries: dict[str, tuple[Scalar, Node]] = {}
        merged: list[Mapping] = []
        for raw_key, raw_value in raw.value:
            if raw_key.tag == _MERGE:
                merged.extend(self._merged(raw_value))
                continue
            key, value = self._key(raw_key), self.node(raw_value)
            if key is not None:
                self._enter(entries, key, value)
        for source in merged:
            self._count(len(source.entries), source)
            entries |= {name: entry for name, entry in source.entries.items() if name not in entries}
        size = 1 + sum(1 + value.size for _, value in entries.values())
        return Mapping(self._start(raw), entries, size, {key: value.value for key, (_, value) in entries.items()})

    def _enter(self, entries: dict[str, tuple[Scalar, Node]], key: Scalar, value: Node) -> None:
        name = key.value if isinstance(key.value, str) else key.written
        if name in entries:
            line = self._text.count("\n", 0, entries[name][0].index) + 1
            self._report(key, f"a key that is there already, in line {line}")
        else:
            entries[name] = (key, value)

    def _merged(self, raw: yaml.Node) -> Iterator[Mapping]:
        node = self.node(raw)
        for source in node.items if isinstance(node, Sequence) else (node,):
            if isinstance(source, Mapping):
                yield source
            else:
                self._report(source, "`<<` takes a mapping or a list of mappings")

    def _key(self, raw: yaml.Node) -> Scalar | None:
        node = self.node(raw)
        if not isinstance(node, Scalar):
            self._report(node, "a key must be text")
            return None
        if not isinstance(node.value, str):
            as_text = f'"{node.written}"'
            self._report(node, f"a key must be text, and YAML reads more into this one: quote it, as in {as_text}")
        return node

    def _scalar(self, raw: yaml.Node) -> Scalar:
        start, written = self._start(raw), str(raw.value)
        style = raw.style if isinstance(raw, yaml.ScalarNode) else None
        if any("\ud800" <= character <= "\udfff" for character in written):
            self.problems.append(Problem(start, shown(written), "half of a surrogate pair is not a character"))
            written = written.encode(errors="replace").decode()
        value: str | bool | float | None = written
        try:
            value = _scalar_value(raw.tag.removeprefix(_TAG), written)
        except ValueError as error:
            self.problems.append(Problem(start, shown(written), str(error)))
        return Scalar(start, value, written, style)

    def _check_tag(self, raw: yaml.Node, kind: str) -> None:
        if raw.tag != _TAG + kind:
            self.problems.append(Problem(self._start(raw), shown(raw.tag), "an unknown tag here; leave it out"))

    def _report(self, node: Node, reason: str) -> None:
        self.problems.append(Problem(node.index, str(node), reason))

    def _start(self, raw: yaml.Node) -> int:
        # PyYAML's mark of a node is that of its anchor or tag, if it has one. A message needs the place of the value.
        start: int = raw.start_mark.index
        if self._text[start : start + 1] not in ("&", "!"):
            return start
        content = _PROPERTIES.match(self._text, start)
        return start if content is None else min(content.end(), raw.end_mark.index if raw.end_mark else content.end())


def _scalar_value(kind: str, text: str) -> str | bool | float | None:
    match kind:
        case "str" | "merge":
            return text
        case "null":
            return None
        case "bool" if text.lower() in _TRUE + _FALSE:
            return text.lower() in _TRUE
        case "int" | "float":
            return _number(kind, text)
        case "bool":
            raise ValueError("neither true nor false, as its tag says")
        case _:
            raise ValueError(f"an unknown tag, {kind!r}; leave it out")


def _number(kind: str, text: str) -> int | float:
    try:
        if kind == "int":
            return int(text.replace("_", ""), 0)
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        raise ValueError("not a number, or too long a one") from None
