"""Cautions of several hosts: what is valid in `cluster` and can hardly be meant, with its place."""

from pathlib import Path

import pytest

from hostwatch.config.cautions import beside
from hostwatch.core.model import Container
from hostwatch.core.remote import remote_container, remote_key
from hostwatch.core.store.store import Store
from tests.config.test_cautions import loaded, told
from tests.core.build import ENGINE, box, on
from tests.core.test_remotes import elsewhere

LOGIN = "cluster:\n  etcd: [URL]\n  user: hostwatch\n  password_file: /etc/hostwatch/etcd.password\n"


@pytest.mark.parametrize(
    ("url", "is_told"),
    [
        ("http://10.0.0.1:2379", True),
        ("http://etcd.internal:2379", True),
        ("https://10.0.0.1:2379", False),
        ("http://127.0.0.1:2379", False),
        ("http://localhost:2379", False),
    ],
)
def test_a_password_does_not_go_over_a_network_in_the_clear(tmp_path: Path, url: str, *, is_told: bool) -> None:
    found = told(tmp_path, LOGIN.replace("URL", url))
    assert [line.partition(":")[0] for line in found] == (["2"] if is_told else [])
    assert all("unencrypted" in line and url in line for line in found)


def test_without_a_password_nothing_is_said_of_http(tmp_path: Path) -> None:
    assert told(tmp_path, "cluster: {etcd: http://10.0.0.1:2379}\n") == []


CATALOG = "services:\n  db:\n    from: {{{catalog}, {secret}}}\n"
TOKEN, LOGIN_OF_ETCD = "token_file: /etc/token", "user: u, password_file: /etc/password"


@pytest.mark.parametrize(
    ("catalog", "secret", "is_told"),
    [
        ("consul: http://10.0.0.1:8500, service: db", TOKEN, True),
        ("consul: http://127.0.0.1:8500, service: db", TOKEN, False),
        ("consul: https://10.0.0.1:8501, service: db", TOKEN, False),
        ("etcd: http://10.0.0.1:2379, key: /db", LOGIN_OF_ETCD, True),
        ("consul: http://10.0.0.1:8500, service: db", "tag: primary", False),
    ],
)
def test_nor_do_a_catalogs_secrets(tmp_path: Path, catalog: str, secret: str, *, is_told: bool) -> None:
    found = told(tmp_path, CATALOG.format(catalog=catalog, secret=secret))
    assert [line.partition(":")[0] for line in found] == (["3"] if is_told else [])


@pytest.mark.parametrize(("cluster", "is_told"), [("", True), ("cluster: {etcd: http://127.0.0.1:2379}\n", False)])
def test_replicas_of_all_hosts_need_other_hosts(tmp_path: Path, cluster: str, *, is_told: bool) -> None:
    found = told(tmp_path, f"services: {{db: {{match: {{name: db}}, prefer: any}}}}\n{cluster}")
    assert len(found) == is_told
    assert all(line.startswith("1:44: without `cluster` no other host's containers are known") for line in found), found


PUBLISHED = "services: {queue: {match: {name: q}}}\ncluster:\n  etcd: http://127.0.0.1:2379\n  publish:\n"


@pytest.mark.parametrize(("services", "is_told"), [("[db, queeu]", True), ("[db, queue]", False), ('"*"', False)])
def test_a_published_name_may_be_a_slip(tmp_path: Path, services: str, *, is_told: bool) -> None:
    found = told(tmp_path, f"{PUBLISHED}    networks: [n]\n    services: {services}\n")
    assert len(found) == is_told
    assert all(line.startswith("6:20: no service is called that here; did you mean 'queue'?") for line in found), found


ASKS = "subscribers:\n  web: {match: {name: web}, services: [db, dbb]}\nservices: {mq: {match: {name: mq}}}\n"


def doubts(folder: Path, *containers: Container, source: str = "", named: str = "") -> list[str]:
    """What is said beside an engine, while a source is awaited, and another host has a name."""
    settings = loaded(folder, ASKS)
    made = Store(settings.rules())
    for container in (box("web", on("front", "10.0.0.2")), *containers):
        made.put(container)
    if source:
        made.remotes.await_source(source, is_awaited=not named)
    if named:
        endpoint = elsewhere(named, "10.9.0.9")
        place = remote_key(ENGINE, "cluster", named)
        made.put_remote(place, remote_container(place, endpoint))
    return [str(fault) for fault in beside(settings, made, ENGINE)]


def test_a_name_that_another_host_may_have_is_no_slip(tmp_path: Path) -> None:
    """Until they are heard nothing is said; then what they have counts."""
    own = box("db", on("front", "10.0.0.3"))
    slip, idle = doubts(tmp_path, own)
    assert ("did you mean 'db'" in slip, "services.mq: there is no container" in idle) == (True, True)
    assert doubts(tmp_path, own, source="cluster") == []
    assert doubts(tmp_path, own, source="cluster", named="dbb") == []
