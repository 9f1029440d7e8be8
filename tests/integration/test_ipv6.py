"""IPv6 beside IPv4 and without it: families, `ip6`, the gateway to the host, and recreations in time."""

import docker
from docker.models.containers import Container

from tests.conftest import Lab, eventually, newest_only
from tests.noise import wrong_rounds

ROUNDS = 4
TEMPLATE = "@{db.ip} ip\n@{db.ip6} ip6\n@{hosted.ip} gate\n@{hosted.ip6} gate6"
CONFIGURATION = f"""\
subscribers:
  both: {{match: {{name: both}}, services: [db, hosted], hosts: {TEMPLATE!r}}}
  four: {{match: {{name: four}}, services: [db, hosted], hosts: {TEMPLATE!r}, families: [ipv4]}}
  six: {{match: {{name: six}}, services: [db, hosted], hosts: {TEMPLATE!r}, families: [ipv6]}}
  six-first: {{match: {{name: six-first}}, services: [db, hosted], hosts: {TEMPLATE!r}, families: [ipv6, ipv4]}}
""".replace("'", '"')


def dual_network(lab: Lab) -> str:
    """A network of both families: 10.124.0.0/16 and fd00:77::/64."""
    pools = [docker.types.IPAMPool(subnet=subnet) for subnet in ("10.124.0.0/16", "fd00:77::/64")]
    ipam = docker.types.IPAMConfig(pool_configs=pools)
    return str(lab.client.networks.create("dual", ipam=ipam, enable_ipv6=True).name)


def six_network(lab: Lab) -> str:
    """A network without IPv4: fd00:66::/64. Engines before 28 give it an IPv4 subnet all the same."""
    lab.engine.docker("network", "create", "--ipv6", "--ipv4=false", "--subnet=fd00:66::/64", "six")
    return "six"


def run_db(lab: Lab, network: str, four: str | None, six: str, **options: str | dict[str, dict[str, str]]) -> Container:
    """Start the database with these addresses on the network."""
    endpoint = lab.client.api.create_endpoint_config(ipv4_address=four, ipv6_address=six)
    return lab.run("db", **{"network": network, "networking_config": {network: endpoint}} | options)  # type: ignore[arg-type]


def own(container: Container, network: str, key: str) -> list[str]:
    """The container's addresses on the network, from the engine."""
    container.reload()
    return [container.attrs["NetworkSettings"]["Networks"][network][key]]


def expected(ip: list[str], six: list[str], gate: list[str], gate6: list[str], **services: list[str]) -> object:
    """The records of a subscriber with the template."""
    return {"ip": ip, "ip6": six, "gate": gate, "gate6": gate6} | services


def test_families_come_in_the_requested_order(lab: Lab) -> None:
    """`ip` is the first family, `ip6` is IPv6. The host is at the gateway, which has both families, too."""
    dual = dual_network(lab)
    run_db(lab, dual, "10.124.7.7", "fd00:77::7:7")
    lab.run("hosted", network_mode="host")
    plain = {"hostwatch.hosts": "@{plain.ip6} plain"}
    four, six = ["10.124.7.7"], ["fd00:77::7:7"]
    with lab.hostwatch("-c", lab.configured(CONFIGURATION)):
        webs = {name: lab.run(name, network=dual) for name in ("both", "four", "six", "six-first")}
        gate, gate6 = own(webs["both"], dual, "Gateway"), own(webs["both"], dual, "IPv6Gateway")
        wanted = {
            "both": expected(four, six, gate, gate6, db=four + six, hosted=gate + gate6),
            "four": expected(four, six, gate, gate6, db=four, hosted=gate),
            "six": expected(six, six, gate6, gate6, db=six, hosted=gate6),
            "six-first": expected(six, six, gate6, gate6, db=six + four, hosted=gate6 + gate),
        }
        for name, records in wanted.items():
            eventually(lambda name=name, records=records: lab.records(webs[name]) == records)  # type: ignore[misc]
        lab.run("plain", address="10.123.7.7")
        web = lab.run("web", labels=plain)
        eventually(lambda: "(plain: plain has no IPv6 address)" in lab.hosts(web))


def test_peers_follow_both_addresses_before_the_first_instruction(lab: Lab) -> None:
    """The engine writes a line for each family. Each new container reads its own new addresses in its peers' files."""
    dual = dual_network(lab)
    label = {"hostwatch.services": "db"}
    with lab.hostwatch() as hostwatch:
        peers = [lab.run(f"web-{number}", network=dual, labels=label) for number in range(2)]

        def is_right(number: int) -> bool:
            four, six = f"10.124.8.{number + 1}", f"fd00:77::8:{number + 1}"
            read = recreated(lab, peers, dual, four, six)
            return read.count(f"{four:<16}db\n{six:<40}db\n") == len(peers)

        assert wrong_rounds(ROUNDS, is_right) == [], hostwatch.log


@newest_only
def test_a_network_without_ipv4(lab: Lab) -> None:
    """`ip` and the gateway are IPv6 there. A recreation is followed in time. A request for IPv4 gets no line."""
    six = six_network(lab)
    with lab.hostwatch("-c", lab.configured(CONFIGURATION)) as hostwatch:
        lab.run("hosted", network_mode="host")
        both, four = (lab.run(name, network=six) for name in ("both", "four"))
        gate = own(both, six, "IPv6Gateway")

        def is_right(number: int) -> bool:
            address = f"fd00:66::8:{number + 1}"
            return f"{address:<40}db\n" in recreated(lab, [both], six, None, address)

        assert wrong_rounds(ROUNDS, is_right) == [], hostwatch.log
        run_db(lab, six, None, "fd00:66::7:7")
        last = ["fd00:66::7:7"]
        eventually(lambda: lab.records(both) == expected(last, last, gate, gate, db=last, hosted=gate))
        eventually(lambda: lab.records(four) == {"ip6": last, "gate6": gate})
        assert "(db: no address of the families that are asked for)" in lab.hosts(four)


def recreated(lab: Lab, peers: list[Container], network: str, four: str | None, six: str) -> str:
    """The text that a new database reads in its peers' files as its first act; it is removed again."""
    mounts = {str(lab.hosts_path(peer)): {"bind": f"/peer-{peer.name}", "mode": "ro"} for peer in peers}
    service = run_db(lab, network, four, six, command="cat /peer-*", volumes=mounts)
    service.wait(timeout=20)
    read = service.logs().decode()
    service.remove(force=True)
    return read
