"""The proposed configuration, from a store with what runs: what it says, and that it is valid however it is taken."""

import re
from pathlib import Path

import pytest

from hostwatch.config import cautions
from hostwatch.config.file import load
from hostwatch.config.settings import Settings
from hostwatch.core.model import Container, Health, Network, NetworkMode
from hostwatch.proposal.groups import MOST
from hostwatch.proposal.text import WIDTH, Place, configuration
from tests.core.build import box, hosts, net, on, store
from tests.proposal import each_taken, taken

PAGE = Path(__file__).parents[2] / "docs/reference/commands.md"
HERE = Place("28.5.2", "unix:///var/run/docker.sock")
NEEDS = {"com.docker.compose.depends_on": "db:service_started:false,gone:service_healthy:true"}
NETWORKS = net("bridge", "172.17.0.0/16"), net("shop_default", "172.18.0.0/16"), net("front", "172.19.0.0/16")
SHOP_DB = box("shop-db-1", on("shop_default", "172.18.0.2", aliases=("db",)), compose="shop/db", health=Health.HEALTHY)
SHOP_WEB = box("shop-web-1", on("shop_default", "172.18.0.3", aliases=("web",)), compose="shop/web", labels=NEEDS)
COMPOSE = """\
services:
  # --- Compose project shop
  #shop-db:
  #  match: {project: shop, service: db}  # shop-db-1: 172.18.0.2 on shop_default
  #  health: required  # its name goes while its healthcheck fails; without this line it stays
  #shop-web:
  #  match: {project: shop, service: web}  # shop-web-1: 172.18.0.3 on shop_default
subscribers:
  # --- Compose project shop
  #shop-web:
  #  match: {project: shop, service: web}  # shop-web-1
  #  services: [db]
  #  # shop-web-1:/etc/hosts would have now:
  #  #   172.18.0.2      db
  # --- The hosts file of this machine
  #this-host:
  #  file: /etc/hosts  # of this machine, for programs that run on it
  #  services: '*'  # every container, Compose service and alias
  #  publish_as: ['{name}.docker']  # so that no name of yours is hidden; without this line: "{name}"
  #  # /etc/hosts would have now:
  #  #   172.18.0.2      db.docker db.shop.docker shop-db-1.docker
  #  #   172.18.0.2      shop-db.docker
  #  #   172.18.0.3      shop-web-1.docker web.docker web.shop.docker
  #  #   172.18.0.3      shop-web.docker
"""


def proposed(*facts: Container | Network) -> str:
    """The proposal for these."""
    return configuration(store(*NETWORKS, *facts), HERE)


def entries(text: str) -> str:
    """The text without its head, blank lines and the words at the beginning of a section."""
    return "".join(f"{line}\n" for line in text.splitlines() if not re.match(r"$|#|  # [^ -]", line))


def read(text: str, directory: Path) -> Settings:
    """The settings of a configuration, which must be valid, without a warning."""
    file = directory / "hostwatch.yaml"
    file.write_text(text)
    settings = load(file)
    assert [*cautions.of_file(settings), *cautions.without_engine(settings)] == [], text
    return settings


def test_a_compose_project_is_proposed_by_what_depends_on_what() -> None:
    """Each entry says which containers it means now, and which lines a file would have."""
    text = proposed(SHOP_DB, SHOP_WEB)
    assert entries(text) == COMPOSE
    shown = re.search(r"```yaml\n(services:.*?)```", PAGE.read_text(), re.DOTALL)
    assert shown is not None
    assert {*shown[1].splitlines()} <= {*text.splitlines()}
    assert "proposed by `hostwatch init` for what runs here: 2 containers, engine 28.5.2" in text


def test_containers_of_a_network_ask_for_each_other() -> None:
    """On the default network nobody else tells names. Neighbours of Compose projects can be asked for as well."""
    on_both = box("shop-db-1", on("front", "172.19.0.9", aliases=("db",)), compose="shop/db")
    near, far = box("near", on("front", "172.19.0.2")), box("far", on("bridge", "172.17.0.2"))
    text = proposed(on_both, near, far, box("joiner", join="far"), box("loner", on("back", "172.20.0.2")))
    for line in (
        "  #on-front:\n  #  match: {name: [near]}\n  #  services: [near, db]\n",
        "  #  #   172.19.0.9      db\n",
        "  # --- The default network, bridge\n  # Docker's DNS knows no names on this network.\n",
        "  #on-the-default-network:\n  #  match: {name: [far, joiner]}\n  #  services: [far, joiner]\n",
        "  #joiner:\n  #  match: {name: joiner}  # in another container's network\n",
    ):
        assert line in text
    assert "on-back" not in text


