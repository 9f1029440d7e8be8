"""Cautions: valid entries that are probably mistakes, with their words and places."""

from pathlib import Path

import pytest

from hostwatch.config.cautions import beside, of_file, without_engine
from hostwatch.config.file import load
from hostwatch.config.settings import Settings
from hostwatch.core.model import EngineId, NetworkMode
from hostwatch.core.resolve.hiding import hidings
from hostwatch.core.resolve.unanswered import unanswered
from hostwatch.core.store.store import Store
from tests.core.build import ENGINE, box, on


def loaded(folder: Path, text: str) -> Settings:
    """The settings of a file with this text."""
    path = folder / "hostwatch.yaml"
    path.write_text(text)
    return load(path)


def told(folder: Path, text: str) -> list[str]:
    """The cautions of the file alone, without the file's name."""
    settings = loaded(folder, text)
    return [
        str(fault).removeprefix(f"{folder}/hostwatch.yaml:")
        for fault in (*of_file(settings), *without_engine(settings))
    ]


@pytest.mark.parametrize(
    "match",
    [
        "name: '^db-[0-9]+$'",
        "name: '.*'",
        "name: '(a|b)'",
        "name: 'db-.*'",
        "name: ['db-*', 'db-\\d']",
        "name: /db",
        "image: 'mariadb:.*'",
        "image: '^mariadb'",
        "project: 'shop|blog'",
        "service: 'db.+x'",
        "label: {tier: '^web$'}",
        "label: {tier: ['web', '(web|app)']}",
        "label: {tier: '.*'}",
    ],
)
def test_a_regular_expression_is_no_glob(tmp_path: Path, match: str) -> None:
    """The place is that of the glob."""
    text = f"services:\n  db:\n    match:\n      {match}\n"
    (line,) = told(tmp_path, text)
    assert "looks like a regular expression" in line
    place, _, got = line.partition(" ")[0], *line.rpartition("(got ")[1:]
    row, column = map(int, place.split(":")[:2])
    quoted = text.splitlines()[row - 1][column - 1 :]
    assert quoted.strip("'\"[]{} ").startswith(got[1:-2].replace("\\\\", "\\")), (quoted, got)


@pytest.mark.parametrize(
    "match",
    [
        "name: '*'",
        "name: 'db-[0-9]*'",
        "name: '[!a-c]?.web_*'",
        "name: 'web.*'",
        "name: '*.*'",
        "name: '[]^$]x'",
        "image: 'registry.example:5000/team/mariadb:*'",
        "image: 'mariadb@sha256:*'",
        "label: {rule: 'Host(`a`) || Path(`/b`)', price: '5$ a piece', path: 'C:\\Windows'}",
        "label: [a.b, '^x$']",
    ],
)
def test_a_glob_is_none(tmp_path: Path, match: str) -> None:
    """A label's value may have any text, so it is no regular expression either."""
    assert told(tmp_path, f"services:\n  db:\n    match:\n      {match}\n") == []


def test_names_that_two_services_have(tmp_path: Path) -> None:
    """In any case of letters. A key keeps its name, even if other services list it."""
    match = "match: {name: x}"
    text = f"services:\n  x: {{{match}}}\n  X: {{{match}}}\n  a: {{{match}, names: [one, Two]}}\n"
    text += f"  b: {{{match}, names: [three, two]}}\n  c: {{{match}, names: [a, c]}}\n"
    case = "(host names are one whatever their case), so that it stands for neither"
    assert told(tmp_path, text) == [
        f"3:3: the service 'x' has this name, as 'x' {case} (got 'X')",
        f"5:40: the service 'a' has this name, as 'Two' {case} (got 'two')",
    ]


