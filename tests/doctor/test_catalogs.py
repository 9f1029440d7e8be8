"""What the doctor says of catalogs: whether they answer, and what they have."""

from collections.abc import Iterator

import pytest

from hostwatch.config.settings import Settings
from hostwatch.doctor.catalogs import catalogs
from hostwatch.doctor.finding import Finding, Level
from tests.servers import ETCDS, Etcd, etcd
from tests.servers.server import free_ports


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """An etcd that others fill."""
    with etcd(ETCDS[-1], tmp_path_factory.mktemp("etcd")) as made:
        yield made


def found(**services: dict[str, str]) -> list[Finding]:
    """The findings for services, each from its catalog."""
    asked = {key: {"from": catalog} for key, catalog in services.items()}
    return [*catalogs(Settings.model_validate({"services": asked}), None)]


def test_without_a_catalog_there_is_nothing_to_say() -> None:
    assert found() == []


def test_instances_are_counted_and_refused_ones_are_told(server: Etcd) -> None:
    """Services with the same catalog are told together."""
    server.put("/services/billing/a", "10.77.0.2:8080")
    server.put("/services/billing/b", "billing.example.org:80")
    place = {"etcd": server.urls[0], "key": "/services/billing"}
    refused, counted = found(billing=place, invoices=place)
    assert (refused.level, counted.level) == (Level.WARNING, Level.OK)
    assert refused.what.startswith("services billing, invoices: etcd ")
    assert "/services/billing/b: billing.example.org is a name" in refused.what
    assert counted.what.endswith("has instances: 1")


def test_a_catalog_that_has_nothing_is_a_warning(server: Etcd) -> None:
    (finding,) = found(search={"etcd": server.urls[0], "key": "/services/nobody"})
    assert (finding.level, finding.what.endswith("/services/nobody/ has no instance")) == (Level.WARNING, True)


@pytest.mark.parametrize("kind", ["consul", "etcd", "zookeeper"])
def test_a_catalog_that_does_not_answer_is_a_problem(kind: str) -> None:
    """With what to do."""
    place = f"127.0.0.1:{free_ports(1)[0]}"
    query = {"consul": "service", "etcd": "key", "zookeeper": "path"}[kind]
    url = place if kind == "zookeeper" else f"http://{place}"
    (finding,) = found(db={kind: url, query: "/db"})
    assert (finding.level, finding.what.startswith("services db: ")) == (Level.PROBLEM, True)
    assert place in finding.what
    assert finding.remedy
