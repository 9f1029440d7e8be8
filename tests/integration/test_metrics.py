"""/metrics beside a real engine: it tells what happened, and nothing that a container chose.

A real Prometheus evaluates the alert rules and each query of the dashboard.
"""

import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests import engine as engines
from tests.conftest import Hostwatch, Lab, eventually, lab_on
from tests.image import REPOSITORY, prometheus
from tests.integration.test_engine_faults import end
from tests.integration.test_http import get, place_of
from tests.usage import usage_at_rest

pytestmark = pytest.mark.parametrize("engine", ["28.5"], indirect=True)

DASHBOARD = json.loads((REPOSITORY / "config/grafana/hostwatch.json").read_text())
TARGETS = [target for panel in DASHBOARD["panels"] for target in panel["targets"]]
"""The queries of the dashboard, each with its legend."""
SCRAPES = 10_000
MOST_MIB = 3.0
"""The most that so many scrapes may leave behind: pages of the allocator that are not full."""

Samples = dict[str, float]
"""By the name with its labels, as they stand in the text."""


def free_port() -> int:
    """A port of loopback that nobody has."""
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        port: int = found.getsockname()[1]
        return port


def answered(port: int, path: str) -> str:
    """The body of an answer with status 200."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode()
        assert answer.status == 200, body
        return body


def samples(text: str) -> Samples:
    """The samples of the text."""
    families = text_string_to_metric_families(text)
    return {named(sample.name, sample.labels): sample.value for family in families for sample in family.samples}


def named(name: str, labels: Mapping[str, str]) -> str:
    """A sample's name with its labels."""
    listed = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{listed}}}" if listed else name


@pytest.fixture(scope="module")
def mortal(engine: engines.Engine) -> Iterator[engines.Engine]:
    """An engine that may be ended: its containers live on."""
    own = engines.start(engine.version, f"{engine.name}-metrics", args=["--live-restore=true"])
    yield own
    own.stop()


@pytest.fixture
def frail(mortal: engines.Engine, tmp_path: Path) -> Iterator[Lab]:
    """A lab on that engine."""
    with lab_on(mortal, tmp_path) as lab:
        yield lab


@contextmanager
def scraped(lab: Lab) -> Iterator[tuple[Hostwatch, int]]:
    """A daemon that answers at a port of loopback."""
    port = free_port()
    text = f'http: {{listen: "127.0.0.1:{port}"}}\ntiming: {{notify_debounce: 0s, linger: 0s, resync: 1h}}\n'
    with lab.hostwatch("-c", lab.configured(text)) as hostwatch:
        eventually(lambda: "answers at http://" in hostwatch.log)
        yield hostwatch, port


def value(port: int, name: str) -> float:
    """One sample."""
    return samples(answered(port, "/metrics"))[name]


def becomes(port: int, expected: Samples) -> None:
    """These samples have these values soon, all at once, and keep them for a moment."""

    def found() -> Samples:
        now = samples(answered(port, "/metrics"))
        return {name: now[name] for name in expected}

    with suppress(AssertionError):  # the difference tells more
        eventually(lambda: found() == expected)
    time.sleep(0.3)
    assert found() == expected


