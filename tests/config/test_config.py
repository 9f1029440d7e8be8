"""The configuration: valid files, faulty files, and the place of each fault."""

import ipaddress
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hostwatch.config.catalog import CatalogSettings
from hostwatch.config.cluster import ClusterSettings
from hostwatch.config.faults import ConfigError, ConfigFault
from hostwatch.config.file import load, located
from hostwatch.config.settings import Settings, schema
from hostwatch.control.catalog import Catalog, Credentials
from hostwatch.core.cluster.publishing import Publishing
from hostwatch.core.notifications import Exec, HostCommand, Notification, Restart, Signal
from hostwatch.core.rules import AUTO, Match, Places, Rules, ServiceRule, Writer
from tests.effort import examples

HERE = Path(__file__).parent
BAD = sorted((HERE / "bad").glob("*.yaml"))
GOOD = sorted((HERE / "good").glob("*.yaml"))
SAMPLE = HERE.parents[1] / "config" / "hostwatch.yaml"
KEYS = """docker host root labels services match name label image project service names network health subscribers hosts
publish_as writer families scope notify signal exec restart command advertise timing linger resync
resolv notify_debounce on_exit http listen allow_remote mode history keep log level format file rotation retention
cluster etcd prefix node publish networks host_address ttl tls ca cert key user password_file
prefer from consul zookeeper path tag token_file grace"""
BUILT = KEYS.split()
_EXPECT = re.compile(r"^# expect: (\d+:\d+): (.*)$", re.MULTILINE)


def faults_of(path: Path) -> tuple[ConfigFault, ...]:
    """The faults that `load` finds; none if it loads."""
    try:
        load(path)
    except ConfigError as error:
        return error.faults
    return ()


def written(folder: Path, content: str | bytes) -> Path:
    """A file with that content."""
    path = folder / "hostwatch.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad(path: Path) -> None:
    """Exactly the expected faults are found, with their places and the words that the file expects."""
    expected = _EXPECT.findall(path.read_bytes().decode(errors="replace"))
    faults = faults_of(path)
    assert expected
    assert [f"{fault.line}:{fault.column}" for fault in faults] == [place for place, _ in expected], faults
    for fault, (place, words) in zip(faults, expected, strict=True):
        assert words in str(fault)
        assert str(fault).startswith(f"{path}:{place}: ")


@pytest.mark.parametrize("path", [*GOOD, SAMPLE], ids=lambda path: path.stem)
def test_good(path: Path) -> None:
    """It loads and has rules."""
    assert isinstance(load(path).rules(), Rules)


def test_defaults_are_the_contracts() -> None:
    """Without a file: labels alone, and the values that the contract's example gives as defaults."""
    defaults = Settings()
    assert defaults.rules() == Rules()
    assert (defaults.docker.host, defaults.docker.root) == (None, None)
    timing = defaults.timing
    assert (timing.linger, timing.resync, timing.notify_debounce) == (2.0, 300.0, 1.0)
    assert (defaults.on_exit, defaults.labels, defaults.advertise) == ("keep", True, None)
    log = defaults.log
    assert (log.level, log.format, log.file, log.rotation, log.retention) == ("INFO", "human", None, "10 MB", 5)


@pytest.mark.parametrize("name", ["empty", "null_sections"])
def test_an_absent_key_is_the_default(name: str) -> None:
    """In an empty file and in empty sections."""
    loaded = load(HERE / "good" / f"{name}.yaml")
    assert loaded.rules() == Rules()
    assert (loaded.docker, loaded.timing) == (Settings().docker, Settings().timing)


