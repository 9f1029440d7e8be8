"""The settings of subscribers: the hosts files that are kept, and their lines."""

from dataclasses import replace
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from hostwatch.config.notify import Notify, NotifySettings
from hostwatch.config.patterns import Patterns
from hostwatch.config.section import Section
from hostwatch.config.services import MatchSettings
from hostwatch.config.values import TEXTS, HostFile, LookupName, ResolvTemplate, Template, each_once, listed
from hostwatch.core.model import FileKind
from hostwatch.core.patterns import GIVEN_NAMES, parsed_pattern
from hostwatch.core.references import parsed_template
from hostwatch.core.resolv_template import parsed_resolv
from hostwatch.core.rules import SubscriberRule, Subscription, Writer


def _services_form(value: object) -> str:
    return "*" if value == "*" else "[]"


ServiceNames = Annotated[tuple[LookupName, ...], BeforeValidator(listed)]
Services = Annotated[
    Annotated[Literal["*"], Tag("*")] | Annotated[ServiceNames, Tag("[]")], Discriminator(_services_form), TEXTS
]
Family = Literal["ipv4", "ipv6"]
_FAMILY: dict[str, Any] = {"enum": ["ipv4", "ipv6"]}
_FAMILIES = {"anyOf": [_FAMILY, {"type": "array", "items": _FAMILY, "minItems": 1, "uniqueItems": True}]}
Families = Annotated[tuple[Family, ...], BeforeValidator(listed), AfterValidator(each_once), WithJsonSchema(_FAMILIES)]


class SubscriberSettings(Section):
    """Containers whose hosts file is kept right, or a file on the host."""

    match: MatchSettings | None = Field(
        None, description="The containers whose hosts file is kept right. Either this or `file`."
    )
    file: HostFile | None = Field(
        None,
        description="A hosts file on the host that is kept right, an absolute path. Either this or `match`.",
        examples=["/etc/hosts"],
    )
    hosts: Template = Field(
        "",
        description="The hosts template: lines of an address and names, where @{SERVICE.ATTRIBUTE} stands for the "
        "present value. Attributes: ip (or PrivateIpAddress), ip[N], ip6, PublicIp, HostIp, HostIp[PORT], mac, "
        "hostname, name. Absent: no lines.",
        examples=["@{db.ip}  db\n"],
    )
    services: Services = Field(
        default_factory=tuple,
        description='Services that get a line each, with their own names; "*" is every name in reach. Absent: none.',
    )
    publish_as: Patterns = Field(
        default_factory=tuple,
        description='With services: "*": the names that are published, as patterns of {name} (each name that * gives '
        "without this), {service} and {project} (of Compose), {network} (on which the container is reached) and "
        "{hostname} (its own). A container that lacks a part has no such name. Absent: {name}.",
        examples=["{name}.docker", ["{name}", "{name}.docker", "{service}.{project}.docker"]],
    )
    resolv: ResolvTemplate = Field(
        "",
        description="Lines for the container's /etc/resolv.conf: `nameserver @{SERVICE.ip}`, `nameserver host` (the "
        "host's own nameservers), `search` and `options` as resolv.conf(5) has them. Absent: that file is left alone.",
        examples=["nameserver @{dns.ip}\n"],
    )
    notify: Notify = Field(
        None,
        description="How the application is notified after a real change of its records; also in the form of the "
        "label, as in SIGHUP. Absent: not at all, as most programs read the file at each lookup.",
    )
    writer: Literal["auto", "path", "exec"] = Field(
        "auto",
        description="How the file is written. path: through the engine's data root, with GET requests only; exec: by "
        "`docker exec` in the container, which comes after its first instruction; auto, the default: path if the "
        "file can be seen and written, else exec.",
    )
    families: Families = Field(
        ("ipv4", "ipv6"),
        description="Address families that are published, in this order. The default is both, IPv4 first, as most "
        "programs take the first line that fits.",
    )
    scope: Literal["reachable", "any"] = Field(
        "reachable",
        description="any: publish addresses without a shared network too, and on networks that the host is not on. The "
        "default is reachable, as an address that cannot be reached is worse than none.",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "SubscriberSettings":
        if (self.match is None) == (self.file is None):
            raise ValueError(
                "say which containers are meant, as in match: {name: web-*}, or which file on the host, as in"
                " file: /etc/hosts; just one of the two"
            )
        if self.file is not None and self.writer == "exec":
            raise ValueError("a file on the host has no container: leave out `writer: exec`")
        if self.file is not None and self.resolv:
            raise ValueError("a file on the host has no container, and so no resolv.conf: leave out `resolv`")
        return self

    @field_validator("publish_as")
    @classmethod
    def _of_every_name(cls, patterns: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("services", "*") != "*":
            raise ValueError(f'this is for services: "*"; {GIVEN_NAMES}')
        return patterns

    @field_validator("notify")
    @classmethod
    def _of_one_kind(cls, notify: NotifySettings | None, info: ValidationInfo) -> NotifySettings | None:
        if notify is None or (info.data.get("match") is None) == (info.data.get("file") is None):
            return notify
        if info.data.get("match") is not None and notify.command is not None:
            raise ValueError("a command on the host is for a subscriber `file:`; in a container it is exec: [...]")
        if info.data.get("file") is not None and notify.command is None:
            raise ValueError(
                "a file on the host has no container: what is told of it is a command on the host, as in"
                " command: [systemctl, reload, dnsmasq]"
            )
        return notify

    def rule(self, key: str) -> SubscriberRule:
        """The rule of the core for these settings."""
        subscription = Subscription(
            lines=parsed_template(self.hosts)[0],
            services=() if self.services == "*" else self.services,
            everything=self.services == "*",
            publish_as=tuple(map(parsed_pattern, self.publish_as)),
            ipv4="ipv4" in self.families,
            ipv6="ipv6" in self.families,
            ipv6_first=self.families[0] == "ipv6",
            any_scope=self.scope == "any",
            writer=Writer(self.writer),
            notification=self.notify.notification() if self.notify is not None else None,
        )
        if self.file is not None:
            return SubscriberRule(key, self.file, subscription)
        resolv = replace(
            subscription, lines=parsed_resolv(self.resolv)[0], services=(), everything=False, kind=FileKind.RESOLV
        )
        match = cast("MatchSettings", self.match).match()
        return SubscriberRule(key, match, subscription, resolv if resolv.lines else None)
