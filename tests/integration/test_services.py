"""A service's published addresses, and the owner of a name: health, networks, `advertise`, claims."""

from docker.models.containers import Container

from tests.conftest import Lab, eventually, make_network, newest_only

pytestmark = newest_only

AT_ONCE = "timing: {linger: 0}\n"
HEALTH = {"test": ["CMD", "test", "-e", "/well"], "interval": 200_000_000, "timeout": 10**9, "retries": 1}
DATA = {"com.docker.compose.project": "shop", "com.docker.compose.network": "data"}
COMPOSE = {"com.docker.compose.project": "shop", "com.docker.compose.service": "db"}


def withheld(lab: Lab, container: Container) -> dict[str, str]:
    """The withheld names in the container's block, each with the reason."""
    lines = [line.removesuffix(")") for line in lab.block(container) if line.startswith("# withheld: ")]
    return {line.partition("  (")[0].split()[-1]: line.partition("  (")[2] for line in lines}


def test_a_service_that_must_be_healthy_is_published_only_while_it_is(lab: Lab) -> None:
    """The configuration or a label requires it. A container without a healthcheck counts as healthy."""
    configuration = AT_ONCE + "services: {db: {match: {name: [sick, plain, slow]}, health: required}}"
    slow = HEALTH | {"interval": 3600 * 10**9}
    required = {"hostwatch.health": "required"}
    with lab.hostwatch("-c", lab.configured(configuration)) as hostwatch:
        web = lab.run("web", labels={"hostwatch.services": "db, sick, slow, labelled"})
        lab.run("slow", address="10.123.7.1", healthcheck=slow, labels=required)
        mine = required | {"hostwatch.hosts": "@{self.ip} me"}
        sick = lab.run("sick", address="10.123.7.2", healthcheck=HEALTH, labels=mine)
        lab.run("labelled", address="10.123.7.3", labels=required)
        alone = {"labelled": ["10.123.7.3"]}
        eventually(lambda: lab.records(web) == alone and "is unhealthy" in withheld(lab, web)["sick"])
        assert withheld(lab, web).keys() == {"db", "sick", "slow"}
        assert withheld(lab, web)["slow"] == "slow: slow is starting"
        lab.run("plain", address="10.123.7.4")
        eventually(lambda: lab.records(web) == alone | {"db": ["10.123.7.4"]})
        for _ in range(2):
            sick.exec_run(["touch", "/well"])
            both = {"db": ["10.123.7.2", "10.123.7.4"], "sick": ["10.123.7.2"]}
            eventually(lambda both=both: {n: sorted(a) for n, a in lab.records(web).items()} == alone | both)  # type: ignore[misc]
            sick.exec_run(["rm", "/well"])
            eventually(lambda: lab.records(web) == alone | {"db": ["10.123.7.4"]})
        assert lab.records(sick) == {"me": ["10.123.7.2"]}
    assert "10.123.7.1" not in hostwatch.log


def test_a_container_that_is_left_alone_has_no_role(lab: Lab) -> None:
    """`hostwatch.enable: false` wins over the configuration, in both roles. With `labels: false` it has no effect."""
    off = {"hostwatch.enable": "false", "hostwatch.names": "mysql"}
    lab.run("db", address="10.123.7.7", labels=off)
    shy = lab.run("shy", labels={"hostwatch.enable": "FALSE"})
    web = lab.run("web")
    bare = lab.hosts(shy)
    configuration = """\
services: {data: {match: {name: db}}}
subscribers: {all: {match: {name: [web, shy]}, services: [data, db, mysql]}}
"""
    lab.command("sync", "-c", lab.configured(configuration))
    assert lab.records(web) == {}
    assert withheld(lab, web).keys() == {"data", "db", "mysql"}
    assert lab.hosts(shy) == bare
    lab.command("sync", "-c", lab.configured(configuration + "labels: false\n"))
    for container in (web, shy):
        assert lab.records(container) == {"data": ["10.123.7.7"], "db": ["10.123.7.7"]}


