"""The page of the metrics: each with its type, its labels and their values, and what an operator reads from it."""

from collections.abc import Iterator, Mapping

from prometheus_client.metrics_core import Metric

from hostwatch.control.figures import Figures
from hostwatch.control.gauges import Gauges
from hostwatch.control.remotes import SourceState
from hostwatch.core.remote import CLUSTER
from hostwatch.http.metrics import families
from manual import markdown
from manual.template import filled

READINGS: Mapping[str, str] = {
    "hostwatch_engine_up": "0: all records stay as they were, and nothing is followed",
    "hostwatch_subscribers": "`false` for longer than a start takes: `hostwatch status` names the file and the error",
    "hostwatch_withheld": "above 0 for long: a service is down, or a line is a mistake; `hostwatch why` tells",
    "hostwatch_services": "a sudden change: something else happened on the host",
    "hostwatch_update_seconds": "how long an address is wrong after a change",
    "hostwatch_writes_total": "a steady rate of `failed` (could not be written this time, and is tried again) or"
    " `refused` (must not or cannot be kept): the log has the file and the reason",
    "hostwatch_drift_healed_total": "a steady rate: another program writes the same file",
    "hostwatch_notifications_total": "`given_up` (no other try follows): an application may go on with old addresses",
    "hostwatch_events_total": "how busy the engine is; other actions than the listed ones are `other`",
    "hostwatch_reconnects_total": "a restart of the engine is one; a steady rate: a proxy cuts connections",
    "hostwatch_last_resync_timestamp_seconds": "older than `timing.resync`: the engine answers slowly",
    "hostwatch_source_up": "0: what it told stays as last known, and no change on other hosts is seen; `hostwatch"
    " status` has the reason",
    "hostwatch_source_endpoints": "a fall to 0: look at what fills it",
    "hostwatch_store_up": "0: as for its source; other hosts keep this host's names for `cluster.ttl` alone",
    "hostwatch_peers": "fewer than there are: a hostwatch is down, or cut off",
    "hostwatch_build_info": "which version runs where; the value is always 1",
}
"""What an operator reads from each."""
_OF_PLACE = {"source": "`cluster`, `overlay:NETWORK`, `catalog:SERVICE`", "version": "", "python": ""}
"""The values of labels that are another one on each machine."""
_NO_VALUES = ("le",)


def page() -> str:
    """The page."""
    rows = (_row(*each) for each in told().items())
    return filled("metrics.md", {"metrics": markdown.table(("metric", "type", "is", "is read as"), rows)})


def told() -> Mapping[str, Metric]:
    """The metrics of hostwatch itself, by the names that a query has."""
    cluster = SourceState(kind=CLUSTER, name=CLUSTER, is_up=True, since=0.0)
    gauges = Gauges(is_engine_up=True, in_sync=0, out_of_sync=0, withheld=0, services=0, sources=((CLUSTER, cluster),))
    found = families(Figures(), gauges)
    return {_name(each): each for each in found if each.name.startswith("hostwatch_")}


def _name(metric: Metric) -> str:
    suffix = {"counter": "_total", "info": "_info"}.get(metric.type, "")
    return metric.name + suffix


def _row(name: str, metric: Metric) -> tuple[str, str, str, str]:
    labels = {label: None for sample in metric.samples for label in sample.labels if label not in _NO_VALUES}
    shown = f"{name}{{{','.join(labels)}}}" if labels else name
    values = "; ".join(filter(None, (_values(metric, label) for label in labels)))
    kind = "gauge" if metric.type == "info" else metric.type
    return f"`{shown}`", kind, metric.documentation + (f" {values}." if values else ""), READINGS[name]


def _values(metric: Metric, label: str) -> str:
    known = _OF_PLACE.get(label)
    if known is None:
        known = ", ".join(f"`{value}`" for value in _found(metric, label))
    return f"`{label}`: {known}" if known else ""


def _found(metric: Metric, label: str) -> Iterator[str]:
    yield from dict.fromkeys(sample.labels[label] for sample in metric.samples if label in sample.labels)
