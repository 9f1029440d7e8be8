"""`python -m bench [QUESTION …]`: measures, prints a table for each question, keeps the figures as JSON and SVG."""

import argparse
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from bench import change, cluster, etcd, first, follow, idle, page, readers, size, storm, swarm
from bench.contenders import BenchError, Contender, peer
from bench.drawing import draw
from bench.report import Answer, Target, keep, number, picked, show
from tests.engine.machine import EngineError, check

RESULTS = Path(__file__).with_name("results.json")


@dataclass(frozen=True)
class Question:
    """A question, and the time that its answer may take."""

    ask: Callable[[list[Contender], bool], Answer]
    seconds: int


def sizes(quick: bool) -> Answer:
    """The growth of hostwatch's costs with the number of containers."""
    rows = list(size.rows(size.SIZES[:2] if quick else size.SIZES))
    large = picked(rows, containers=10_000)
    limits = {"event_ratio": 1.5, "requests_per_event": 1.0, "start_seconds": 10.0, "bytes_per_container": 10_000.0}
    targets = [
        Target(f"{column.replace('_', ' ')}, 10,000 containers", number(large, column), limit)
        for column, limit in limits.items()
        if large
    ]
    return Answer("Size: how it grows with the engine, which is a simulated one", rows, targets)


QUESTIONS = {
    "follow": Question(follow.asked, 3600),
    "first": Question(lambda _, quick: first.asked(quick), 3600),
    "readers": Question(lambda _, quick: readers.asked(quick), 1800),
    "change": Question(lambda _, quick: change.asked(quick), 3600),
    "storm": Question(lambda _, quick: storm.asked(quick), 2400),
    "etcd": Question(lambda _, quick: etcd.asked(quick), 600),
    "idle": Question(lambda _, quick: idle.asked(quick), 600),
    "swarm": Question(lambda _, quick: swarm.asked(quick), 900),
    "page": Question(lambda _, quick: page.asked(quick), 300),
    "size": Question(lambda _, quick: sizes(quick), 1800),
    "cluster": Question(lambda _, quick: cluster.asked(quick), 1800),
}


def main(arguments: list[str]) -> int:
    """Answer each requested question. Status 1 if one of them has no answer."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGALRM, _too_long)
    signal.signal(signal.SIGTERM, _ended)
    failed = [name for name in options.questions or QUESTIONS if not _answered(name, options)]
    if failed:
        print(f"error: no answer to {', '.join(failed)}; see above", file=sys.stderr)
    return 1 if failed else 0


def _answered(name: str, options: argparse.Namespace) -> bool:
    """Answer one question; returns whether that worked. No engine is left behind in either case."""
    question = QUESTIONS[name]
    signal.alarm(question.seconds)
    try:
        check()
        answer = question.ask(options.peers, options.quick)
    except (BenchError, EngineError, TimeoutError) as error:
        print(f"error: {name}: {error}", file=sys.stderr)
        return False
    except Exception:  # noqa: BLE001
        traceback.print_exc()
        return False
    finally:
        signal.alarm(0)
    show(answer)
    if (path := options.json or (None if options.quick else RESULTS)) is not None:
        draw(keep(path, name, answer), path.with_suffix(".svg"))
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure hostwatch beside others.")
    parser.add_argument(
        "questions", nargs="*", metavar="QUESTION", type=_question, help=f"{', '.join(QUESTIONS)}; default: all of them"
    )
    parser.add_argument("--quick", action="store_true", help="few rounds: whether it works, not how well")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help=f"the figures, with their picture as SVG beside it; default: bench/{RESULTS.name}, unless quick",
    )
    parser.add_argument(
        "--peer",
        dest="peers",
        type=peer,
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="also measure this program (follow); {socket}, {root} and {file}, the file that it keeps, are filled in",
    )
    return parser


def _question(name: str) -> str:
    if name not in QUESTIONS:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(QUESTIONS)}")
    return name


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError("it took longer than it may")


def _ended(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
