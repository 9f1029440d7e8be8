"""The decision on a file: a long file is computed by steps, and nothing is decided before they are taken."""

from collections.abc import Iterable

from hostwatch.control.causes import FILE_CHANGED
from hostwatch.control.reconcile.addresses import tell_starting
from hostwatch.control.reconcile.plan import (
    Compute,
    File,
    Keep,
    LookEarly,
    Moment,
    Observation,
    Recall,
    Rewrite,
    decide,
    observe,
)
from hostwatch.control.reconcile.state import FileState
from hostwatch.core.model import Address, ContainerKey, FileKind, State
from tests.control.room import Deaf
from tests.core.build import UNKNOWN, box, desired_block, ip, key, on, store


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


def changed(state: State, kind: FileKind, *, is_looked_at: bool = False) -> Observation:
    """What is known of a subscriber's file of this kind that was written just now."""
    labels = {"hostwatch.hosts": "10.0.0.5 db", "hostwatch.resolv": "nameserver 10.0.0.5"}
    web = box("web", on("front", "10.0.0.2"), labels=labels, state=state)
    return observe(store(web), File(web, kind), None, None, Moment(0.0, 2.0, (FILE_CHANGED,), is_looked_at))


def test_either_file_of_a_stopped_container_tells_its_start() -> None:
    """An engine may write the resolv.conf first. Of a container that is known to start it is written at once."""
    assert isinstance(decide(changed(State.STOPPED, FileKind.HOSTS)), LookEarly)
    assert isinstance(decide(changed(State.STOPPED, FileKind.RESOLV)), LookEarly)
    assert isinstance(decide(changed(State.STOPPED, FileKind.RESOLV, is_looked_at=True)), Keep)
    assert isinstance(decide(changed(UNKNOWN, FileKind.HOSTS)), LookEarly)
    assert isinstance(decide(changed(UNKNOWN, FileKind.RESOLV)), Rewrite)


def test_only_a_hosts_file_tells_addresses() -> None:
    """A resolv.conf has those of others."""
    told: list[tuple[Address, ...]] = []

    class Listening(Deaf):
        def starting(self, key: ContainerKey, addresses: Iterable[Address], cause: str) -> None:  # noqa: ARG002
            told.append((*addresses,))

    for kind in FileKind:
        seen = changed(State.STOPPED, kind)
        tell_starting(Listening(), seen, f"10.0.0.2\t{seen.container.own_hostname}\n".encode())
    assert told == [(ip("10.0.0.2"),), ()]
