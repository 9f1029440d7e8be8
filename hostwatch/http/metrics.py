"""The daemon's figures as text for Prometheus. Loading this module takes some time and memory: load it in a thread."""

import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import version

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from hostwatch.control.figures import BOUNDS_SECONDS, EventFigures, Figures, FileFigures
from hostwatch.control.gauges import Gauges
from hostwatch.control.remotes import SourceState
from hostwatch.core.remote import CLUSTER

_OPENMETRICS = "application/openmetrics-text"
_PROCESS = ProcessCollector(registry=None)
_BUILD = {"version": version("hostwatch"), "python": platform.python_version()}


def exposition(figures: Figures, gauges: Gauges, accepted: str) -> tuple[bytes, str]:
    """The text and its content type: OpenMetrics where the header `Accept` names it.

    Reads a few files of the kernel, so call it in a thread, too.
    """
    # Only our own word goes to the encoder: it answers with the version that the header asks for, whatever that is.
    encode, content_type = choose_encoder(_OPENMETRICS if _OPENMETRICS in accepted else "")
    return encode(_Families(figures, gauges)), content_type


def families(figures: Figures, gauges: Gauges) -> Iterable[Metric]:
    """All metrics at one moment."""
    return _Families(figures, gauges).collect()


class _Families(Collector):
    """All metrics at one moment."""

    def __init__(self, figures: Figures, gauges: Gauges) -> None:
        self._figures = figures
        self._gauges = gauges

    def collect(self) -> Iterable[Metric]:
        yield from _of_events(self._figures.of_events)
        yield from _of_files(self._figures.of_files)
        yield _counter(
            "hostwatch_notifications_total",
            "Notifications of applications by how they ended: each failed try, and those that were given up.",
            "result",
            ((result.value, count) for result, count in self._figures.notifications.items()),
        )
        yield from _measured(self._gauges)
        yield InfoMetricFamily(
            "hostwatch_build",
            "The version of hostwatch and of its Python.",
            _BUILD,
        )
        yield from _PROCESS.collect()


def _of_events(figures: EventFigures) -> Iterator[Metric]:
    events = CounterMetricFamily(
        "hostwatch_events_total", "Events of the engine that were taken in.", labels=["type", "action"]
    )
    for (kind, action), count in figures.events.items():
        events.add_metric([kind, action], count)
    yield events
    yield CounterMetricFamily(
        "hostwatch_reconnects_total",
        "How often the engine was lost and regained.",
        max(0, figures.connections - 1),
    )
    yield GaugeMetricFamily(
        "hostwatch_last_resync_timestamp_seconds",
        "When everything was read from the engine last, in seconds since the epoch; 0: never.",
        figures.last_resync,
    )


def _of_files(figures: FileFigures) -> Iterator[Metric]:
    yield _counter(
        "hostwatch_writes_total",
        "Files that were written, could not be written this time, or must not or cannot be kept.",
        "result",
        ((result.value, count) for result, count in figures.writes.items()),
    )
    bounds = [*map(floatToGoString, BOUNDS_SECONDS), "+Inf"]
    yield HistogramMetricFamily(
        "hostwatch_update_seconds",
        "From the arrival of a cause until the file was written.",
        list(zip(bounds, figures.updates.cumulated, strict=True)),
        figures.updates.total_seconds,
    )
    yield CounterMetricFamily(
        "hostwatch_drift_healed_total",
        "Blocks that somebody else had changed and that were put right.",
        figures.drift_healed,
    )


def _measured(gauges: Gauges) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "hostwatch_engine_up", "1 if the engine is connected and everything has been read.", gauges.is_engine_up
    )
    yield GaugeMetricFamily("hostwatch_services", "Services, as status lists them.", gauges.services)
    subscribers = GaugeMetricFamily(
        "hostwatch_subscribers",
        "Subscribers that are not stopped, by whether their files are right.",
        labels=["in_sync"],
    )
    subscribers.add_metric(["true"], gauges.in_sync)
    subscribers.add_metric(["false"], gauges.out_of_sync)
    yield subscribers
    yield GaugeMetricFamily("hostwatch_withheld", "Lines without a valid record now.", gauges.withheld)
    if gauges.sources:
        yield from _of_sources(gauges.sources)


def _of_sources(sources: Iterable[tuple[str, SourceState]]) -> Iterator[Metric]:
    """The sources of names on other hosts. Of one host alone there is nothing to say."""
    up = GaugeMetricFamily(
        "hostwatch_source_up",
        "1 if a source of names on other hosts answers, else 0.",
        labels=["source"],
    )
    endpoints = GaugeMetricFamily(
        "hostwatch_source_endpoints", "Addresses on other hosts that a source has told.", labels=["source"]
    )
    for source, state in sources:
        up.add_metric([source], state.is_up)
        endpoints.add_metric([source], state.endpoints)
        if state.kind == CLUSTER:
            yield from _of_store(state)
    yield up
    yield endpoints


def _of_store(state: SourceState) -> Iterator[Metric]:
    yield GaugeMetricFamily("hostwatch_store_up", "1 if the shared store (`cluster`) answers, else 0.", state.is_up)
    peers = GaugeMetricFamily(
        "hostwatch_peers", "Other hosts that publish to the shared store, now or as last known.", labels=["state"]
    )
    peers.add_metric(["up"], state.hosts if state.is_up else 0)
    peers.add_metric(["as_last_known"], 0 if state.is_up else state.hosts)
    yield peers


def _counter(name: str, text: str, label: str, counts: Iterable[tuple[str, int]]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for value, count in counts:
        family.add_metric([value], count)
    return family