def test_patterns_without_engine(tmp_path: Path) -> None:
    """Below a domain of the internet, or without a part that tells containers apart."""
    patterns = '["{name}.docker", "{name}.Com", "{name}.de", "{name}.example.com", "x-{project}.d", "{service}.lan"]'
    text = f'subscribers:\n  this-host:\n    file: /etc/hosts\n    services: "*"\n    publish_as: {patterns}\n'
    public = "is a domain of the internet, so that a container takes the name of a host there, as with --name github;"
    remedy = "for names of one's own there are .internal, .test and .docker"
    alike = "this makes one name of all containers of a network or project, which stands for none of them unless they"
    assert told(tmp_path, text) == [
        f"5:35: `.com` {public} {remedy} (got '{{name}}.Com')",
        f"5:49: `.de` {public} {remedy} (got '{{name}}.de')",
        f"5:84: {alike} are replicas; {{name}}, {{service}} and {{hostname}} tell them apart (got 'x-{{project}}.d')",
    ]


def test_a_reference_that_is_similar_to_a_service(tmp_path: Path) -> None:
    """In a template and in a list. A name that is similar to none is no caution, as a container may have it."""
    text = """\
services:
  db: {match: {name: db}, names: [database, db]}
subscribers:
  web:
    match: {name: web}
    hosts: |
      @{db.ip}       db   # not @{bd.ip}
      @{bd.ip}       bd
      @@{bd.ip}.x    no
      @{cache.ip}    cache
      @{bd.ip}       again
      @{self.ip}     me
    services: [DB, databse, web1]
"""
    text = text.replace("      @@{bd.ip}.x    no\n", "")
    assert told(tmp_path, text) == [
        "8:7: no service is called that here; did you mean 'db'? (got 'bd')",
        "12:20: no service is called that here; did you mean 'database'? (got 'databse')",
    ]


ENTRIES = """\
services:
  db: {match: {name: db}}
  idle: {match: {name: nobody}}
subscribers:
  web:
    match: {name: web}
    hosts: |
      @{db.ip} db
      @{cahce.ip} cache
      @{gone.ip} gone
    services: [cache]
  none:
    match: {name: nothing}
  this-host: {file: /etc/hosts, services: "*"}
"""


def test_cautions_that_need_containers(tmp_path: Path) -> None:
    """Entries that match none, and names that nothing has. A stopped container counts."""
    settings = loaded(tmp_path, ENTRIES)
    store = Store(settings.rules())
    for container in (box("db"), box("web"), box("cache")):
        store.put(container)
    found = [str(fault).removeprefix(f"{tmp_path}/hostwatch.yaml:") for fault in beside(settings, store, ENGINE)]
    assert found == [
        "3:10: services.idle: there is no container that this matches",
        "9:7: nothing has this name; did you mean 'cache'? (got 'cahce')",
        "10:7: nothing has this name (got 'gone')",
        "13:5: subscribers.none: there is no container that this matches",
    ]
    assert [str(fault) for fault in of_file(settings)] == []


def test_names_in_labels_that_are_similar_to_an_existing_one(tmp_path: Path) -> None:
    """A name that is similar to none may still come. Its line is withheld meanwhile."""
    settings = loaded(tmp_path, ENTRIES)
    store = Store(settings.rules())
    store.put(box("db"))
    store.put(box("app", labels={"hostwatch.hosts": "@{bd.ip} db\n@{db.ip} x\n@{far.ip} y", "hostwatch.services": "d"}))
    found = [(each.container.name, each.name, each.near) for each in unanswered(store, ENGINE)]
    assert found == [("app", "bd", "db"), ("app", "d", "db")]


def test_the_host_s_own_address_that_is_not_set(tmp_path: Path) -> None:
    """Once for each template, at the reference, with what to write."""
    web = "subscribers:\n  web:\n    match: {name: web}\n    hosts: |\n"
    lines = "      @{db.ip} db  # @{db.PublicIp}\n      @{db.PublicIp} out\n      @{db.PublicIp} more\n"
    remedy = "`advertise` is not set, so that this line is withheld; write `advertise: auto` or an address"
    assert told(tmp_path, web + lines) == [f"6:7: {remedy} (got '@{{db.PublicIp}}')"]
    assert told(tmp_path, f"{web}{lines}advertise: auto\n") == []
    assert told(tmp_path, f"{web}      @{{db.HostIp}} db\n") == []


