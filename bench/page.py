"""Page: how smoothly it moves in a real browser, scrolled while changes come in, by the number of subscribers."""

from bench.report import Answer, Row, Target, number, picked, ratio
from tests.browser import browser, resize
from tests.page.movement import moved

SIZES = ((100, 30), (1_000, 300), (10_000, 1_000))
ROUNDS, ROUNDS_QUICK = 5, 1


def asked(quick: bool) -> Answer:
    """The quietest round of each size: other programs of the machine only make a task longer."""
    rows: list[Row] = []
    with browser() as driver:
        resize(driver, 1280, 800)
        for subscribers, services in SIZES[:2] if quick else SIZES:
            found = [moved(driver, subscribers, services) for _ in range(ROUNDS_QUICK if quick else ROUNDS)]
            rows.append(
                {
                    "subscribers": subscribers,
                    "services": services,
                    "frame_cpu_ms": round(min(each.cpu_ms_per_frame for each in found), 1),
                    "longest_task_ms": min(each.longest_ms for each in found),
                }
            )
    for row in rows:
        row["times_first"] = ratio(number(row, "frame_cpu_ms"), number(rows[0], "frame_cpu_ms"))
    large = picked(rows, subscribers=1_000)
    targets = [
        Target("times the processor time of a frame of 100 subscribers", number(large, "times_first"), 1.5),
        Target("longest task with 1,000 subscribers (ms)", number(large, "longest_task_ms"), 100.0),
    ]
    notes = ["fifty changes, ten at once and 100 per second; 0 ms: no task took 50 ms"]
    return Answer("Page: how smoothly it moves", rows, targets, notes)
