"""The settings of several hosts: the shared store, and what this host tells the others."""

import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    StrictStr,
    Tag,
    WithJsonSchema,
    model_validator,
)

from hostwatch.config.section import Defaulted, Section
from hostwatch.config.server import ServerUrls, TlsSettings
from hostwatch.config.values import (
    TEXTS,
    AbsolutePath,
    Duration,
    LookupName,
    ServiceKey,
    Text,
    duration_schema,
    each_once,
    listed,
)
from hostwatch.core.cluster.publishing import Publishing
from hostwatch.core.names import folded

_TTL_SECONDS = (3.0, 3600.0)
"""A lease is renewed three times in its time, and a renewal may take a second. Nobody waits an hour for a dead host."""
_PREFIX = re.compile(r"/(?:[A-Za-z0-9_.-]+/)+")
_LONGEST_PREFIX = 255
"""Characters. It is part of each key, and etcd takes a key of 1.5 MiB at most, with its value."""


def _prefix(value: str) -> str:
    found = value if value.endswith("/") else f"{value}/"
    if not _PREFIX.fullmatch(found) or len(found) > _LONGEST_PREFIX:
        raise ValueError("must be a path of letters, digits, `-`, `_` and `.`, as in /hostwatch/")
    return found


def _lease_time(seconds: float) -> float:
    least, most = _TTL_SECONDS
    if not least <= seconds <= most:
        raise ValueError("must be from 3s to 1h: a shorter lease is lost when the network is slow for a moment")
    return seconds


def _node(value: str) -> str:
    if len(value) > 253:
        raise ValueError("longer than 253 characters")
    return value


def _services_form(value: object) -> str:
    return "*" if value == "*" else "[]"


Prefix = Annotated[StrictStr, AfterValidator(_prefix), WithJsonSchema({"type": "string", "pattern": "^/"})]
LeaseTime = Annotated[Duration, AfterValidator(_lease_time), duration_schema(3)]
NodeName = Annotated[LookupName, AfterValidator(_node)]
ServiceKeys = Annotated[tuple[ServiceKey, ...], BeforeValidator(listed), AfterValidator(each_once)]
PublishedServices = Annotated[
    Annotated[Literal["*"], Tag("*")] | Annotated[ServiceKeys, Tag("[]")], Discriminator(_services_form), TEXTS
]
Networks = Annotated[tuple[Text, ...], BeforeValidator(listed), TEXTS]
ListedServices = Annotated[ServiceKeys, TEXTS]


class PublishSettings(Section):
    """What the other hosts are told of this one."""

    services: PublishedServices = Field(
        default_factory=tuple,
        description="The services that others may look up: keys of `services`, compose services (db, or db.shop for "
        'that of one project) or container names; "*" is all of these. Absent: none.',
        examples=["*", ["db", "queue.shop"]],
    )
    networks: Networks = Field(
        default_factory=tuple,
        description="The networks whose addresses other hosts can route to: the engine's names, or the keys in the "
        "service's compose file. Absent: none, so that only services in `host_address` have an address.",
        examples=[["backend"]],
    )
    host_address: ListedServices = Field(
        default_factory=tuple,
        description="Those of the services for which others are told this host's own address (`advertise`) instead of "
        "the containers', as their ports are published on it. Absent: none.",
        examples=[["db"]],
    )

    @model_validator(mode="after")
    def _has_addresses(self) -> "PublishSettings":
        told = {*map(folded, self.host_address)}
        if self.services != "*" and (others := [name for name in self.host_address if not self._has(name)]):
            raise ValueError(f"`host_address` has {others[0]}, which is not among `services`, so that nobody is told")
        bare = ["*"] if self.services == "*" else [name for name in self.services if folded(name) not in told]
        if bare and not self.networks:
            raise ValueError(
                f"{bare[0]} has no address for others: give `networks` that they can route to, or name the service in"
                " `host_address`"
            )
        return self

    def _has(self, name: str) -> bool:
        return folded(name) in map(folded, self.services)

    def publishing(self) -> Publishing:
        """The rule of the core for these settings."""
        everything = self.services == "*"
        services = () if self.services == "*" else self.services
        return Publishing(
            services=frozenset(map(folded, services)),
            everything=everything,
            networks=frozenset(self.networks),
            host_address=frozenset(map(folded, self.host_address)),
        )


class ClusterSettings(Section):
    """The store that several hosts share, each with a hostwatch of its own."""

    etcd: ServerUrls = Field(
        description="The URLs of the etcd servers. One is asked, and another one if it does not answer.",
        examples=[["https://10.0.0.1:2379", "https://10.0.0.2:2379"]],
    )
    prefix: Prefix = Field(
        "/hostwatch/",
        description="What all keys begin with. Hosts with the same one see each other. The default is /hostwatch/.",
    )
    node: NodeName | None = Field(
        None,
        description="This host's name for the others. It must be the only one. Absent: the name that the engine has.",
        examples=["host-a"],
    )
    publish: Defaulted[PublishSettings] = Field(
        default_factory=PublishSettings,
        description="What the other hosts are told. Absent: nothing; their services are known here all the same.",
    )
    ttl: LeaseTime = Field(
        10.0,
        description="How long the others keep the names of a host that is not heard of, from 3s to 1h. The default, "
        "10s, outlasts a restart of hostwatch.",
    )
    tls: Defaulted[TlsSettings] = Field(default_factory=TlsSettings, description="Certificates for https.")
    user: Text | None = Field(None, description="The user of etcd, with `password_file`. Absent: none.")
    password_file: AbsolutePath | None = Field(
        None,
        description="The file that holds the user's password, an absolute path. It is read at each login.",
        examples=["/etc/hostwatch/etcd.password"],
    )

    @model_validator(mode="after")
    def _belong_together(self) -> "ClusterSettings":
        if (self.user is None) != (self.password_file is None):
            missing = "user" if self.user is None else "password_file"
            raise ValueError(f"`user` and `password_file` belong together: `{missing}` is missing")
        if self.tls != TlsSettings() and not any(url.startswith("https:") for url in self.etcd):
            raise ValueError("`tls` is for servers https://…, and `etcd` has none")
        return self