RESOLV = """\
subscribers:
  web:
    match: {name: web*}
    resolv: |
      options rotate
      nameserver @{dns.ip}
  all:
    match: {name: all}
    services: "*"
    resolv: nameserver 192.0.2.1
  own:
    match: {name: own}
    resolv: |
      nameserver 127.0.0.11
      nameserver 192.0.2.1
"""
HIDES = "is asked before Docker's own DNS (127.0.0.11), so that names of containers are found only if it knows them"


def test_a_nameserver_above_dockers_own_is_a_caution(tmp_path: Path) -> None:
    """Without an engine it is told of one's own networks; every name in the hosts file is the way out."""
    assert told(tmp_path, RESOLV) == [
        (
            f"6:7: on a network of one's own this nameserver {HIDES};"
            " `services` with \"*\" puts these names into the hosts file (got 'nameserver @{dns.ip}')"
        )
    ]


def test_nameservers_that_hide_names_from_containers(tmp_path: Path) -> None:
    """On networks of one's own, by the configuration or a label; once for each place that asks."""
    store, label = Store(loaded(tmp_path, RESOLV).rules()), {"hostwatch.resolv": "nameserver host"}
    for container in (
        *(box(name, on("front", "10.0.0.2")) for name in ("web-1", "web-2", "all", "own")),
        box("app", on("front", "10.0.0.3"), on("bridge", "172.17.0.3"), labels=label),
        box("default", on("bridge", "172.17.0.2"), labels=label),
        box("of-host", on("host"), mode=NetworkMode.HOST, labels=label),
        box("alone", on("front", "10.0.0.9"), labels=label | {"hostwatch.services": "*"}),
        box("elsewhere", on("front", "10.0.0.2"), labels=label, engine=EngineId("other")),
    ):
        store.put(container)
    assert sorted(map(str, hidings(store, ENGINE))) == [
        f"hostwatch.yaml:6: in web-1 and 1 more this nameserver {HIDES}",
        f"label hostwatch.resolv of app: in app this nameserver {HIDES}",
    ]


def test_lines_of_a_resolv_conf_that_never_count(tmp_path: Path) -> None:
    """One nameserver too many, and a search that a later one overrides."""
    lines = [f"nameserver 192.0.2.{number}" for number in range(1, 5)] + ["search a.example", "search b.example"]
    template = "".join(f"      {line}\n" for line in lines)
    found = told(
        tmp_path, f'subscribers:\n  web:\n    match: {{name: web}}\n    services: "*"\n    resolv: |\n{template}'
    )
    assert found == [
        (
            "9:7: only the first 3 nameservers count, so this one does only while others are withheld"
            " (got 'nameserver 192.0.2.4')"
        ),
        "10:7: a later line `search` is asked for, and the last one counts (got 'search a.example')",
    ]


def test_a_name_in_a_resolv_conf_is_looked_for(tmp_path: Path) -> None:
    """By the configuration, at its place, and by a label; the configuration's is not told as the label's."""
    text = RESOLV.partition("  all:")[0].replace("dns", "dsn")
    settings = loaded(tmp_path, text)
    store = Store(settings.rules())
    for container in (box("dns"), box("web"), box("app", labels={"hostwatch.resolv": "nameserver @{dnss.ip}"})):
        store.put(container)
    found = [str(fault).removeprefix(f"{tmp_path}/hostwatch.yaml:") for fault in beside(settings, store, ENGINE)]
    assert found == ["6:18: nothing has this name; did you mean 'dns'? (got 'dsn')"]
    assert [(each.container.name, each.near) for each in unanswered(store, ENGINE)] == [("app", "dns")]


def test_services_with_the_hosts_address_need_one(tmp_path: Path) -> None:
    """Nobody is told of them without `advertise`."""
    text = "cluster:\n  etcd: http://a:2379\n  publish:\n    services: [db]\n    host_address: [db]\n"
    remedy = "`advertise` is not set, so that no other host is told of these; write `advertise: auto` or an address"
    assert told(tmp_path, text) == [f"5:5: {remedy}"]
    assert told(tmp_path, f"{text}advertise: auto\n") == []
    assert told(tmp_path, text.replace("host_address: [db]", "networks: [n]")) == []
