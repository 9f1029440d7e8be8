"""`python -m bench [QUESTION …]`: ask, print a table for each, keep all figures as JSON, draw them as SVG."""

import argparse
import asyncio
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from bench import first, follow, idle, readers, size, storm
from bench.contenders import BenchError, Contender, peer
from bench.drawing import draw
from bench.report import Answer, keep, show
from tests.engine.machine import EngineError, check

RESULTS = Path(__file__).with_name("results.json")
SIZES, SIZES_QUICK = (100, 1_000, 10_000, 50_000), (100, 1_000)


@dataclass(frozen=True)
class Question:
    """What can be asked, and how long that may take."""

    ask: Callable[[list[Contender], bool], Answer]
    seconds: int


def sizes(quick: bool) -> Answer:
    """How hostwatch grows with the number of containers."""
    rows = []
    for count in SIZES_QUICK if quick else SIZES:
        with tempfile.TemporaryDirectory() as directory:
            rows.append(asyncio.run(size.measured(count, Path(directory))))
    return Answer("Size: beside a simulated engine", rows)


QUESTIONS = {
    "follow": Question(follow.asked, 3600),
    "first": Question(lambda _, quick: first.asked(quick), 3600),
    "readers": Question(lambda _, quick: readers.asked(quick), 1800),
    "storm": Question(lambda _, quick: storm.asked(quick), 2400),
    "idle": Question(lambda _, quick: idle.asked(quick), 600),
    "size": Question(lambda _, quick: sizes(quick), 1800),
}


def main(arguments: list[str]) -> int:
    """Ask each question that is wanted; status 1 if one of them has no answer."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGALRM, _too_long)
    signal.signal(signal.SIGTERM, _ended)
    failed = [name for name in options.questions or QUESTIONS if not _answered(name, options)]
    if failed:
        print(f"error: no answer to {', '.join(failed)}; see above", file=sys.stderr)
    return 1 if failed else 0


def _answered(name: str, options: argparse.Namespace) -> bool:
    """Ask one question; whether there was an answer. It leaves no engine behind in either case."""
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
    draw(keep(options.json, name, answer), options.json.with_suffix(".svg"))
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure hostwatch beside others.")
    parser.add_argument(
        "questions", nargs="*", metavar="QUESTION", type=_question, help=f"{', '.join(QUESTIONS)}; default: all of them"
    )
    parser.add_argument("--quick", action="store_true", help="few rounds: whether it works, not how well")
    parser.add_argument(
        "--json", type=Path, default=RESULTS, metavar="FILE", help="the figures; an SVG is drawn beside it"
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