def test_rules_of_the_contracts_example() -> None:
    """Every key of it that is built reaches the core."""
    rules = load(HERE / "good" / "contract.yaml").rules()
    match = Match(("shop-db-*",), ("mariadb:*",), ("shop",), ("db",), (("app", ("db",)),))
    db = ServiceRule("db", match, ("db", "mysql.internal"), "backend", health_required=True, prefers_any=True)
    catalogs = (ServiceRule(key, Match(), (key,), is_from_catalog=True) for key in ("legacy-db", "search", "billing"))
    assert rules.services == (db, *catalogs)
    web, host = rules.subscribers
    assert (web.key, web.target) == ("web", Match(label_values=(("tier", ("web",)),)))
    assert [line.text for line in web.subscription.lines] == [
        "@{db.PrivateIpAddress} db",
        "@{cache.ip} cache cache.internal",
        "192.0.2.10 legacy",
    ]
    assert (web.subscription.services, web.subscription.everything) == (("queue",), False)
    assert (web.subscription.notification, web.subscription.writer) == (Signal("SIGHUP"), Writer.AUTO)
    assert (host.key, host.target, host.subscription.everything) == ("this-host", Path("/etc/hosts"), True)
    texts = ["{name}", "{name}.docker", "{service}.{project}.docker"]
    assert [pattern.text for pattern in host.subscription.publish_as] == texts
    assert rules.advertise == AUTO


def test_cluster_of_the_contracts_example() -> None:
    """Each key of it is read; what is published reaches the core, and the rest has the contract's defaults."""
    cluster = load(HERE / "good" / "contract.yaml").cluster
    assert cluster is not None
    assert cluster.etcd == ("https://10.0.0.1:2379", "https://10.0.0.2:2379")
    assert (cluster.prefix, cluster.node, cluster.ttl) == ("/hostwatch/", "host-a", 10.0)
    assert cluster.publish.publishing() == Publishing(
        frozenset(("db", "queue")), networks=frozenset(("backend",)), host_address=frozenset(("db",))
    )
    assert cluster.tls.key == Path("/etc/hostwatch/key.pem")
    assert (cluster.user, cluster.password_file) == ("hostwatch", Path("/etc/hostwatch/etcd.password"))
    bare = ClusterSettings.model_validate({"etcd": "HTTP://10.0.0.1:2379/", "prefix": "/a/b"})
    assert (bare.etcd, bare.prefix, bare.node, bare.ttl) == (("http://10.0.0.1:2379",), "/a/b/", None, 10.0)
    assert bare.publish.publishing() == Publishing()


def test_catalogs_of_the_contracts_example() -> None:
    """Each with what is asked of it, and the contract's defaults. Several servers are a list, or text with commas."""
    token = Credentials(token_file=Path("/etc/hostwatch/consul.token"))
    assert load(HERE / "good" / "contract.yaml").catalogs() == {
        "legacy-db": Catalog("consul", ("http://127.0.0.1:8500",), "db", "primary", token, 60.0),
        "search": Catalog("zookeeper", ("10.0.0.5:2181",), "/nerve/services/search"),
        "billing": Catalog("etcd", ("http://10.0.0.1:2379",), "/services/billing/"),
    }
    several = {"zookeeper": "zk1, zk2:2182", "path": "/a/", "tls": {}, "grace": "2m"}
    tls = Credentials(is_tls=True)
    expected = Catalog("zookeeper", ("zk1:2181", "zk2:2182"), "/a", credentials=tls, grace_seconds=120.0)
    assert CatalogSettings.model_validate(several).catalog() == expected
    bare = CatalogSettings.model_validate({"etcd": ["https://a", "https://b"], "key": "/services/db"})
    assert (bare.catalog().servers, bare.catalog().query) == (("https://a", "https://b"), "/services/db/")