def test_the_metrics_tell_what_happened(frail: Lab) -> None:
    """A start, a change, notifications, drift, a refused file, the engine away and back. The series stay the same."""
    lab = frail
    db = lab.run("db", address="10.123.7.7")
    wants = {"hostwatch.hosts": "@{db.ip} db\n@{cache.ip} cache"}
    web = lab.run("web", labels=wants | {"hostwatch.notify": "SIGHUP"})
    lab.run("app", labels=wants | {"hostwatch.notify": "exec: false"})
    with scraped(lab) as (hostwatch, port):
        becomes(
            port,
            {
                "hostwatch_engine_up": 1,
                "hostwatch_services": 3,
                'hostwatch_subscribers{in_sync="true"}': 2,
                'hostwatch_subscribers{in_sync="false"}': 0,
                "hostwatch_withheld": 2,
                'hostwatch_writes_total{result="written"}': 2,
                "hostwatch_update_seconds_count": 2,
                'hostwatch_notifications_total{result="delivered"}': 1,
                'hostwatch_notifications_total{result="failed"}': 3,
                'hostwatch_notifications_total{result="given_up"}': 1,
                "hostwatch_drift_healed_total": 0,
                "hostwatch_reconnects_total": 0,
            },
        )
        first = samples(answered(port, "/metrics"))
        assert first.keys() == samples(get(place_of(lab), "/metrics")[1].decode()).keys()
        assert abs(time.time() - first["hostwatch_last_resync_timestamp_seconds"]) < 60

        lab.network.disconnect(db)
        lab.network.connect(db, ipv4_address="10.123.7.8")
        becomes(
            port,
            {
                'hostwatch_events_total{action="disconnect",type="network"}': 1,
                'hostwatch_events_total{action="connect",type="network"}': 1,
                'hostwatch_notifications_total{result="delivered"}': 2,
                'hostwatch_notifications_total{result="failed"}': 6,
                'hostwatch_notifications_total{result="given_up"}': 2,
                "hostwatch_drift_healed_total": 0,
            },
        )
        changes = json.loads(answered(port, "/api/v1/history"))["changes"]
        written = sum(bool(change["changes"]) for change in changes)
        assert value(port, 'hostwatch_writes_total{result="written"}') == written

        path = lab.hosts_path(web)
        path.write_text(path.read_text().replace("10.123.7.8", "10.99.99.9"))
        becomes(
            port,
            {
                "hostwatch_drift_healed_total": 1,
                "hostwatch_update_seconds_count": written + 1,
                'hostwatch_writes_total{result="written"}': written + 1,
            },
        )
        assert hostwatch.log.count("(drift, ") == 1

        hostile(lab)
        becomes(port, {'hostwatch_subscribers{in_sync="false"}': 1, 'hostwatch_subscribers{in_sync="true"}': 3})
        assert value(port, 'hostwatch_writes_total{result="refused"}') >= 1
        assert value(port, 'hostwatch_events_total{action="start",type="container"}') == 2

        end(lab.engine, signal.SIGTERM)
        becomes(port, {"hostwatch_engine_up": 0, "hostwatch_reconnects_total": 0})
        lab.engine.start()
        becomes(port, {"hostwatch_engine_up": 1, "hostwatch_reconnects_total": 1})
        text = answered(port, "/metrics")
        last = samples(text)
        assert last["hostwatch_last_resync_timestamp_seconds"] > first["hostwatch_last_resync_timestamp_seconds"]
        assert last.keys() == first.keys()
        assert [word for word in ("evil", "hostile", "shop", "x" * 100, "db", "web") if word in text] == []
        check_names(text)


def hostile(lab: Lab) -> None:
    """A subscriber whose words are meant to break a page or a metric, and one whose file must not be kept."""
    evil = '"} 1\n# TYPE evil counter\nevil{a="<script>alert(1)</script>\u202e'
    labels = {
        "hostwatch.services": "db, evil",
        "hostwatch.hosts": f"@{{evil.ip}} {evil}",
        "hostwatch.names": evil,
        "hostwatch.notify": evil,
        evil: "x" * 100_000,
        "com.docker.compose.project": "shop" + evil,
        "com.docker.compose.service": evil,
    }
    lab.run("hostile", labels=labels)
    mounted = lab.directory / "mounted"
    mounted.write_text("127.0.0.1\tlocalhost\n")
    volumes = {str(mounted): {"bind": "/etc/hosts", "mode": "rw"}}
    lab.run("mounted", labels={"hostwatch.services": "db"}, volumes=volumes)