def test_a_service_may_publish_one_network_alone(lab: Lab) -> None:
    """A label or the configuration names it as the engine or the Compose file does. No other network counts."""
    back = make_network(lab.client, "back", "10.124.0.0/16")
    shop = make_network(lab.client, "shop_data", "10.125.0.0/16", labels=DATA)
    networks = {
        "by-label": {"hostwatch.network": "front"},
        "compose-label": COMPOSE | {"hostwatch.network": "data"},
        "wins": {"hostwatch.network": "back"},
        "by-rule": {},
        "compose-rule": COMPOSE,
        "elsewhere": {"hostwatch.network": "nowhere"},
        "stranger": {"hostwatch.network": "data"},
    }
    for number, (name, labels) in enumerate(networks.items(), 1):
        container = lab.create(name, address=f"10.123.7.{number}", labels=labels)
        back.connect(container, ipv4_address=f"10.124.7.{number}")
        shop.connect(container, ipv4_address=f"10.125.7.{number}")
        container.start()
    web = lab.create("web")
    back.connect(web)
    shop.connect(web)
    web.start()
    configuration = f"""\
services:
  wins: {{match: {{name: wins}}, network: shop_data}}
  by-rule: {{match: {{name: by-rule}}, network: front}}
  compose-rule: {{match: {{name: compose-rule}}, network: data}}
subscribers: {{web: {{match: {{name: web}}, services: [{", ".join(networks)}]}}}}
"""
    lab.command("sync", "-c", lab.configured(configuration))
    assert lab.records(web) == {
        "by-label": ["10.123.7.1"],
        "compose-label": ["10.125.7.2"],
        "wins": ["10.125.7.3"],
        "by-rule": ["10.123.7.4"],
        "compose-rule": ["10.125.7.5"],
    }
    assert withheld(lab, web) == {
        "elsewhere": "elsewhere: elsewhere is not on network nowhere",
        "stranger": "stranger: stranger is not on network data",
    }


def test_the_hosts_own_address_comes_from_the_configuration(lab: Lab) -> None:
    """`PublicIp` is `advertise` while the service runs. Without `advertise` the line is withheld."""
    db = lab.run("db", address="10.123.7.7")
    web = lab.run("web", labels={"hostwatch.hosts": "@{db.PublicIp} db.example\n@{db.ip} db"})
    lab.command("sync")
    assert lab.records(web) == {"db": ["10.123.7.7"]}
    assert withheld(lab, web) == {
        "db.example": "PublicIp: `advertise` is not set in the configuration; write `advertise: auto` or an address"
    }
    for address in ("192.0.2.10", "2001:db8::10"):
        lab.command("sync", "-c", lab.configured(f"advertise: '{address}'"))
        assert lab.records(web) == {"db.example": [address], "db": ["10.123.7.7"]}
    db.kill()
    lab.command("sync", "-c", lab.configured("advertise: 192.0.2.10"))
    assert withheld(lab, web)["db.example"] == "db: no running container"


def test_a_name_that_two_services_of_the_configuration_claim_is_neithers(lab: Lab) -> None:
    """This holds even if one does not run, as the names are in the configuration. Each keeps its own names."""
    lab.run("one", address="10.123.7.1")
    two = lab.run("two", address="10.123.7.2")
    web = lab.run("web", labels={"hostwatch.services": "one, two, both", "hostwatch.hosts": "@{both.ip} alias"})
    one = "one: {match: {name: one}, names: [one, both]}"
    lab.command("sync", "-c", lab.configured(f"services: {{{one}, two: {{match: {{name: two}}, names: [two, both]}}}}"))
    assert lab.records(web) == {"one": ["10.123.7.1"], "two": ["10.123.7.2"]}
    claimed = "both: claimed by the services one and two of the configuration"
    assert withheld(lab, web) == {"both": claimed, "alias": claimed}
    two.remove(force=True)
    lab.command("sync", "-c", lab.configured(f"services: {{{one}}}"))
    assert lab.records(web) == {name: ["10.123.7.1"] for name in ("one", "both", "alias")}


