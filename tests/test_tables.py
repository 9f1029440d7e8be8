"""The output of `status` for people, on terminals of several widths and in a pipe."""

from typing import Any

import pytest

from hostwatch.terminal.lines import folded
from hostwatch.terminal.reasons import reason_lines
from hostwatch.terminal.status import local_time, status_lines, subscriber_lines

LONG = "mycompany-production-eu-central-database-primary-1"
NAMES = ["db", LONG, "mysql.internal.mycompany.example"]
ADDRESSES = {"mycompany-production_default": ["172.18.0.5", "2001:db8:1111:2222:3333:4444:5555:6666"]}


def found(*names: str) -> dict[str, Any]:
    """An answer of `status --json` with one container of each name, which also subscribes."""
    container = {"id": "x", "state": "running", "health": "healthy", "addresses": ADDRESSES}
    return {
        "engine": {"connected": True, "version": "28.5.2", "api": "1.51"},
        "services": [
            {
                "name": name,
                "names": [name, *NAMES],
                "source": "compose:mycompany",
                "containers": [container | {"name": name}],
            }
            for name in names
        ]
        + [{"name": "none", "names": ["none"], "source": "config", "containers": []}],
        "subscribers": [
            {
                "name": name,
                "in_sync": True,
                "error": None,
                "records": [
                    {"address": "172.18.0.5", "names": NAMES},
                    {"address": "2001:db8:1111:2222:3333:4444:5555:6666", "names": NAMES},
                ],
                "withheld": [{"line": f"@{{{LONG}.ip}} db", "reason": f"{LONG}: no running container"}],
            }
            for name in names
        ],
    }


def status_text(found: dict[str, Any], width: int | None) -> str:
    """The lines as they are printed, without colours."""
    return "\n".join(piece.plain for text in status_lines(found, width) for piece in folded(text, width))


def test_in_a_pipe_each_row_is_a_line() -> None:
    """No line is wrapped or cut, however long it is."""
    lines = status_text(found("web", LONG), None).splitlines()
    (row,) = (line for line in lines if line.startswith(f"{LONG} "))
    assert row.split() == [
        *(LONG, LONG, *NAMES, "compose:mycompany", LONG, "running", "(healthy)"),
        *("172.18.0.5", "2001:db8:1111:2222:3333:4444:5555:6666", "on", "mycompany-production_default"),
    ]
    assert [line.split()[0] for line in lines if " mysql.internal.mycompany.example" in line].count("172.18.0.5") == 2
    assert any(f"@{{{LONG}.ip}} db ({LONG}: no running container)" in line for line in lines)


@pytest.mark.parametrize("width", [20, 40, 80, 100, 140, 200])
def test_a_terminal_breaks_lines_between_words_only(width: int) -> None:
    """Every word of the pipe is there, in one piece. A line that is too wide has only one long word."""
    text = status_text(found("web", "app-1", LONG), width)
    assert set(status_text(found("web", "app-1", LONG), None).split()) - set(text.split()) <= {
        *("SERVICE", "NAMES", "FROM", "CONTAINER", "STATE", "ADDRESSES")
    }
    assert [line for line in text.splitlines() if len(line) > width and len(line.split()) > 2] == []


RESOLV = {
    "path": "/var/lib/docker/containers/x/resolv.conf",
    "writer": "path",
    "in_sync": True,
    "lines": [{"line": "nameserver 172.18.0.5", "origin": "hostwatch.yaml:5", "container": "dns", "network": "front"}],
    "withheld": [{"line": "search host", "reason": "the host has no search domains"}],
    "error": None,
}
ITS_LINES = [
    "    nameserver 172.18.0.5  (hostwatch.yaml:5; dns on front)",
    "    withheld  search host (the host has no search domains)",
]


def subscriber_text(**fields: Any) -> list[str]:
    """The lines of one subscriber."""
    known = {"name": "web", "in_sync": True, "error": None, "records": [], "withheld": [], "resolv": None}
    return [text.plain for text in subscriber_lines({"subscribers": [known | fields]})]


def test_a_resolv_conf_stands_under_its_subscriber() -> None:
    """With its lines, and whether it is right."""
    records = [{"address": "172.18.0.6", "names": ["db"]}]
    assert subscriber_text(records=records, resolv=RESOLV) == [
        "web: right",
        "  172.18.0.6  db",
        "  resolv.conf: right",
        *ITS_LINES,
    ]
    broken = {**RESOLV, "in_sync": False, "error": "it is mounted", "lines": [], "withheld": []}
    assert subscriber_text(records=records, resolv=broken)[2:] == ["  resolv.conf: it is mounted"]


def test_a_subscriber_with_only_a_resolv_conf_has_one_verdict() -> None:
    """Nothing is said of a hosts file that nobody asks for, unless it is not right."""
    assert subscriber_text(resolv=RESOLV) == ["web: resolv.conf: right", *ITS_LINES]
    lost = subscriber_text(resolv=RESOLV, in_sync=False, error="its network is gone")
    assert lost == ["web: its network is gone", "  resolv.conf: right", *ITS_LINES]


