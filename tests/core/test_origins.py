"""The origin of each record: who asked for it, what answered, in which tier, from which container and network."""

import pytest

from hostwatch.core.block.records import Record
from hostwatch.core.model import Container
from hostwatch.core.resolve.origins import RecordOrigins, Requests, stretches
from hostwatch.core.rules import Places, Rules, Subscription
from hostwatch.core.store.store import Store
from tests.core.build import STOPPED, box, desired_block, hosts, ip, key, lines, on, service, store, subscriber

DB = box("db", on("front", "10.0.0.5"))
Told = tuple[str | None, str | None, str | None, str, str]


def told(made: Store, name: str, before: Store | None = None) -> dict[str, Told]:
    """For each record's first name: who asked, service, tier, container, network; perhaps of lines that linger."""
    memory = desired_block(before, key(name), {}, 0.0, 2.0).memory if before is not None else {}
    desired = desired_block(made, key(name), memory, 1.0, 2.0)
    asked, origins = Requests(made.sharing(key(name)).requests), RecordOrigins()
    for part in stretches(desired.memory):
        origins.take_in(part)

    def of(record: Record) -> Told:
        found = origins.of(record)
        assert found is not None
        source, origin = found.source, found.origin
        answer = (source.service, source.tier.value) if source is not None else (None, None)
        return (asked.place(found.line), *answer, origin.service_container, origin.network_name)

    return {record.names[0]: of(record) for record in desired.block.records}


ME = box(
    "web", on("front", "10.0.0.2"), compose="shop/web", labels=hosts("@{db.ip} db", "192.0.2.1 x", "@{self.ip} me")
)
LABEL = "label hostwatch.hosts of web"


@pytest.mark.parametrize(
    ("db", "rules", "expected"),
    [
        (DB, Rules(), ("db", "container", "db", "front")),
        (box("db-1", on("front", "10.0.0.5")), Rules(services=(service("db"),)), ("db", "config", "db-1", "front")),
        (box("x", on("front", "10.0.0.5"), compose="shop/db"), Rules(), ("db", "compose", "x", "front")),
        (box("x", on("front", "10.0.0.5", aliases=("DB",))), Rules(), ("db", "alias", "x", "front")),
        (box("x", on("front", "10.0.0.5"), labels={"hostwatch.names": "db"}), Rules(), ("db", "label", "x", "front")),
    ],
)
def test_the_tier_and_the_service_that_answered(db: Container, rules: Rules, expected: Told) -> None:
    """With the container and the network; a literal line has none of them, and `self` is a tier of its own."""
    assert told(store(db, ME, rules=rules), "web") == {
        "db": (LABEL, *expected),
        "x": (LABEL, None, None, "", ""),
        "me": (LABEL, "self", "self", "web", "front"),
    }


def test_a_container_in_another_one_s_network_is_told_itself() -> None:
    """The address is that of the other one, and the service is not."""
    made = store(box("net", on("front", "10.0.0.5")), box("db", join="net"), ME)
    assert told(made, "web")["db"] == (LABEL, "db", "container", "db", "front")


def test_a_line_that_lingers_keeps_its_origin() -> None:
    """Its service is gone, and cannot be asked any more."""
    gone = store(box("db", state=STOPPED), ME)
    assert told(gone, "web", store(DB, ME))["db"] == (LABEL, "db", "container", "db", "front")


def test_the_first_who_asked_for_a_line_is_told() -> None:
    """The configuration comes before labels; two entries that ask for the same are two places and one query."""
    asked = Subscription(lines("@{db.ip} a"), ("db",), places=Places(("h.yaml:3",), ("h.yaml:5",)))
    same = Subscription(lines("@{db.ip} a"), ("db",), places=Places(("h.yaml:13",), ("h.yaml:15",)))
    labels = hosts("@{db.ip} a", "@{db.ip} b", services="other")
    boxes = [box(name, on("front", f"10.0.0.{n}"), labels=labels) for n, name in enumerate(("web", "app"), 6)]
    other = box("other", on("front", "10.0.0.9"))
    made = store(DB, other, *boxes, rules=Rules(subscribers=(subscriber("web", asked), subscriber("app", same))))
    places = {name: [found[0] for found in told(made, name).values()] for name in ("web", "app")}
    rest = ["label hostwatch.hosts of {}", "h.yaml:{}", "label hostwatch.services of {}"]
    assert places["web"] == ["h.yaml:3", *(text.format("5" if "yaml" in text else "web") for text in rest)]
    assert places["app"] == ["h.yaml:13", *(text.format("15" if "yaml" in text else "app") for text in rest)]


def test_every_name_in_reach_has_an_origin() -> None:
    """The lines of `*` were asked for where the star stands."""
    everything = Subscription(everything=True, places=Places((), ("h.yaml:7",)))
    made = store(DB, box("web", on("front", "10.0.0.2")), rules=Rules(subscribers=(subscriber("web", everything),)))
    assert told(made, "web")["db"] == ("h.yaml:7", "db", "container", "db", "front")


def test_a_record_that_an_earlier_run_wrote_has_none() -> None:
    """Nothing is known of it."""
    assert RecordOrigins().of(Record(ip("10.0.0.5"), ("db",))) is None
