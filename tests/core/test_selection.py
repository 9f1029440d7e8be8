"""The roles of a container: matches of the configuration, and labels."""

from collections.abc import Mapping

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hostwatch.core.names import name_fault
from hostwatch.core.notifications import Exec, Notification, Restart, Signal
from hostwatch.core.resolve.linger import Others, Resolved, after_linger
from hostwatch.core.resolve.outcome import Published
from hostwatch.core.resolve.parts import part_of
from hostwatch.core.rules import Match, Rules, ServiceRule, SubscriberRule, Subscription
from hostwatch.core.store.selection import MAX_LABEL_LENGTH, MAX_NAMES, LabelFault, roles
from tests.core.build import box, hosts, key, lines, on, outcomes, service, store, subscriber
from tests.effort import examples

DB = box("shop-db-1", compose="shop/db", image="mariadb:11", labels={"app": "db", "empty": ""})


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        (Match(), True),
        (Match(name=("shop-db-*",)), True),
        (Match(name=("SHOP-*",)), False),
        (Match(name=("shop-db",)), False),
        (Match(name=("x", "shop-??-[0-9]")), True),
        (Match(image=("mariadb:*",)), True),
        (Match(image=("mariadb",)), True),
        (Match(image=("mariadb:10",)), False),
        (Match(project=("shop",)), True),
        (Match(project=("x", "y")), False),
        (Match(service=("d*",)), True),
        (Match(label_values=(("app", ("d*",)),)), True),
        (Match(label_values=(("app", ("x", "db")),)), True),
        (Match(label_values=(("app", ("db",)), ("tier", ("*",)))), False),
        (Match(label_values=(("empty", ("*",)),)), True),
        (Match(label_keys=("tier", "app")), True),
        (Match(label_keys=("tier",)), False),
        (Match(name=("shop-db-*",), project=("other",)), False),
        (Match(name=("shop-db-*",), image=("mariadb:*",), label_keys=("app",)), True),
    ],
)
def test_a_match_holds_if_each_key_does(match: Match, holds: bool) -> None:
    """Every given key must match, by any one value of a list. Globs are the shell's."""
    assert match.holds(DB) is holds


def test_outside_compose_no_project_and_no_service_matches() -> None:
    """Not even `*` matches."""
    assert not Match(project=("*",)).holds(box("x"))
    assert not Match(service=("*",)).holds(box("x"))


def test_both_roles_of_one_container() -> None:
    """The configuration's entries in their order, then those of its own labels."""
    rules = Rules((service("shop"), service("other")), (subscriber("shop-1", Subscription(services=("a",))),))
    found = roles(box("shop-1", labels=hosts("@{db.ip} db", services="cache, queue", names="a b", network="n")), rules)
    assert found.services == (rules.services[0],)
    assert found.subscriptions == (
        Subscription(services=("a",)),
        Subscription(lines("@{db.ip} db"), ("cache", "queue")),
    )
    assert (found.names, found.network, found.health_required, found.faults) == (("a", "b"), "n", False, ())


@pytest.mark.parametrize("text", ["*", " * ", "db, *"])
def test_a_star_requests_every_name(text: str) -> None:
    """With any other names beside it."""
    (subscription,) = roles(box("x", labels={"hostwatch.services": text}), Rules()).subscriptions
    assert (subscription.everything, subscription.services) == (True, ())


def test_without_labels_only_the_configuration_counts() -> None:
    """With `labels: false` not even `hostwatch.enable` counts, and no fault is reported."""
    rules = Rules((service("db"),), labels=False)
    found = roles(box("db-1", labels=hosts("@{", names="a", enable="false", nonsense="x")), rules)
    assert (found.services, found.subscriptions, found.names, found.faults) == (rules.services, (), (), ())


@pytest.mark.parametrize("text", ["true", "1", "yes", " ON\n", "false", "0", "no", "Off", "x", ""])
def test_a_disabled_container_has_no_role(text: str) -> None:
    """Neither by its labels nor by the configuration. An invalid value is reported, and disables it."""
    rules = Rules((service("db"),), (subscriber("db-1", Subscription(services=("a",))),))
    found = roles(box("db-1", labels=hosts("@{db.ip} db", names="a", enable=text)), rules)
    enabled = text.strip().lower() in ("true", "1", "yes", "on")
    assert found.enabled is enabled
    assert bool(found.services) is bool(found.names) is bool(found.subscriptions) is enabled
    assert [fault.label for fault in found.faults] == (["hostwatch.enable"] if text in ("x", "") else [])