REASON: dict[str, Any] = {"state": "withheld", "reason": "x", "asked_by": None, "records": [], "steps": []}


def test_reasons_of_a_resolv_conf_stand_under_its_name() -> None:
    """Whether or not the subscriber asks for lines of a hosts file."""
    nameserver = {**REASON, "line": "nameserver host", "state": "published", "records": [{"line": "x", "since": None}]}
    resolv = {"path": "/r", "in_sync": True, "error": None, "lines": [nameserver]}
    alone = {"name": "web", "path": "/h", "in_sync": True, "error": None, "lines": [], "resolv": resolv}
    its_lines = ["web: resolv.conf: right  /r", "", "nameserver host: published", "  x"]
    assert reason_text(alone) == its_lines
    both = {**alone, "lines": [{**REASON, "line": "@{db.ip} db"}]}
    assert reason_text(both) == ["web: right  /h", "", "@{db.ip} db: withheld", "", *its_lines]
    assert reason_text({**both, "resolv": {**resolv, "lines": []}}) == ["web: right  /h", "", "@{db.ip} db: withheld"]
    assert reason_text({**alone, "resolv": None}) == ["web: right  /h", "  it asks for no line"]


def reason_text(subscriber: dict[str, Any]) -> list[str]:
    """The lines of one subscriber."""
    return [text.plain for text in reason_lines({"subscribers": [subscriber], "notes": []})]


def test_the_widest_columns_are_narrowed_first() -> None:
    """At 80 columns the columns of a usual engine still stand side by side."""
    usual = {
        "engine": {"connected": True, "version": "28.5.2", "api": "1.51"},
        "services": [
            {
                "name": "db",
                "names": ["db", "mysql.internal", "database.internal"],
                "source": "config",
                "containers": [
                    {
                        "name": f"shop-db-{n}",
                        "state": "running",
                        "health": "",
                        "addresses": {"shop_backend": ["172.18.0.5"]},
                    }
                    for n in (1, 2)
                ],
            }
        ],
        "subscribers": [],
    }
    assert status_text(usual, 80).splitlines() == [
        "engine 28.5.2 (API 1.51)",
        "daemon: none answers, so all of this was read just now",
        "SERVICE  NAMES                       FROM    CONTAINER  STATE    ADDRESSES",
        "db       db mysql.internal           config  shop-db-1  running  172.18.0.5 on",
        "         database.internal                                       shop_backend",
        "                                             shop-db-2  running  172.18.0.5 on",
        "                                                                 shop_backend",
        "no running container subscribes",
    ]


FAR = {"host": "host-b", "source": "cluster", "as_last_known": False}


def test_an_address_of_another_host_has_its_host() -> None:
    """And says so if it is as last known."""
    record = {"address": "10.0.0.9", "names": ["db"], "container": "db-1", "network": None, "elsewhere": FAR}
    assert subscriber_text(records=[record])[1] == "  10.0.0.9  db  (db-1 of host-b)"
    kept = {**record, "network": "mesh", "elsewhere": {**FAR, "as_last_known": True}}
    assert subscriber_text(records=[kept])[1] == "  10.0.0.9  db  (db-1 of host-b on mesh, as last known)"
    (service, _) = found("db")["services"]
    (container,) = service["containers"]
    routed = container | {"addresses": {"": ["10.0.0.9"]}, "elsewhere": {**FAR, "as_last_known": True}}
    lines = status_text({**found(), "services": [service | {"containers": [routed]}]}, None).splitlines()
    (row,) = (line for line in lines if "host-b" in line)
    assert row.endswith("db of host-b, as last known  running (healthy)  10.0.0.9")


def test_the_sources_of_other_hosts_come_last() -> None:
    """Only if there are any."""
    heard = {"source": "overlay:mesh", "up": True, "since": "2026-01-02T03:04:05.678Z", "fault": None, "endpoints": 3}
    published = {"node": "host-b", "services": 12, "names": ["db", "mq"]}
    lost = {**heard, "source": "cluster", "up": False, "fault": "no server answers", "published": published}
    asked = {**dict.fromkeys(("up", "since", "fault", "endpoints", "published")), "source": "catalog:db"}
    lines = status_text({**found(), "sources": [lost, heard, asked]}, None).splitlines()
    since = local_time("2026-01-02T03:04:05.678Z")
    assert lines[-5:] == [
        "names of other hosts:",
        f"  cluster: away since {since}, addresses: 3: no server answers",
        "    this host is host-b, published services: 12  (db, mq and 10 more)",
        f"  overlay:mesh: answers since {since}, addresses: 3",
        "  catalog:db: not asked, as only a daemon does",
    ]
    assert "other hosts" not in status_text({**found(), "sources": []}, None)