def check_names(text: str) -> None:
    """Prometheus's own check of names, types and help."""
    command = [*prometheus("promtool"), "check", "metrics"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_many_scrapes_take_no_memory(frail: Lab) -> None:
    """Ten thousand of them, over one connection, as Prometheus does it."""
    lab = frail
    lab.run("db")
    lab.run("web", labels={"hostwatch.services": "db"})
    with scraped(lab) as (hostwatch, port), closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:

        def scrape(times: int) -> float:
            for _ in range(times):
                connection.request("GET", "/metrics", headers={"Accept": "application/openmetrics-text"})
                answer = connection.getresponse()
                assert answer.status == 200
                assert answer.read().endswith(b"# EOF\n")
            return usage_at_rest(hostwatch.process.pid).rss_mib

        before = scrape(1_000)
        begun = time.monotonic()
        after = scrape(SCRAPES)
        took = (time.monotonic() - begun) / SCRAPES
        print(f"{before:.1f} MiB, after {SCRAPES} scrapes {after:.1f} MiB; {took * 1000:.1f} ms each")
        assert after - before < MOST_MIB


class Server:
    """A real Prometheus that scrapes hostwatch each second."""

    def __init__(self, directory: Path, target: int) -> None:
        self.port = free_port()
        shipped = REPOSITORY / "config/prometheus"
        example = (shipped / "prometheus.yaml").read_text()
        settings = example.replace("127.0.0.1:9464", f"127.0.0.1:{target}").replace("15s", "1s")
        (directory / "prometheus.yaml").write_text(settings)
        (directory / "hostwatch.rules.yaml").write_bytes((shipped / "hostwatch.rules.yaml").read_bytes())
        self.command = [
            *prometheus("prometheus"),
            f"--config.file={directory}/prometheus.yaml",
            f"--storage.tsdb.path={directory}/data",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]

    @contextmanager
    def running(self, log: Path) -> Iterator[None]:
        """Run it until the end of the body."""
        with log.open("wb") as output:
            process = subprocess.Popen(self.command, stdout=output, stderr=output)
        try:
            eventually(lambda: "Server is ready" in log.read_text())
            yield
        finally:
            process.kill()
            process.wait()

    def asked(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API, which must be a success without a warning."""
        found = json.loads(answered(self.port, f"/api/v1/{path}?{urlencode(parameters)}"))
        assert (found["status"], found.get("warnings")) == ("success", None)
        return found["data"]

    def results(self, query: str) -> list[Any]:
        """What a query has as its result now."""
        found: list[Any] = self.asked("query", query=query)["result"]
        return found


def filled(query: str) -> str:
    """A query of the dashboard, with its variables in it as Grafana has them for all hosts."""
    found = query.replace("$__rate_interval", "10s").replace("$instance", ".*")
    assert "$" not in found
    return found


def test_prometheus_understands_each_query_and_rule(frail: Lab) -> None:
    """Each query has a result; it has none with another metric or label, so the check can fail."""
    lab = frail
    lab.run("db", address="10.123.7.7")
    web = lab.run("web", labels={"hostwatch.hosts": "@{db.ip} db\n@{cache.ip} cache"})
    with scraped(lab) as (_, port):
        server = Server(lab.directory, port)
        with server.running(lab.directory / "prometheus.log"):
            eventually(lambda: server.results('count_over_time(up{job="hostwatch"}[10s]) >= 3'))
            path = lab.hosts_path(web)
            path.write_text(path.read_text().replace("10.123.7.7", "10.99.99.9"))
            queries = [filled(target["expr"]) for target in TARGETS]
            eventually(lambda: all(map(server.results, queries)))
            for target, query in zip(TARGETS, queries, strict=True):
                labels = set(server.results(query)[0]["metric"])
                assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= labels, target
                for metric in set(re.findall(r"(?:hostwatch|process)_\w+", query)):
                    assert not server.results(query.replace(metric, f"{metric}x")), query
            found = re.fullmatch(r"label_values\((\w+), (\w+)\)", DASHBOARD["templating"]["list"][1]["query"])
            assert found is not None
            assert server.asked(f"label/{found[2]}/values", **{"match[]": found[1]}) == [f"127.0.0.1:{port}"]
            eventually(lambda: {rule["health"] for rule in rules(server)} == {"ok"})
            firing = eventually(lambda: [rule["name"] for rule in rules(server) if rule["state"] != "inactive"])
            assert firing == ["HostwatchWithheld"]


def rules(server: Server) -> list[Any]:
    """The alert rules, as the server has evaluated them."""
    (group,) = server.asked("rules")["groups"]
    found: list[Any] = group["rules"]
    return found
