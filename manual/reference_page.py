"""The pages of references in lines, and of labels: attributes, tiers, parts of patterns, keywords of a resolv.conf."""

from collections.abc import Mapping

from hostwatch.core.block.resolv import MOST_NAMESERVERS
from hostwatch.core.patterns import MOST_PATTERNS, Part
from hostwatch.core.references import MAX_LINE_LENGTH, MAX_TEMPLATE_LINES, SPELLINGS, Attribute
from hostwatch.core.resolv_template import KEYWORDS
from hostwatch.core.resolve.services import Tier
from hostwatch.core.store.selection import MAX_LABEL_LENGTH, MAX_NAMES, MAX_SERVICES, MAX_WORDS
from manual import markdown
from manual.labels import Label, labels
from manual.reasons import reasons
from manual.template import filled

ATTRIBUTES: Mapping[Attribute, tuple[str, str]] = {
    Attribute.IP: (
        "the address as this subscriber reaches it: IPv4, or IPv6 where there is no IPv4",
        "@{db.ip} db",
    ),
    Attribute.IP6: ("the IPv6 address", "@{db.ip6} db"),
    Attribute.PUBLIC_IP: (
        "the host's own address to others (`advertise`), while the service runs",
        "@{db.PublicIp} db",
    ),
    Attribute.HOST_IP: (
        "the address of the host on which the container's ports are published; `HostIp[PORT]`: that of one port",
        "@{db.HostIp[5432]} db",
    ),
    Attribute.MAC: (
        "the container's MAC address on that network; its colons make no host name, so a line with it is withheld",
        "@{db.ip} @{db.mac}",
    ),
    Attribute.HOSTNAME: ("the container's own host name", "@{db.ip} @{db.hostname}"),
    Attribute.NAME: ("the container's name", "@{db.ip} @{db.name}.internal"),
}
TIERS: Mapping[Tier, str] = {
    Tier.SELF: "the name `self`: the subscriber itself",
    Tier.CONFIG: "an entry under `services` of the configuration; it answers even while it has no container",
    Tier.COMPOSE: "a compose service of the subscriber's own project; for a file on the host `SERVICE.PROJECT`",
    Tier.CONTAINER: "a container's name, if the container is in reach",
    Tier.ALIAS: "what Docker's DNS answers on the subscriber's networks: network aliases, host names, short ids; for a"
    " file on the host those of all networks, and the compose services of all projects",
    Tier.LABEL: "a name in `hostwatch.names` of a container in reach",
    Tier.OVERLAY: "a swarm's service (`tasks.SERVICE`: its tasks), or a container, of another node on one of the"
    " subscriber's overlay networks",
    Tier.CLUSTER: "what another host publishes (`cluster`)",
}
PARTS: Mapping[Part, tuple[str, str]] = {
    Part.NAME: ("each name that `*` gives without patterns", ""),
    Part.SERVICE: ("the compose service", "containers outside Compose, and those of `docker compose run`"),
    Part.PROJECT: ("the compose project", "containers outside Compose"),
    Part.NETWORK: ("the network on which the subscriber reaches the container", "containers in the host's network"),
    Part.HOSTNAME: ("the container's own host name", "containers in the network of the host or of another container"),
}
LINES: Mapping[str, str] = {
    "nameserver": "`nameserver @{dns.ip}`: the addresses of a service; `nameserver 192.0.2.53`: a fixed one;"
    " `nameserver host`: those that the host uses now, without loopback ones",
    "search": "`search shop.internal internal`: these domains; `search host`: those of the host",
    "options": "`options ndots:2 timeout:1`: as resolv.conf(5) knows them",
}


def references() -> str:
    """The page of references."""
    return filled(
        "references.md",
        {
            "attributes": markdown.table(("attribute", "is", "as in"), map(_attribute, Attribute)),
            "tiers": markdown.table(("tier", "is"), ((f"`{tier.value}`", TIERS[tier]) for tier in Tier)),
            "limits": _limits(),
            "reasons": markdown.table(
                ("reason", "means, and what to do"),
                ((markdown.literal(each.words), each.meaning) for each in reasons()),
            ),
        },
    )


def of_labels() -> str:
    """The page of labels."""
    return filled(
        "labels.md",
        {
            "labels": markdown.table(("label", "on", "is", "as in"), (_label(*each) for each in labels().items())),
            "parts": markdown.table(("part", "stands for", "lacked by"), map(_part, Part)),
            "keywords": markdown.table(("line", "is"), ((f"`{each}`", LINES[each]) for each in KEYWORDS)),
            "limits": _label_limits(),
        },
    )


def _attribute(attribute: Attribute) -> tuple[str, str, str]:
    spellings = [f"`{spelling}`" for spelling, meant in SPELLINGS.items() if meant is attribute]
    text, example = ATTRIBUTES[attribute]
    return " or ".join(spellings), text, f"`{example}`"


def _part(part: Part) -> tuple[str, str, str]:
    return f"`{{{part.value}}}`", *PARTS[part]


def _label(name: str, label: Label) -> tuple[str, str, str, str]:
    key = f" In the configuration: [`{label.key}`](configuration.md#{label.key.replace('.', '').lower()})."
    return f"`{name}`", label.on, label.text + (key if label.key else ""), f"`{label.example}`"


def _limits() -> str:
    return markdown.paragraph(
        f"A template has at most {MAX_TEMPLATE_LINES:,} lines, and a line {MAX_LINE_LENGTH:,} characters. A"
        f" resolv.conf gets at most {MOST_NAMESERVERS} nameservers, as resolvers read no more."
    )


def _label_limits() -> str:
    return markdown.paragraph(
        f"A label of more than {MAX_LABEL_LENGTH:,} characters, a template of more than {MAX_WORDS:,} words,"
        f" `hostwatch.services` with more than {MAX_SERVICES:,} services, `hostwatch.names` with more than {MAX_NAMES}"
        f" names and `hostwatch.publish_as` with more than {MOST_PATTERNS} patterns are refused."
    )