def test_matches_in_every_form() -> None:
    """A text is a list of one. Labels are a map, a list or a single key. Text of YAML 1.2 is text."""
    services = {rule.key: rule for rule in load(HERE / "good" / "forms.yaml").rules().services}
    assert services["list"].match == Match(name=("a", "b[0-9]", "[!]]"), label_keys=("app", "com.example.tier"))
    assert services["single"].match == Match(image=("registry.example:5000/*",), label_keys=("app",))
    assert dict(services["values"].match.label_values) == {
        "empty": ("",),
        "many": ("a", "b*"),
        "leading": ("010",),
        "time": ("1:20",),
        "date": ("2026-01-31",),
    }
    assert services["single"].names == ("one",)
    assert services["10"].names == ("ten",)
    assert services["Upper_case.dotted"].names == ("Upper_case.dotted",)


def test_subscriptions_in_every_form() -> None:
    """Families give the order, too. Anchors, aliases and merges are resolved."""
    rules = load(HERE / "good" / "forms.yaml").rules()
    wanted = {rule.key: rule.subscription for rule in rules.subscribers}
    everything, one = wanted["all"], wanted["one"]
    assert (everything.everything, everything.services, everything.any_scope) == (True, (), True)
    assert (everything.ipv4, everything.ipv6) == (False, True)
    assert (one.services, one.ipv4, one.ipv6, one.ipv6_first) == (("a",), True, True, True)
    assert [line.text for line in wanted["shared-2"].lines] == ["192.0.2.1 fixed"]
    assert wanted["shared-3"].lines == wanted["shared-1"].lines
    assert (wanted["shared-2"].ipv6, wanted["shared-1"].ipv6) == (False, True)
    notifications = {
        key: subscription.notification for key, subscription in wanted.items() if subscription.notification is not None
    }
    assert notifications == {"all": Exec(("nginx", "-s", "reload")), "one": Restart(), "shared-3": Signal("SIGUSR1")}
    assert [wanted[key].writer for key in ("all", "one", "shared-1")] == [Writer.PATH, Writer.EXEC, Writer.AUTO]
    assert (rules.labels, rules.advertise) == (False, ipaddress.ip_address("2001:db8::1"))


def test_scalars_in_every_form() -> None:
    """Durations become seconds, levels capitals, sizes stay as loguru reads them."""
    loaded = load(HERE / "good" / "forms.yaml")
    assert (loaded.timing.linger, loaded.timing.resync) == (3662.0, 90.0)
    assert (loaded.log.level, loaded.log.rotation, loaded.log.retention) == ("DEBUG", "512KiB", 0)
    assert loaded.log.file == Path("/var/log/hostwatch.log")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2s", 2), ("5m", 300), ("500ms", 0.5), ("1h30m", 5400), ("0", 0), ("1.5", 1.5), ("1e1", 10), ('"7"', 7)],
)
def test_duration(tmp_path: Path, text: str, seconds: float) -> None:
    """A duration is a number of seconds, bare or with units."""
    assert load(written(tmp_path, f"timing: {{linger: {text}}}")).timing.linger == seconds


def test_windows_line_ends_and_byte_order_mark() -> None:
    """Neither gets into a value."""
    (web,) = load(HERE / "good" / "windows.yaml").rules().subscribers
    assert [line.text for line in web.subscription.lines] == ["@{db.ip} db"]


def test_columns_do_not_count_the_byte_order_mark(tmp_path: Path) -> None:
    """Editors do not show it either."""
    (fault,) = faults_of(written(tmp_path, b"\xef\xbb\xbflabels: maybe\r\n"))
    assert (fault.line, fault.column) == (1, 9)


def test_lines_are_those_of_an_editor(tmp_path: Path) -> None:
    """U+2028 and U+0085 end a line for YAML alone."""
    (fault,) = faults_of(written(tmp_path, '# \u2028# \x85# x\nlabels: "no"\n'))
    assert (fault.line, fault.column) == (2, 9)


def test_sample_serves_the_demonstration() -> None:
    """The file of `make run` publishes `db` to containers with the label `tier: web`."""
    rules = load(SAMPLE).rules()
    assert rules.service("db") == (ServiceRule("db", Match(name=("db*",)), ("db",)),)
    (web,) = rules.subscribers
    assert web.target == Match(label_values=(("tier", ("web",)),))
    assert [line.text for line in web.subscription.lines] == ["@{db.PrivateIpAddress} db"]