def test_an_alias_of_two_networks_is_neithers_until_one_goes(lab: Lab) -> None:
    """Two containers with an alias on one network are replicas of a service. On two networks they are two services."""
    back = make_network(lab.client, "back", "10.124.0.0/16")

    def run_on(name: str, network: str, address: str) -> Container:
        endpoint = lab.client.api.create_endpoint_config(aliases=["db"], ipv4_address=address)
        return lab.run(name, network=network, networking_config={network: endpoint})

    with lab.hostwatch("-c", lab.configured(AT_ONCE)):
        web = lab.create("web", labels={"hostwatch.services": "db"})
        back.connect(web)
        web.start()
        run_on("one", "front", "10.123.7.1")
        run_on("two", "front", "10.123.7.2")
        replicas = {"db": ["10.123.7.1", "10.123.7.2"]}
        eventually(lambda: lab.records(web) == replicas)
        stranger = run_on("stranger", "back", "10.124.7.9")
        eventually(lambda: withheld(lab, web) == {"db": "db: claimed by one and stranger and two"})
        assert lab.records(web) == {}
        stranger.remove(force=True)
        eventually(lambda: lab.records(web) == replicas)


def test_the_first_tier_that_answers_wins(lab: Lab) -> None:
    """Configuration, own project, container's name, alias, label: each answers when the one before is gone."""
    endpoint = lab.client.api.create_endpoint_config(aliases=["db"], ipv4_address="10.123.7.4")
    tiers = [
        lab.run("shop-database-1", address="10.123.7.2", labels=COMPOSE),
        lab.run("db", address="10.123.7.3"),
        lab.run("aliased", networking_config={"front": endpoint}),
        lab.run("labelled", address="10.123.7.5", labels={"hostwatch.names": "db"}),
    ]
    lab.run("configured", address="10.123.7.1")
    lab.run("blog-db-1", address="10.123.7.9", labels=COMPOSE | {"com.docker.compose.project": "blog"})
    labels = {"hostwatch.hosts": "@{db.ip} database", "com.docker.compose.project": "shop"}
    web = lab.run("web", labels=labels)
    lab.command("sync", "-c", lab.configured("services: {db: {match: {name: configured}}}"))
    assert lab.records(web) == {"database": ["10.123.7.1"]}
    with lab.hostwatch("-c", lab.configured(AT_ONCE)):
        for number, container in enumerate(tiers, 2):
            eventually(lambda number=number: lab.records(web) == {"database": [f"10.123.7.{number}"]})  # type: ignore[misc]
            container.remove(force=True)
        eventually(lambda: withheld(lab, web) == {"database": "db: no running container"})


def test_a_containers_name_may_be_part_of_a_name(lab: Lab) -> None:
    """Its name and its host name work, also the default one. A MAC address does not, and its line says so."""
    lab.run("db", address="10.123.7.7", hostname="mysql", mac_address="02:42:00:00:00:07")
    cache = lab.run("cache", address="10.123.7.8")
    lines = [
        "@{db.PrivateIpAddress} @{db.name}.name @{db.hostname}.hostname",
        "192.0.2.1 host-@{cache.hostname}",
        "192.0.2.2 @{self.name}.@{self.hostname}",
        "@{db.ip} mac-@{db.mac}",
        "@{db.ip} @{db.MacAddress}",
    ]
    web = lab.run("web", hostname="www", labels={"hostwatch.hosts": "\n".join(lines)})
    lab.command("sync")
    assert lab.records(web) == {
        "db.name": ["10.123.7.7"],
        "mysql.hostname": ["10.123.7.7"],
        f"host-{cache.short_id}": ["192.0.2.1"],
        "web.www": ["192.0.2.2"],
    }
    assert withheld(lab, web) == {
        "mac-@{db.mac}": "mac-02:42:00:00:00:07: not a host name",
        "@{db.MacAddress}": "02:42:00:00:00:07: not a host name",
    }


def test_an_operator_may_request_every_name_in_reach(lab: Lab) -> None:
    """The configuration has `services: "*"` and writes by path alone. A container out of reach has no line."""
    make_network(lab.client, "back", "10.124.0.0/16")
    lab.run("db", address="10.123.7.7", labels={"hostwatch.names": "mysql"})
    lab.run("far", network="back")
    web = lab.run("web", address="10.123.7.9", hostname="web")
    lab.command("sync", "-c", lab.configured('subscribers: {w: {match: {name: web}, services: "*", writer: path}}'))
    assert lab.records(web) == {"db": ["10.123.7.7"], "mysql": ["10.123.7.7"]}
