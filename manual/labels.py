"""What is said of each label that containers may have."""

from collections.abc import Mapping
from dataclasses import dataclass

from hostwatch.core.store.selection import KNOWN_LABELS


@dataclass(frozen=True, slots=True)
class Label:
    """What is said of a label."""

    on: str
    """The containers that have it."""
    text: str
    example: str
    """A value."""
    key: str = ""
    """The key of the configuration that means the same."""


LABELS: Mapping[str, Label] = {
    "hosts": Label(
        "a subscriber",
        "Lines for its /etc/hosts: an address and names, where `@{SERVICE.ATTRIBUTE}` stands for the present value.",
        "@{db.ip} db mysql.internal",
        "subscribers.NAME.hosts",
    ),
    "services": Label(
        "a subscriber",
        "Services that get a line each, under their own names: `db, cache`, or `*` for every name in reach.",
        "db, cache",
        "subscribers.NAME.services",
    ),
    "publish_as": Label(
        "a subscriber",
        "With `hostwatch.services: *`: the names that are published, as patterns of `{name}`, `{service}`,"
        " `{project}`, `{network}` and `{hostname}`.",
        "{name}.docker, {name}",
        "subscribers.NAME.publish_as",
    ),
    "resolv": Label(
        "a subscriber",
        "Lines for its /etc/resolv.conf: `nameserver`, `search` and `options`.",
        "nameserver @{dns.ip}",
        "subscribers.NAME.resolv",
    ),
    "notify": Label(
        "a subscriber",
        "How its application is told of a real change of its lines: a signal, `restart`, or `exec:` with a command.",
        "exec: nginx -s reload",
        "subscribers.NAME.notify",
    ),
    "names": Label(
        "a service",
        "Host names that it is also published under, separated by commas or blanks; at most 64.",
        "mysql, mysql.internal",
        "services.NAME.names",
    ),
    "network": Label(
        "a service",
        "Publish only its addresses on this network: the engine's name of it, or its key in the compose file of the"
        " service's own project.",
        "backend",
        "services.NAME.network",
    ),
    "health": Label(
        "a service",
        "`required`: publish it only while it is healthy; no healthcheck counts as healthy. `ignored`, the default:"
        " publish it in any state of health.",
        "required",
        "services.NAME.health",
    ),
    "enable": Label(
        "either",
        "`false`, `0`, `no` or `off`: leave this container alone, as a service and as a subscriber. `true`, `1`, `yes`"
        " or `on`, in any case, are as good as no such label; any other value counts as `false` and is reported.",
        "false",
    ),
}


def labels() -> Mapping[str, Label]:
    """The labels in the order in which hostwatch knows them. Raises `KeyError` for one of which nothing is said."""
    return {f"hostwatch.{name}": LABELS[name] for name in KNOWN_LABELS}