def test_sample_shows_the_defaults() -> None:
    """Its comments show the defaults, of every key that has one."""
    text = SAMPLE.read_text()
    shown = re.sub(r"^( *)# ([a-z_]+: .*)$", r"\1\2", text, flags=re.MULTILINE)
    data = yaml.safe_load(shown)
    defaults = Settings()
    assert data["timing"] == {"linger": "2s", "resync": "5m", "notify_debounce": "1s"}
    assert data["log"] == defaults.log.model_dump() | {"file": "/var/log/hostwatch/hostwatch.log"}
    assert (data["labels"], data["on_exit"]) == (defaults.labels, defaults.on_exit)
    assert set(data) == set(Settings.model_fields)


@pytest.mark.parametrize(
    ("text", "notification"),
    [
        ("SIGHUP", Signal("SIGHUP")),
        ("usr1", Signal("SIGUSR1")),
        ("restart", Restart()),
        ("'exec: nginx -s \"re load\"'", Exec(("nginx", "-s", "re load"))),
        ("{signal: HUP}", Signal("SIGHUP")),
    ],
)
def test_a_notification_in_the_form_of_a_label(tmp_path: Path, text: str, notification: Notification) -> None:
    """The text means the same in both."""
    found = load(written(tmp_path, f"subscribers: {{web: {{match: {{name: web}}, notify: {text}}}}}"))
    assert found.rules().subscribers[0].subscription.notification == notification


def test_a_command_for_a_file_on_the_host(tmp_path: Path) -> None:
    """The words stay as written."""
    words = 'notify: {command: [systemctl, reload, "a b;c"]}'
    found = load(written(tmp_path, f"subscribers: {{this: {{file: /etc/hosts, services: [db], {words}}}}}"))
    (rule,) = found.rules().subscribers
    assert rule.subscription.notification == HostCommand(("systemctl", "reload", "a b;c"))
    assert str(rule.subscription.notification) == "command: systemctl reload 'a b;c'"


def test_a_missing_file_is_one_fault(tmp_path: Path) -> None:
    """The fault has the file and the reason."""
    path = tmp_path / "none.yaml"
    (fault,) = faults_of(path)
    assert str(fault) == f"{path}:1:1: cannot be read: No such file or directory"


def test_a_folder_is_one_fault(tmp_path: Path) -> None:
    """So is any other unreadable file."""
    (fault,) = faults_of(tmp_path)
    assert fault.reason == "cannot be read: Is a directory"
    (fault,) = faults_of(Path("a\0b"))
    assert "cannot be read" in fault.reason


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    """Before it is parsed. An endless device is refused, too."""
    (fault,) = faults_of(written(tmp_path, "#" * (1024 * 1024 + 1)))
    assert fault.reason == "larger than 1 MiB; no configuration is"
    assert faults_of(written(tmp_path, "#" * 1024 * 1024)) == ()
    assert faults_of(Path("/dev/zero"))[0].reason == fault.reason


@pytest.mark.slow
def test_merges_may_not_pile_up(tmp_path: Path) -> None:
    """A chain of merges has the square of its length in values. It is refused before it is built."""
    chain = "".join(f"k{n}: &k{n}\n  <<: *k{n - 1}\n  v{n}: 1\n" for n in range(1, 3000))
    assert "more than 100000 values" in faults_of(written(tmp_path, "k0: &k0 {v0: 1}\n" + chain))[0].reason


def test_each_fault_once(tmp_path: Path) -> None:
    """An alias does not repeat the faults of its anchor."""
    text = "services:\n  a: &a {match: {name: '['}, names: [a]}\n  b: *a\n"
    assert [(fault.line, fault.column) for fault in faults_of(written(tmp_path, text))] == [(2, 24)]