@pytest.mark.parametrize(
    ("value", "notification"),
    [
        ("SIGHUP", Signal("SIGHUP")),
        (" usr1 ", Signal("SIGUSR1")),
        ("restart", Restart()),
        ("exec: nginx -s 'a b'", Exec(("nginx", "-s", "a b"))),
        ("exec:reload", Exec(("reload",))),
    ],
)
def test_a_notification_of_each_kind(value: str, notification: Notification) -> None:
    """It counts if the container subscribes, once if label and configuration have the same."""
    labels = {"hostwatch.notify": value}
    assert roles(box("x", labels=labels), Rules()).notifications == ()
    assert roles(box("x", labels=labels | {"hostwatch.services": "a"}), Rules()).notifications == (notification,)
    subscription = Subscription(services=("a",), notification=Signal("SIGHUP"))
    rules = Rules(subscribers=(SubscriberRule("x", Match(("x",)), subscription),))
    assert roles(box("x", labels=labels), rules).notifications == tuple(dict.fromkeys([Signal("SIGHUP"), notification]))


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("Hostwatch.services", "unknown label; did you mean hostwatch.services?"),
        ("hostwatch.Services", "unknown label; did you mean hostwatch.services?"),
        ("hostwatch.host", "unknown label; did you mean hostwatch.hosts?"),
        ("hostwacth.notify", "unknown label; did you mean hostwatch.notify?"),
        ("hostwach.names", "unknown label; did you mean hostwatch.names?"),
    ],
)
def test_a_label_that_is_similar_to_one_of_ours_is_reported(label: str, told: str) -> None:
    """It differs by case or a letter, and has no effect."""
    found = roles(box("x", labels={label: "db"}), Rules())
    assert [(fault.label, fault.reason) for fault in found.faults] == [(label, told)]
    assert roles(box("x", labels={label: "db"}), Rules(labels=False)).faults == ()


def test_labels_of_others_are_ignored() -> None:
    """With any ending."""
    labels = {
        "traefik.enable": "true",
        "hosts": "x",
        "watch.names": "y",
        "hostwatcher.enable": "x",
        "com.hostwatch.hosts": "",
    }
    assert roles(box("x", labels=labels), Rules()).faults == ()


def test_a_notification_without_a_subscription_is_a_caution() -> None:
    """It has no effect. If the subscription was refused, only that is reported."""
    (fault,) = roles(box("x", labels={"hostwatch.notify": "SIGHUP"}), Rules()).faults
    assert (fault.label, fault.is_caution) == ("hostwatch.notify", True)
    assert "does nothing: this container does not subscribe" in str(fault)
    (fault,) = roles(box("x", labels={"hostwatch.notify": "SIGHUP", "hostwatch.hosts": "bad"}), Rules()).faults
    assert (fault.label, fault.is_caution) == ("hostwatch.hosts", False)


@pytest.mark.parametrize(
    ("label", "value"), [("hosts", "@{db.ip} db\n@{db} x"), ("services", "db -x"), ("names", "ok b.")]
)
def test_a_fault_says_that_the_whole_label_is_dropped(label: str, value: str) -> None:
    """The user learns why the good lines do not count."""
    (fault,) = roles(box("x", labels={f"hostwatch.{label}": value}), Rules()).faults
    assert str(fault).endswith("; because of this the whole label counts for nothing")


@pytest.mark.parametrize(
    ("label", "value", "reason"),
    [
        ("hosts", "@{db.ip} db\n@{db} x", "line 2"),
        ("hosts", "192.0.2.1 x\n" * 100_000, "longer than"),
        ("hosts", "# hostwatch: end\n" * 2000, "more than 1000 lines"),
        ("hosts", "x" * 1_000_000, "longer than"),
        ("services", "db -x", "'-x' is not the name of a service"),
        ("names", "ok localhost", "'localhost': never published"),
        ("names", "a\u202eb", "not a host name"),
        ("names", "a" * (MAX_LABEL_LENGTH + 1), "longer than"),
        ("names", " ".join(f"n{number}" for number in range(MAX_NAMES + 1)), f"more than {MAX_NAMES} names"),
        ("network", "a\nb", "not the name of a network"),
        ("network", "n" * 256, "not the name of a network"),
        ("health", "sometimes", "neither required nor ignored"),
        ("nonsense", "", "unknown label"),
        ("notify", "SIGNAL", "neither a signal"),
        ("notify", "exec:", "no command"),
        ("notify", "exec: 'open", "not a command"),
        ("notify", "exec: a\0b", "a command cannot hold a NUL"),
        ("notify", "", "neither a signal"),
    ],
)
def test_a_bad_label_is_skipped_and_the_others_count(label: str, value: str, reason: str) -> None:
    """It has one fault, in one printable line. The other labels count."""
    good = {"hostwatch.services": "a"} if label != "services" else hosts("@{a.ip} a")
    found = roles(box("x", labels=good | {f"hostwatch.{label}": value}), Rules())
    (fault,) = found.faults
    assert fault.label == f"hostwatch.{label}"
    assert reason in fault.reason
    assert fault.reason.isprintable()
    assert len(fault.reason) < 400
    assert len(found.subscriptions) == 1
    assert (found.names, found.network, found.health_required) == ((), None, False)


