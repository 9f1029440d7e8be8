"""The decision on a file: a long file is computed by steps, and nothing is decided before they are taken."""

from hostwatch.control.reconcile.plan import Compute, File, Moment, Recall, Rewrite, decide, observe
from hostwatch.control.reconcile.state import FileState
from hostwatch.core.model import State
from tests.core.build import box, desired_block, key, on, store


def test_a_long_file_is_computed_between_other_tasks() -> None:
    """Whatever changes meanwhile. A file is never rewritten to half of its lines."""
    boxes = [box(f"s{number}", on("front", f"10.0.0.{number}")) for number in range(100)]
    web = box("web", on("front", "10.0.1.1"), labels={"hostwatch.services": "*"})
    made = store(*boxes, web)
    moment = Moment(0.0, 2.0, most_steps=20)
    known = FileState().recalled({})
    plans = [decide(observe(made, File(web), known, None, moment))]
    while isinstance(plans[-1], Compute):
        if len(plans) == 5:
            made.put(box("s7", on("front", "10.0.2.7")))
            made.put(box("s8", on("front"), state=State.STOPPED))
        plans.append(decide(observe(made, File(web), known, None, moment)))
    assert len(plans) > 100 * 3 / 20
    assert plans[-1] == Rewrite(desired_block(made, key("web"), {}, 0.0, 2.0).block)
    assert isinstance(plans[-1], Rewrite)
    assert len(plans[-1].block.records) == 100
    assert isinstance(decide(observe(made, File(web), FileState(), None, moment)), Recall)
    made.put(box("s9", on("front", "10.0.2.9")))
    assert isinstance(decide(observe(made, File(web), known, None, moment)), Rewrite), "a small change takes few steps"
    made.adopt(made.adoption(made.rules))
    assert isinstance(decide(observe(made, File(web), FileState(), None, moment)), Compute), "before the file is read"
    assert isinstance(decide(observe(made, File(web), known, None, Moment(0.0, 2.0))), Rewrite), "all at once"