def test_many_faults_in_one_template(tmp_path: Path) -> None:
    """A thousand bad lines are a thousand places, found in one pass."""
    lines = "".join(f"      bad{row} line\n" for row in range(1000))
    text = "subscribers:\n  w:\n    match: {name: w}\n    hosts: |\n" + lines
    assert [fault.line for fault in faults_of(written(tmp_path, text))] == list(range(5, 1005))


def test_a_value_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    """Control characters are escaped, and long texts are cut."""
    (fault,) = faults_of(written(tmp_path, 'on_exit: "\\e[31m' + "x" * 5000 + '"\n'))
    assert fault.value.startswith("'\\x1b[31mxxx")
    assert len(str(fault)) < 400


def test_error_says_all() -> None:
    """The exception's text has a line for each fault."""
    error = ConfigError((ConfigFault(Path("f"), 1, 2, "'x'", "bad"), ConfigFault(Path("f"), 3, 4, "", "worse")))
    assert str(error) == "f:1:2: bad (got 'x')\nf:3:4: worse"


def test_located(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-c`, else the environment, else the default file if it is there, else none."""
    default = tmp_path / "default.yaml"
    monkeypatch.setattr("hostwatch.config.file.DEFAULT_PATH", default)
    environ = {"HOSTWATCH_CONFIG": "/env.yaml"}
    assert located(Path("/c.yaml"), environ) == Path("/c.yaml")
    assert located(None, environ) == Path("/env.yaml")
    assert located(None, {}) is None
    assert located(None, {"HOSTWATCH_CONFIG": ""}) is None
    default.touch()
    assert located(None, {}) == default
    default.unlink()
    default.symlink_to("/nowhere")
    assert located(None, {}) == default, "a dangling link is a mistake to report, not an absence"


def keys_of(part: Any) -> set[str]:
    """Every property name of a JSON Schema."""
    if isinstance(part, list):
        return {key for item in part for key in keys_of(item)}
    if not isinstance(part, dict):
        return set()
    own = set(part.get("properties", {}))
    return own | {key for item in part.values() for key in keys_of(item)}


def test_schema_offers_what_is_built() -> None:
    """All keys of the contract's example but those that are not built; each described."""
    text = json.dumps(schema())
    assert keys_of(json.loads(text)) == set(BUILT)
    assert schema_of("SubscriberSettings")["properties"]["writer"]["enum"] == ["auto", "path", "exec"]


def schema_of(section: str) -> dict[str, Any]:
    """The definition of one section."""
    definitions = json.loads(json.dumps(schema()))["$defs"]
    found: dict[str, Any] = definitions[section]
    return found


def test_schema_is_one() -> None:
    """It names its draft, describes itself and every key, refuses unknown keys, and its references lead somewhere."""
    whole = json.loads(json.dumps(schema()))
    assert whole["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert whole["title"]
    assert whole["description"]
    sections = [whole, *whole["$defs"].values()]
    for section in sections:
        assert section["additionalProperties"] is False
        for key, value in section["properties"].items():
            assert value["description"], key
    for name in re.findall(r'"#/\$defs/(\w+)"', json.dumps(whole)):
        assert name in whole["$defs"]


def assert_faults_are_inside(content: bytes) -> None:
    """A file of any content loads, or has faults with places in it, in order."""
    with tempfile.TemporaryDirectory() as folder:
        faults = faults_of(written(Path(folder), content))
    places = [(fault.line, fault.column) for fault in faults]
    lines = content.decode(errors="replace").split("\n")
    assert places == sorted(places)
    for line, column in places:
        assert 1 <= line <= len(lines)
        assert 1 <= column <= len(lines[line - 1]) + 1
    for fault in faults:
        assert str(fault).encode()
        assert "\n" not in str(fault)


MARKS = r"""db [key] self true 1:20 ~ << * @{db.ip} [ ] { } - | > & ! # : ' " \ \x41 &a *a !!int !!set %YAML --- ..."""
WORDS = st.sampled_from([*BUILT, "http", *MARKS.split(), "\n", "\t", "\r", "\x85", "\u2028", "\ud800", "\U0001f600"])
LEAVES = st.one_of(WORDS, st.text(max_size=8), st.none(), st.booleans(), st.integers(), st.floats())
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=20
)


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
@settings(max_examples=examples(300), deadline=None)
def test_any_bytes(content: bytes) -> None:
    """No bytes raise another exception."""
    assert_faults_are_inside(content)


@given(st.lists(WORDS, max_size=30), st.sampled_from(["", " ", "\n", ": ", ":\n  "]))
@settings(max_examples=examples(500), deadline=None)
def test_any_words(words: list[str], between: str) -> None:
    """No words of YAML or hostwatch do."""
    assert_faults_are_inside(between.join(words).encode(errors="surrogatepass"))


@given(TREES, st.booleans())
@settings(max_examples=examples(500), deadline=None)
def test_any_tree(tree: object, flow: bool) -> None:
    """No well-formed YAML does, with known keys in wrong places."""
    text = yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True)
    assert_faults_are_inside(text.encode(errors="surrogatepass"))


@given(st.sampled_from([*BAD, *GOOD, SAMPLE]), st.data())
@settings(max_examples=examples(300), deadline=None)
def test_any_slip(path: Path, data: st.DataObject) -> None:
    """No configuration does with a piece cut out, doubled or replaced."""
    content = path.read_bytes()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 40)))
    piece = data.draw(st.sampled_from([b"", content[start:end] * 2]) | WORDS.map(lambda w: w.encode(errors="replace")))
    assert_faults_are_inside(content[:start] + piece + content[end:])


@given(st.lists(st.sampled_from(["192.0.2.1 a", "@{db.ip} b", "", "# x", "192.0.2.1  bad!", "  nothing", "x y"])))
@settings(max_examples=examples(200), deadline=None)
def test_places_inside_templates(rows: list[str]) -> None:
    """In every YAML form of a template, a fault has the place of the word."""
    for style in ("|", ">", '"', "'", None):
        data = {"subscribers": {"w": {"match": {"name": "w"}, "hosts": "\n".join(rows)}}}
        dumped = yaml.dump(data, default_style=style, width=40)
        with tempfile.TemporaryDirectory() as folder:
            faults = faults_of(written(Path(folder), dumped))
        lines = dumped.split("\n")
        for fault in faults:
            word = fault.value.strip("'")
            assert lines[fault.line - 1][fault.column - 1 :].startswith(word), (dumped, fault)


PLACED = """\
subscribers:
  web:
    match: {name: web}
    hosts: |
      # the database
      @{db.ip}  db

        @{x.ip} x   # another
    services: [queue,
       mail]
  folded:
    match: {name: web}
    hosts: "@{db.ip} a\\n
      @{x.ip} b"
    services: queue
  all: {match: {name: web}, services: "*"}
  made:
    match: {name: web}
    publish_as: ["{name}",
      "{name}.docker"]
    services: "*"
  none: {match: {name: web}}
"""


def test_each_request_knows_its_place(tmp_path: Path) -> None:
    """The line of the very template line, or of the entry of `services`."""
    rules = load(written(tmp_path, PLACED)).rules()
    places = {rule.key: rule.subscription.places for rule in rules.subscribers}
    name = "hostwatch.yaml"
    assert places == {
        "web": Places((f"{name}:6", f"{name}:8"), (f"{name}:9", f"{name}:10")),
        "folded": Places((f"{name}:13", f"{name}:14"), (f"{name}:15",)),
        "all": Places((), (f"{name}:16",)),
        "made": Places((), (f"{name}:21",), (f"{name}:19", f"{name}:20")),
        "none": Places((), ()),
    }
