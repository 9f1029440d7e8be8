"""The command line: python -m tests.engine --help."""

import argparse
import os
import sys

from tests.engine import machine
from tests.engine.engine import Engine, engines, start
from tests.engine.machine import EngineError
from tests.engine.releases import RELEASES, VERSIONS
from tests.engine.roots import cached, fetch


def main(arguments: list[str]) -> int:
    own, passed_on = _split(arguments)
    options = _parser().parse_args(own)
    try:
        match options.command:
            case "fetch":
                _fetch(options.versions or list(VERSIONS))
            case "start":
                _start(options.version, options.name or f"e{options.version}", passed_on)
            case "stop":
                machine.check()
                _known(options.name).stop()
            case "list":
                _list()
            case "docker":
                machine.check()
                command = _known(options.name).command(*passed_on)
                os.execvp(command[0], command)
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Passes the words behind `--` on to the daemon or docker."""
    place = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:place], arguments[place + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.engine", description="Private Docker Engines, for tests.")
    commands = parser.add_subparsers(dest="command", required=True)
    versions = f"one of {', '.join(RELEASES)}"
    fetching = commands.add_parser("fetch", help="download engines now rather than at the first start")
    fetching.add_argument("versions", nargs="*", metavar="VERSION", help=f"{versions}; default: all of Docker")
    starting = commands.add_parser("start", help="start an engine and print its docker host")
    starting.add_argument("version", metavar="VERSION", help=f"{versions}; arguments for the daemon behind --")
    starting.add_argument("--name", help="default: e and the version")
    stopping = commands.add_parser("stop", help="stop an engine and remove all of its state")
    stopping.add_argument("name", metavar="NAME")
    commands.add_parser("list", help="show all engines")
    docker = commands.add_parser("docker", help="run the docker command of the engine's own version")
    docker.add_argument("name", metavar="NAME", help="the engine; arguments for docker behind --")
    return parser


def _fetch(versions: list[str]) -> None:
    for version in versions:
        if not cached(version):
            print(f"fetching engine {version}, once; this takes about ten seconds", file=sys.stderr)
        print(f"{version} is in {fetch(version)}", file=sys.stderr)


def _start(version: str, name: str, args: list[str]) -> None:
    machine.check()
    if not cached(version):
        _fetch([version])
    print(start(version, name, args=args).docker_host)


def _known(name: str) -> Engine:
    known = {engine.name: engine for engine in engines()}
    if name not in known:
        raise EngineError(f"there is no engine {name!r}; there are: {', '.join(known) or 'none'}")
    return known[name]


def _list() -> None:
    for engine in engines():
        print(f"{engine.name}\t{engine.version}\t{'up' if engine.alive() else 'down'}\t{engine.docker_host}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