def test_a_swarm_service_is_found_by_its_label() -> None:
    """A task's name changes with each task."""
    labels = {"com.docker.swarm.service.name": "web_db", "com.docker.stack.namespace": "web"}
    text = proposed(box("web_db.1.x7", on("web_default", "10.0.1.5", aliases=("db",)), labels=labels))
    assert "# --- Stack web of the swarm" in text
    assert "  #web_db:\n  #  match: {label: {com.docker.swarm.service.name: web_db}}  # web_db.1.x7: 10.0.1.5" in text


def test_it_does_nothing_until_an_entry_is_taken(tmp_path: Path) -> None:
    """As it is written it is the same as none. Each entry alone and all together are valid."""
    text = proposed(
        SHOP_DB,
        SHOP_WEB,
        box("a", on("bridge", "172.17.0.2"), labels=hosts("@{b.ip} b")),
        box("b", on("bridge", "172.17.0.3")),
        box("yes", on("front", "172.19.0.3")),
        box("123", on("front", "172.19.0.4")),
        box("of-host", mode=NetworkMode.HOST),
    )
    assert read(text, tmp_path) == Settings()
    assert "# Subscribers already, by labels or the present configuration: a.\n" in text
    singles = [read(single, tmp_path) for single in each_taken(text)]
    assert {len(one.services) + len(one.subscribers) for one in singles} == {1}
    everything = read(taken(text), tmp_path)
    assert [*everything.services] == ["shop-db", "shop-web", "yes", "a", "b", "of-host"]  # 123 is no host's name
    assert [*everything.subscribers] == ["shop-web", "on-front", "on-the-default-network", "this-host"]
    assert max(map(len, text.splitlines())) <= WIDTH


def test_nothing_runs() -> None:
    """Then it says so, and has the file of the host alone."""
    text = proposed()
    assert "what runs here: 0 containers, engine 28.5.2" in text
    assert "Nothing runs here that could be proposed" in text
    assert "  #this-host:\n" in text


def test_no_service_takes_a_name_away() -> None:
    """A container outside of Compose that is called like a Compose service gets no entry of that name."""
    text = proposed(SHOP_WEB, box("web", on("bridge", "172.17.0.2")))
    assert "  # web is left out: another container has this name, too, and would lose it.\n" in text
    assert "  #web:\n" not in text


def test_what_has_no_role_is_not_proposed() -> None:
    """That is a stopped container, one that is left alone, one that has no network, and what `compose run` made."""
    text = proposed(
        box("alone", on("bridge", "172.17.0.2"), labels={"hostwatch.enable": "false"}),
        box("none"),
        box("once", compose="shop/web", labels={"com.docker.compose.oneoff": "True"}),
    )
    assert "  #this-host:\n" in text.partition("subscribers:\n")[2]
    assert not any(f"{name}:" in text for name in ("alone", "none", "once"))


@pytest.mark.parametrize("value", ["a\n  #b: [", "*", "x: {y", "#", "a" * 300, "ä", "[!a]*", "\x1b[2J", "- ", "null"])
def test_hostile_labels_break_nothing(value: str, tmp_path: Path) -> None:
    """Anybody who starts a container writes its labels."""
    labels = {
        "com.docker.compose.depends_on": value,
        "com.docker.compose.project.config_files": value,
        "com.docker.stack.namespace": value,
    }
    text = proposed(
        box("x", on("bridge", "172.17.0.2"), labels=labels, compose=f"{value.replace('/', '')}/{value}"),
        box("y", on("bridge", "172.17.0.3"), labels=labels, compose="y/y"),
        box("z", on("bridge", "172.17.0.4"), labels=labels | {"com.docker.swarm.service.name": value}),
        box("s", on("bridge", "172.17.0.5"), labels=labels | {"com.docker.swarm.service.name": "s"}),
    )
    assert text.isprintable() or text.replace("\n", "").isprintable()
    assert read(text, tmp_path) == Settings()
    settings = read(taken(text), tmp_path)
    assert {"y-y", "s"} <= settings.services.keys()
    assert "b" not in settings.services


@pytest.mark.slow
def test_a_crowd_is_shown_in_part(tmp_path: Path) -> None:
    """A file of thousands of entries helps nobody. Long lists become every name, or are broken."""
    places = (f"172.17.{number // 250}.{number % 250 + 2}" for number in range(MOST + 7))
    text = proposed(*(box(f"web-{number}", on("bridge", address)) for number, address in enumerate(places)))
    assert '# 7 more containers are left out here; a glob such as `name: "web-*"` means many at once.\n' in text
    assert "  #  services: '*'  # every name in reach\n" in text
    assert len(read(taken(text), tmp_path).services) == MOST
    assert max(map(len, text.splitlines())) <= WIDTH
