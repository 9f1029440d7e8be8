"""The command line: python -m tests.hosts_lab --help."""

import argparse
import os
import sys

from tests.engine import VERSIONS, EngineError
from tests.hosts_lab.by_hand import start
from tests.hosts_lab.laboratory import find, names
from tests.servers import ETCDS, ServerError


def main(arguments: list[str]) -> int:
    place = arguments.index("--") if "--" in arguments else len(arguments)
    options = _parser().parse_args(arguments[:place])
    try:
        match options.command:
            case "start":
                start(options.kind, options.name, options.versions, options.etcd)
            case "stop":
                find(options.chosen or options.name).stop()
            case "list":
                print(*names(), sep="\n")
            case "docker":
                command = find(options.name).host(options.host).engine.command(*arguments[place + 1 :])
                os.execvp(command[0], command)
            case "within":
                command = [*find(options.name).host(options.host).within, *arguments[place + 1 :]]
                os.execvp(command[0], command)
            case _:
                _change(options)
    except (EngineError, ServerError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _change(options: argparse.Namespace) -> None:
    """What happens to one host."""
    lab = find(options.name)
    host = lab.host(options.host)
    match options.command:
        case "cut":
            lab.switch.cut(host.name)
        case "worsen":
            lab.switch.worsen(host.name, delay=options.delay, loss=options.loss)
        case "mend":
            lab.switch.mend(host.name)
        case "off":
            host.power_off()
        case "on":
            host.power_on()
            host.restart_hostwatch()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.hosts_lab", description="Several hosts on one machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    starting = commands.add_parser("start", help="start engines on a switch, an etcd if asked for, and hostwatch")
    starting.add_argument("kind", choices=["swarm", "routed"])
    starting.add_argument("--name", default="lab", help="default: lab")
    starting.add_argument("--versions", nargs="+", default=["26.1", "28.5"], choices=VERSIONS, help="one for each host")
    starting.add_argument("--etcd", choices=ETCDS, help="default: none for a swarm, 3.5 for a routed one")
    stopping = commands.add_parser("stop", help="end all of it and remove its state")
    stopping.add_argument("name", nargs="?", default="lab", help="default: lab")
    stopping.add_argument("--name", dest="chosen", metavar="NAME", help="the same, as for the other commands")
    commands.add_parser("list", help="show all laboratories")
    texts = {
        "docker": "run docker on a host; arguments behind --",
        "within": "run a command in a host's network; it stands behind --",
        "cut": "drop all packets from and to a host",
        "worsen": "delay packets from and to a host, and lose some",
        "mend": "let its cable be good again",
        "off": "end everything on a host at once",
        "on": "start it again",
    }
    made = {name: commands.add_parser(name, help=text) for name, text in texts.items()}
    for each in made.values():
        each.add_argument("host", help="a, b, …")
        each.add_argument("--name", default="lab", help="default: lab")
    made["worsen"].add_argument("--delay", type=float, default=0.0, metavar="SECONDS")
    made["worsen"].add_argument("--loss", type=float, default=0.0, metavar="SHARE", help="as in 0.1")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
