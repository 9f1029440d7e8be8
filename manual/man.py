"""The man page: everything that a person at a terminal without the web needs, in man(7)."""

from collections.abc import Iterator

from manual import roff
from manual.commands import Command, Option, commands, common_options, other_options
from manual.labels import labels
from manual.notes import FILES, NOTES, SIGNALS, STATUSES, VARIABLES

_DESCRIPTION = """
hostwatch follows a Docker Engine (or Podman's service), and keeps `/etc/hosts` right inside the running containers that
ask for it: a name leads to the container that stands behind it now, also after that has come back with another address.
The image needs no change, and no program runs in the container.

A container asks by a label, or by an entry under `subscribers` of the configuration. hostwatch keeps one block of lines
between two markers in its file, and never touches a line outside of it. A line that has no valid address now is
withheld, and the block says why.

It runs as a daemon (`hostwatch run`, usually started by systemd or as a container of its own), or once (`hostwatch
sync`). All other commands only look, but for `clean`, which takes the blocks away, and `init`, which writes a first
configuration.
"""
_SUBSCRIBER = """
A container's name, a key of the configuration (all that it matches), or the beginning of an id. A container that uses
another one's network means that one's file. A file on the host goes by its key.
"""
_PLUGIN = """
As a plugin of the docker command the same commands are `docker hostwatch COMMAND`. What stands in front of `hostwatch`
is the docker command's own, and says which engine is meant, as in `docker --context prod hostwatch status`.
"""
_REFERENCES = """
`@{NAME.ip}` in a line is the address of the service NAME as this container reaches it; `@{NAME.ip6}` its IPv6 address;
`@{NAME.ip[N]}` that of the replica N, from 0. `@{NAME.PublicIp}` is the host's own address to others, `@{NAME.HostIp}`
the address of the host on which the container's ports are published, `@{NAME.HostIp[PORT]}` that of one port.
`@{NAME.mac}`, `@{NAME.hostname}` and `@{NAME.name}` are the container's. NAME may be `self`.

A name is looked up, in this order, among the services of the configuration, the compose services of the subscriber's
own project, the names of containers, the network aliases in reach, the labels `hostwatch.names`, and what other hosts
tell.
"""
_CONFIGURATION = """\
services:
  db:
    match: {name: "db-*"}
subscribers:
  web:
    match: {label: {tier: web}}
    hosts: |
      @{db.ip}  db mysql.internal
  this-host:
    file: /etc/hosts
    services: "*"
    publish_as: "{name}.docker"
"""
_CONFIGURATION_TEXT = """
YAML. `hostwatch check` names each fault with its line and column, and `hostwatch schema` prints the JSON Schema, which
describes every key. The whole reference is docs/reference/configuration.md of the documentation.
"""


def page(version: str, date: str) -> str:
    """The man page of a version, as of a day such as 2026-11-30."""
    # Words stay whole, so that they can be copied: no hyphens, and blanks of one width.
    return "\n".join([f'.TH HOSTWATCH 1 {date} "hostwatch {version}"', ".nh", ".ad l", *_sections(), ""])


def _sections() -> Iterator[str]:
    yield roff.section("NAME", r"hostwatch \- keep /etc/hosts right inside running containers")
    yield roff.section("SYNOPSIS", *_synopsis())
    yield roff.section("DESCRIPTION", roff.paragraphs(_DESCRIPTION))
    yield roff.section("COMMANDS", *map(_command, commands()))
    yield roff.section("OPTIONS", *_options())
    yield roff.section("SUBSCRIBER", roff.paragraphs(_SUBSCRIBER))
    yield roff.section("DOCKER PLUGIN", roff.paragraphs(_PLUGIN))
    yield roff.section("LABELS", roff.listed(_label(name) for name in labels()))
    yield roff.section("REFERENCES", roff.paragraphs(_REFERENCES))
    yield roff.section("CONFIGURATION", roff.paragraphs(_CONFIGURATION_TEXT), roff.example(_CONFIGURATION))
    yield roff.section("ENVIRONMENT", roff.listed((roff.bold(name), text) for name, text in VARIABLES.items()))
    yield roff.section("FILES", roff.listed((roff.italic(path), text) for path, text in FILES.items()))
    yield roff.section("SIGNALS", roff.listed((roff.bold(name), text) for name, text in SIGNALS.items()))
    yield roff.section("EXIT STATUS", roff.listed(_status(each, text) for each, text in STATUSES.items()))
    yield roff.section("EXAMPLES", roff.listed(_example(command.name) for command in commands()))
    yield roff.section("SEE ALSO", _SEE_ALSO)


_HELP = f"{roff.bold('-h')}, {roff.bold('--help')}"
_SEE_ALSO = r"""\fBdocker\fR(1),
\fBdockerd\fR(8),
\fBpodman-system-service\fR(1),
\fBhosts\fR(5),
\fBresolv.conf\fR(5),
\fBsystemd\fR(1)"""


def _synopsis() -> Iterator[str]:
    for command in commands():
        words = [roff.bold("hostwatch"), roff.bold(command.name)]
        words += [f"[{roff.italic('OPTIONS')}]"] if command.options or command.takes_common else []
        yield " ".join([*words, *(_argument(each) for each in command.arguments)])
        yield ".br"
    yield f"{roff.bold('hostwatch')} {roff.bold('--version')}"


def _argument(argument: Option) -> str:
    shown = roff.italic(argument.forms[0]) + (r"\&..." if argument.is_repeated else "")
    return shown if argument.is_required else f"[{shown}]"


def _command(command: Command) -> str:
    parts = [roff.paragraph(command.summary), *map(roff.paragraph, command.details)]
    if entries := [*map(_entry, (*command.arguments, *command.options))]:
        parts.append(roff.listed(entries))
    if told := NOTES[command.name].statuses:
        parts += [
            roff.paragraph("Exit status:"),
            roff.listed((roff.bold(str(each)), text) for each, text in told.items()),
        ]
    return roff.subsection(command.usage.removeprefix("hostwatch ").replace(" [OPTIONS]", ""), *parts)


def _options() -> Iterator[str]:
    yield roff.paragraph("Each command that can use them takes these, before or behind its name.")
    yield roff.listed(map(_entry, common_options()))
    yield roff.paragraph("In the place of a command:")
    yield roff.listed([*map(_entry, other_options()), (_HELP, "Print the help and end, also behind a command.")])


def _entry(option: Option) -> tuple[str, str]:
    if option.is_argument:
        return roff.italic(option.forms[0]), option.text
    forms = ", ".join(map(roff.bold, option.forms))
    return f"{forms} {roff.italic(option.value)}" if option.value else forms, option.text


def _label(name: str) -> tuple[str, str]:
    label = labels()[name]
    return f"{roff.bold(name)} ({label.on})", f"{label.text} As in `{label.example}`."


def _status(status: int, text: str) -> tuple[str, str]:
    return roff.bold(str(status)), f"{text[0].upper()}{text[1:]}."


def _example(name: str) -> tuple[str, str]:
    note = NOTES[name]
    return roff.bold(note.example), f"{note.purpose[0].upper()}{note.purpose[1:]}."
