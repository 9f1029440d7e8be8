"""The text for Prometheus: every metric of the interface with its labels, in both formats, whatever is asked for."""

import gc
from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_of
from prometheus_client.parser import text_string_to_metric_families as metrics_of

from hostwatch.control.figures import Figures, NotificationResult, WriteResult
from hostwatch.control.gauges import Gauges
from hostwatch.control.remotes import SourceState
from hostwatch.http.metrics import exposition

GAUGES = Gauges(is_engine_up=True, in_sync=3, out_of_sync=1, withheld=2, services=7)
OVERLAY = SourceState("overlay", "mesh", is_up=False, since=0.0, fault="the engine does not answer", endpoints=2)
SHARED = SourceState("cluster", "http://10.0.0.1:2379", is_up=True, since=0.0, endpoints=5, hosts=3)
OTHERS = replace(GAUGES, sources=(("cluster", SHARED), ("overlay:mesh", OVERLAY)))
"""With sources of names on other hosts."""
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


def counted() -> Figures:
    """Some of each."""
    figures = Figures()
    figures.of_events.count("container", "start")
    figures.of_events.connections, figures.of_events.last_resync = 3, 1.7e9
    figures.of_files.count(0.0004, heals_drift=False)
    figures.of_files.count(0.3, heals_drift=True)
    figures.of_files.writes[WriteResult.REFUSED] += 4
    figures.notifications[NotificationResult.GIVEN_UP] += 1
    return figures


def samples(text: bytes, *, openmetrics: bool = False) -> dict[str, float]:
    """The samples of a text, by name and labels."""
    parsed = (openmetrics_of if openmetrics else metrics_of)(text.decode())
    return {
        sample.name + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in parsed
        for sample in family.samples
    }


@pytest.mark.parametrize("accepted", ["", "*/*", PROMETHEUS])
def test_every_figure_is_told(accepted: str) -> None:
    """Prometheus asks for OpenMetrics, and anybody else gets the plain text."""
    text, kind = exposition(counted(), GAUGES, accepted)
    found = samples(text, openmetrics=kind.startswith("application/openmetrics-text; version=1.0.0"))
    assert kind.startswith("application/openmetrics-text" if accepted == PROMETHEUS else "text/plain; version=0.0.4")
    expected = {
        "hostwatch_events_total action=start type=container": 1,
        "hostwatch_events_total action=other type=network": 0,
        "hostwatch_writes_total result=written": 2,
        "hostwatch_writes_total result=failed": 0,
        "hostwatch_writes_total result=refused": 4,
        "hostwatch_update_seconds_bucket le=0.0005": 1,
        "hostwatch_update_seconds_bucket le=0.25": 1,
        "hostwatch_update_seconds_bucket le=0.5": 2,
        "hostwatch_update_seconds_bucket le=+Inf": 2,
        "hostwatch_update_seconds_count": 2,
        "hostwatch_update_seconds_sum": 0.3004,
        "hostwatch_services": 7,
        "hostwatch_subscribers in_sync=true": 3,
        "hostwatch_subscribers in_sync=false": 1,
        "hostwatch_withheld": 2,
        "hostwatch_drift_healed_total": 1,
        "hostwatch_notifications_total result=delivered": 0,
        "hostwatch_notifications_total result=failed": 0,
        "hostwatch_notifications_total result=given_up": 1,
        "hostwatch_engine_up": 1,
        "hostwatch_reconnects_total": 2,
        "hostwatch_last_resync_timestamp_seconds": 1.7e9,
    }
    assert {name: found.get(name) for name in expected} == expected
    (build,) = [name for name in found if name.startswith("hostwatch_build_info python=3.")]
    assert " version=" in build
    assert found["process_resident_memory_bytes"] > 1e6


def test_the_sources_of_names_on_other_hosts_are_told() -> None:
    """One host alone has none."""
    expected = {
        "hostwatch_source_up source=cluster": 1,
        "hostwatch_source_up source=overlay:mesh": 0,
        "hostwatch_source_endpoints source=cluster": 5,
        "hostwatch_source_endpoints source=overlay:mesh": 2,
        "hostwatch_store_up": 1,
        "hostwatch_peers state=up": 3,
        "hostwatch_peers state=as_last_known": 0,
    }
    found = samples(exposition(Figures(), OTHERS, "")[0])
    assert {name: found.get(name) for name in expected} == expected
    assert not [name for name in samples(exposition(Figures(), GAUGES, "")[0]) if name in expected]
    lost = replace(OTHERS, sources=(("cluster", replace(SHARED, is_up=False)),))
    found = samples(exposition(Figures(), lost, "")[0])
    assert [found[f"hostwatch_peers state={state}"] for state in ("up", "as_last_known")] == [0, 3]


def test_before_the_first_connection_nothing_was_regained() -> None:
    """There is no reconnect without a connection."""
    assert samples(exposition(Figures(), GAUGES, "")[0])["hostwatch_reconnects_total"] == 0


@pytest.mark.parametrize(
    "accepted",
    [
        "application/openmetrics-text; version=99.1",
        "application/openmetrics-text; version=evil; escaping=allow-utf-8",
        "application/openmetrics-text;version=1.0.0\x00, x" + "y" * 50_000,
        ";;;,=,q=,application/openmetrics-text;;=",
        "text/plain; version=99999999999999999999.0",
        "\u202e<script>",
    ],
)
def test_no_word_of_a_header_is_in_the_answer(accepted: str) -> None:
    """One of two content types is answered, and never an error."""
    text, kind = exposition(counted(), GAUGES, accepted)
    assert kind in {exposition(Figures(), GAUGES, asked)[1] for asked in ("", PROMETHEUS)}
    assert samples(text, openmetrics="openmetrics" in kind)["hostwatch_services"] == 7


@pytest.mark.slow
def test_scrapes_leave_nothing_behind() -> None:
    """Objects do not add up."""
    figures = counted()
    for _ in range(50):
        exposition(figures, GAUGES, PROMETHEUS)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(300):
        exposition(figures, GAUGES, PROMETHEUS)
    gc.collect()
    assert len(gc.get_objects()) - before < 100
