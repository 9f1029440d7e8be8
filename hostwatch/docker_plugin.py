"""`docker hostwatch …`: the same commands as a plugin of the docker command.

The docker command finds an executable `docker-hostwatch` among its plugins and asks it what it is (docker/cli,
`cli-plugins/metadata`). Then it starts it with its own global options before the plugin's name, as in
`docker-hostwatch -H tcp://… hostwatch status` (docker/cli 28). They decide which engine is meant. For completion it
starts `docker-hostwatch __complete hostwatch why sh`, with the word last that is being typed.
"""

import io
import json
import os
import shlex
import sys
from collections.abc import MutableMapping, Sequence
from contextlib import redirect_stdout, suppress
from importlib.metadata import version
from pathlib import Path

_NAME = "hostwatch"
_ASKED = "docker-cli-plugin-metadata"
_COMPLETE = "__complete"
_METADATA = {
    "SchemaVersion": "0.1.0",
    "Vendor": "hostwatch",
    "ShortDescription": "Keep /etc/hosts right inside running containers",
}
_FLAGS = {"--tls": "DOCKER_TLS", "--tlsverify": "DOCKER_TLS_VERIFY"}
"""Options without a value, with the variable that means the same."""
_VALUES = {"--config": "DOCKER_CONFIG", "--context": "DOCKER_CONTEXT", "-c": "DOCKER_CONTEXT"}
_HOST = ("--host", "-H")
_FILES = {"--tlscacert": "ca.pem", "--tlscert": "cert.pem", "--tlskey": "key.pem"}
_IGNORED = ("--debug", "-D")
"""They are about the docker command's own messages."""
_IGNORED_WITH_VALUE = ("--log-level", "-l")


class PluginError(Exception):
    """An option of the docker command cannot be taken over."""


def translated(arguments: Sequence[str], environ: MutableMapping[str, str]) -> list[str]:
    """The arguments of hostwatch for those of a plugin; the docker command's options go into the environment.

    Raises `PluginError`.
    """
    left, own = list(arguments), list[str]()
    while left and left[0] != _NAME:
        option, equals, value = left.pop(0).partition("=")
        if option in _IGNORED:
            continue
        if option in _FLAGS:
            environ[_FLAGS[option]] = "" if value.lower() in ("false", "0") else "1"
            continue
        if not equals:
            if not left:
                raise PluginError(f"the option {option} of the docker command has no value")
            value = left.pop(0)
        own += _taken(option, value, environ)
    if not left:
        raise PluginError("this is a plugin: write `docker hostwatch COMMAND`, or `hostwatch COMMAND`")
    return [*own, *left[1:]]


def _taken(option: str, value: str, environ: MutableMapping[str, str]) -> list[str]:
    """Take one option with its value over; returns the arguments that it becomes."""
    if option in _HOST:
        return ["--docker-host", value]  # it comes before an address in the configuration, too
    if option in _VALUES:
        environ[_VALUES[option]] = value
        if _VALUES[option] == "DOCKER_CONTEXT":
            environ.pop("DOCKER_HOST", None)  # the context that is written counts, as for the docker command
    elif option in _FILES:
        path = Path(value).absolute()
        if path.name != _FILES[option] or environ.setdefault("DOCKER_CERT_PATH", str(path.parent)) != str(path.parent):
            raise PluginError(
                f"{option}={value}: hostwatch takes ca.pem, cert.pem and key.pem of one directory; rename it, or give"
                " the directory in $DOCKER_CERT_PATH"
            )
    elif option not in _IGNORED_WITH_VALUE:
        raise PluginError(f"the option {option} of the docker command is not known to hostwatch; write it without")
    return []


def _complete(words: Sequence[str]) -> None:
    """Print a candidate in each line, as for bash, and that the shell takes files where there is none."""
    from hostwatch import cli  # noqa: PLC0415 (as in `main`)

    line = "\n".join([_NAME, *map(shlex.quote, words)])
    os.environ.update(_HOSTWATCH_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(words)))
    sys.argv = [_NAME]
    with redirect_stdout(io.StringIO()) as found, suppress(SystemExit):
        cli.commands()()
    sys.stdout.write(f"{found.getvalue()}:0\n".lstrip())  # cobra's ShellCompDirectiveDefault


def main() -> None:
    """Run as a plugin of the docker command."""
    arguments = sys.argv[1:]
    if arguments[:2] == [_COMPLETE, _NAME]:
        _complete(arguments[2:] or [""])
        return
    if arguments[:1] == [_ASKED]:
        sys.stdout.write(json.dumps(_METADATA | {"Version": version(_NAME)}) + "\n")
        return
    try:
        own = translated(arguments, os.environ)
    except PluginError as error:
        sys.exit(f"docker hostwatch: {error}")
    sys.argv = ["docker hostwatch", *own]
    from hostwatch import cli  # noqa: PLC0415 (the docker command asks each plugin often, and loading it takes long)

    cli.main()
