"""The page of the commands: each with its options, exit statuses and an example."""

from collections.abc import Iterator, Mapping

from manual import markdown
from manual.commands import Command, Option, commands, common_options, other_options
from manual.notes import FILES, NOTES, SIGNALS, STATUSES, VARIABLES
from manual.template import filled

_IN_FILE = {"--docker-host": "docker.host", "--log-level": "log.level", "--log-format": "log.format"}
"""The key of the configuration that an option comes before."""


def page() -> str:
    """The page."""
    return filled(
        "commands.md",
        {
            "commands": "\n\n".join(map(_section, commands())),
            "summary": markdown.table(("command", "does"), map(_summary, commands())),
            "common": markdown.table(("option", "is", "in the file"), map(_common, common_options())),
            "other": markdown.table(("option", "does"), (_row(option) for option in other_options())),
            "statuses": markdown.table(("status", "means"), ((str(each), text) for each, text in STATUSES.items())),
            "variables": _named("variable", VARIABLES),
            "files": _named("file", FILES),
            "signals": _named("signal", SIGNALS),
        },
    )


def _summary(command: Command) -> tuple[str, str]:
    return f"[`{command.name}`](#{command.name})", command.summary


def _section(command: Command) -> str:
    return "\n\n".join(_parts(command))


def _parts(command: Command) -> Iterator[str]:
    note = NOTES[command.name]
    yield f"### {command.name}"
    yield markdown.code(command.usage)
    yield markdown.paragraph(" ".join([command.summary, *command.details]))
    if rows := [_row(each) for each in (*command.arguments, *command.options)]:
        yield markdown.table(("argument or option", "is"), rows)
    if note.statuses:
        yield markdown.table(("exit status", "means"), ((str(each), text) for each, text in note.statuses.items()))
    yield markdown.paragraph(f"{note.purpose[0].upper()}{note.purpose[1:]}: {markdown.literal(note.example)}")
    if note.more:
        yield markdown.paragraph(f"More: [{note.more.rpartition('/')[2]}](../{note.more}).")


def _row(option: Option) -> tuple[str, str]:
    if option.is_argument:
        return f"`{option.usage}`", option.text
    return f"`{', '.join(option.forms)}{f' {option.value}' if option.value else ''}`", option.text


def _common(option: Option) -> tuple[str, str, str]:
    key = _IN_FILE.get(option.forms[-1], "")
    return *_row(option), f"`{key}`" if key else ""


def _named(what: str, entries: Mapping[str, str]) -> str:
    shown = ((", ".join(f"`{each}`" for each in names.split(", ")), text) for names, text in entries.items())
    return markdown.table((what, "is"), shown)