def test_a_bad_notification_is_reported_without_a_subscription() -> None:
    """The other label may be mistyped, too, or the configuration may be meant to subscribe."""
    found = roles(box("x", labels={"hostwatch.notify": "SIGNAL"}), Rules())
    assert [fault.label for fault in found.faults] == ["hostwatch.notify"]
    assert roles(box("x", labels={"hostwatch.notify": "SIGHUP"}), Rules()).notifications == ()


def test_many_unknown_labels_are_reported_a_few_times() -> None:
    """They must not fill the log, nor forge a line in it."""
    found = roles(box("x", labels={f"hostwatch.\n{number}": "" for number in range(100_000)}), Rules())
    assert len(found.faults) == 10
    assert found.faults[0].label == "hostwatch.\\n0"


def test_a_label_of_another_is_no_label_of_ours() -> None:
    """The prefix counts with its dot."""
    assert roles(box("x", labels={"hostwatcher.names": "a", "hostwatch": "b"}), Rules()).faults == ()


hostile = st.one_of(
    st.text(max_size=80),
    st.lists(
        st.sampled_from(
            [
                "@{db.ip}",
                "@{self.ip}",
                "@{db.hostname}",
                "db",
                "*",
                "{name}",
                "{network}",
                ".docker",
                "{",
                "self",
                ",",
                " ",
                "\n",
                "# hostwatch: end",
                "\u202e",
                "\x00",
                "\x85",
                "192.0.2.1",
                "required",
                "false",
                "front",
            ]
        ),
        max_size=12,
    ).map("".join),
)
label_names = st.sampled_from(["hosts", "services", "publish_as", "names", "network", "health", "enable", "notify"])
labels = st.dictionaries(st.one_of(label_names, st.text(max_size=8)).map("hostwatch.{}".format), hostile, max_size=4)


@settings(max_examples=examples(300), deadline=None)
@given(labels, labels, hostile)
@example({"hostwatch.services": "*", "hostwatch.publish_as": "{hostname} {name}.{network}"}, {}, "x\n127.0.0.1 evil")
@example({"hostwatch.services": "*", "hostwatch.publish_as": ".\u202e"}, {}, "x")
@example({"hostwatch.network": "a\nb"}, {"hostwatch.hosts": "@{db.hostname}"}, "x\n127.0.0.1 evil")
def test_whatever_labels_hold_nothing_but_names_comes_out(
    own: Mapping[str, str], other: Mapping[str, str], hostname: str
) -> None:
    """No label raises an error. Names are valid, and lines and reasons are one line of printable ASCII."""
    db = box("db", on("front", "10.0.0.5"), on("a\nb\u202e", "10.1.0.5"), labels=other, hostname=hostname)
    reader = {"hostwatch.hosts": "@{db.ip} db\n@{db.ip} @{db.hostname}", **own}
    web = box("web", on("front", "10.0.0.6"), labels=reader)
    far = box("far", on("far", "10.2.0.6"), labels={"hostwatch.hosts": "@{db.ip} db", "hostwatch.services": "db *"})
    made = store(db, web, far)
    for name in ("db", "web", "far"):
        for fault in made.roles(key(name)).faults:
            assert isinstance(fault, LabelFault)
            assert f"{fault.label}{fault.reason}".isprintable()
        found = outcomes(made, key(name))
        for outcome in found:
            shown = outcome.line if isinstance(outcome, Published) else f"{outcome.line} {outcome.reason}"
            assert shown.isascii()
            assert shown.isprintable()
        block = after_linger(
            Resolved((part_of(found),)), {}, 0.0, 2.0, Others(lambda _, __: frozenset(), lambda _: "")
        ).block
        assert all(name_fault(published) is None for record in block.records for published in record.names)


def test_the_owners_of_a_name_are_found_by_key_first() -> None:
    """A key belongs to its service alone. Any other name belongs to all services that publish under it."""
    a, b = ServiceRule("a", Match(), ("x", "b")), ServiceRule("b", Match(), ("x",))
    rules = Rules((a, b), (SubscriberRule("s", Match(), Subscription()),))
    assert [rules.service(name) for name in ("a", "b", "x", "y")] == [(a,), (b,), (a, b), ()]


def test_a_one_off_of_compose_stands_behind_no_service() -> None:
    """`docker compose run web` starts a container with the labels of `web`, which is no replica."""
    assert box("web", compose="shop/web").compose_service == "web"
    one_off = box("web", compose="shop/web", labels={"com.docker.compose.oneoff": "True"})
    assert one_off.compose_service is None
