"""Cautions of several hosts: what is valid in `cluster` and can hardly be meant, with its place."""

from pathlib import Path

import pytest

from hostwatch.config.cautions import beside, of_machine
from hostwatch.config.faults import ConfigError
from hostwatch.core.model import Container, Network, NetworkMode
from hostwatch.core.remote import remote_container, remote_key
from hostwatch.core.resolve.unanswered import unanswered
from hostwatch.core.store.store import Store
from tests.config.test_cautions import loaded, told
from tests.core.build import ENGINE, STOPPED, UNKNOWN, box, net, on, store
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


BOTH = {"near", "far"}
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


@pytest.mark.parametrize(
    ("source", "is_told"),
    [("catalog:elastic", True), ("overlay:mesh", True), ("overlay:front", False), ("cluster", False)],
)
def test_a_source_that_is_awaited_hides_what_it_may_have_alone(tmp_path: Path, source: str, *, is_told: bool) -> None:
    """A catalog has its own service, an overlay network what its subscribers ask for."""
    assert any("did you mean 'db'" in line for line in doubts(tmp_path, box("db"), source=source)) == is_told


@pytest.mark.parametrize(("source", "found"), [("overlay:mesh", {"near"}), ("catalog:x", BOTH), ("", BOTH)])
def test_a_label_on_a_network_that_is_awaited_is_no_slip(source: str, found: set[str]) -> None:
    """Of one that is on another network it is, even if nothing runs on that one. A place may not be known yet."""
    made = store(net("mesh", driver="overlay"))
    for name, place, asked in (("near", on("front", "10.0.0.2"), "dbb"), ("far", on("mesh"), "db2")):
        made.put(box(name, place, state=STOPPED, labels={"hostwatch.services": asked}))
    made.put(box("db", on("front", "10.0.0.3")))
    if source:
        made.remotes.await_source(source, is_awaited=True)
    assert {each.container.name for each in unanswered(made, ENGINE)} == found
    if source == "overlay:mesh":
        made.put(box("near", state=UNKNOWN, mode=None, labels={"hostwatch.services": "dbb"}))
        assert [*unanswered(made, ENGINE)] == []


TELLS = """\
advertise: 192.0.2.9
services: {queue: {match: {name: q}}}
cluster:
  etcd: http://127.0.0.1:2379
  publish:
    services: [db, dbb, db.shop, mq.shop, queue]
    networks: [front, bakc, back]
"""


def published(folder: Path, text: str, *facts: Container | Network) -> list[str]:
    """What is said of what is published, beside an engine, without the file's name."""
    settings = loaded(folder, text)
    found = beside(settings, store(*facts, rules=settings.rules()), ENGINE)
    return [str(fault).removeprefix(f"{folder}/hostwatch.yaml:") for fault in found]


def test_what_is_published_exists(tmp_path: Path) -> None:
    """By the names of services, compose services and containers, and of networks in the engine and in compose."""
    facts = [net("front", "10.0.0.0/24"), net("shop_back", "10.0.1.0/24", compose="shop/back")]
    containers = [box("c", compose="shop/db"), box("q"), box("mq")]
    services = "no service and no container is called that here, so that nothing is published by this name"
    network = "the engine has no network of that name, so that nothing is published with an address on it"
    assert published(tmp_path, TELLS, *facts, *containers) == [
        f"6:20: {services}; did you mean 'db'? (got 'dbb')",
        f"6:34: {services} (got 'mq.shop')",
        f"7:23: {network}; did you mean 'back'? (got 'bakc')",
    ]


def test_nothing_is_said_before_all_is_read(tmp_path: Path) -> None:
    """Neither while aliases are not read yet, nor of networks if none is known."""
    unread = box("q", on("front", "10.0.0.2", aliases=None))
    assert published(tmp_path, TELLS, net("front"), unread) == []
    assert not any("network" in line for line in published(tmp_path, TELLS, box("q")))


@pytest.mark.parametrize(
    ("ports", "said"),
    [
        ((), "publishes no port, so"),
        (("80/tcp 0.0.0.0 8088",), "its port 80/tcp under another number, which no hosts file tells; publish it as 80"),
        (("80/tcp 127.0.0.1",), "on a loopback address, which no other host reaches"),
        (("80/tcp 0.0.0.0",), ""),
        (("80/tcp 0.0.0.0 8088", "443/tcp 192.0.2.9"), ""),
        (None, ""),
    ],
)
def test_a_port_that_others_need_is_published(tmp_path: Path, ports: tuple[str, ...] | None, said: str) -> None:
    text = "advertise: 192.0.2.9\ncluster:\n  etcd: http://127.0.0.1:2379\n"
    text += "  publish: {services: [pub], host_address: [pub]}\n"
    found = published(tmp_path, text, box("pub", ports=ports))
    assert [line.partition(" ")[0] for line in found] == (["4:45:"] if said else [])
    assert all(said in line for line in found), found
    assert published(tmp_path, text, box("pub", ports=ports, mode=NetworkMode.HOST)) == []
    assert published(tmp_path, text, box("pub", ports=ports, state=STOPPED)) == []


SECRETS = """\
cluster: {{etcd: https://10.0.0.1:2379, user: u, password_file: {0}/etcd}}
services:
  db: {{from: {{consul: https://10.0.0.1:8501, service: db, token_file: {0}/token}}}}
"""


def test_secrets_are_there_and_nobody_elses(tmp_path: Path) -> None:
    settings = loaded(tmp_path, SECRETS.format(tmp_path))
    missing = "there is no such file on this machine"
    assert [(fault.line, fault.reason.partition(";")[0]) for fault in of_machine(settings)] == [
        (1, missing),
        (3, missing),
    ]
    for name, mode in (("etcd", 0o600), ("token", 0o644)):
        (tmp_path / name).write_text("secret")
        (tmp_path / name).chmod(mode)
    (fault,) = of_machine(settings)
    assert (fault.line, "every user of this machine may read it" in fault.reason) == (3, True)


def test_what_belongs_together_is_missing_and_no_value_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, "cluster: {etcd: http://127.0.0.1:2379, user: u}\n")
    assert str(caught.value).endswith("belong together: `password_file` is missing")
