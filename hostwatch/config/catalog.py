"""The settings of a service whose addresses are in a catalog that others fill (`from`)."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StrictStr, ValidationInfo, field_validator, model_validator

from hostwatch.config.section import Section
from hostwatch.config.server import ServerUrl, ServerUrls, TlsSettings
from hostwatch.config.values import TEXTS, AbsolutePath, Duration, SecretError, Text, each_once, listed
from hostwatch.control.catalog import PRODUCTS, Catalog, Credentials, Kind

_QUERY: dict[Kind, str] = {"etcd": "key", "consul": "service", "zookeeper": "path"}
_EXAMPLE: dict[Kind, str] = {
    "etcd": "key: /services/billing/",
    "consul": "service: billing",
    "zookeeper": "path: /nerve/services/billing",
}
_OWNER: dict[str, Kind] = {
    "key": "etcd",
    "service": "consul",
    "tag": "consul",
    "token_file": "consul",
    "path": "zookeeper",
}
"""The catalogs that some keys belong to."""
_ONE_OF = "say which catalog has the addresses: just one of `etcd`, `consul` and `zookeeper`"
_PORT = 2181
"""ZooKeeper's own port for clients."""


def _zookeeper_server(value: str) -> str:
    if "@" in value:
        raise SecretError("a password beside a host ends in logs; write `user` and `password_file` beside it")
    try:
        parts = urlsplit(f"//{value}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0 or parts.netloc != value or not re.fullmatch(r"[!-~]+", value):
        raise ValueError("must be HOST:PORT, without scheme and path, as in 10.0.0.5:2181; several are a list")
    return f"{f'[{host}]' if ':' in host else host}:{port or _PORT}"


def _servers(value: object) -> object:
    # ZooKeeper's own clients take several servers as one text with commas.
    return [each.strip() for each in value.split(",")] if isinstance(value, str) else listed(value)


def _path(value: str) -> str:
    steps = value.rstrip("/").split("/")
    if len(steps) < 2 or steps[0] or any(step in ("", ".", "..") for step in steps[1:]) or not value.isprintable():
        raise ValueError("must be the path of a node, as in /nerve/services/search")
    return "/".join(steps)


def _key(value: str) -> str:
    return value if value.endswith("/") else f"{value}/"


ZooKeeperServer = Annotated[StrictStr, AfterValidator(_zookeeper_server)]
ZooKeeperServers = Annotated[tuple[ZooKeeperServer, ...], BeforeValidator(_servers), AfterValidator(each_once), TEXTS]
Path = Annotated[StrictStr, AfterValidator(_path)]
Key = Annotated[Text, AfterValidator(_key)]


class CatalogSettings(Section):
    """The catalog that has a service's addresses, and what is asked of it. It is only read."""

    etcd: ServerUrls | None = Field(
        None, description="The URLs of the etcd servers.", examples=["http://10.0.0.1:2379"]
    )
    consul: ServerUrl | None = Field(None, description="The URL of a Consul agent.", examples=["http://127.0.0.1:8500"])
    zookeeper: ZooKeeperServers | None = Field(
        None,
        description="The ZooKeeper servers, HOST:PORT each: a list, or one text with commas between.",
        examples=["10.0.0.5:2181", ["10.0.0.5:2181", "10.0.0.6:2181"]],
    )
    key: Key | None = Field(
        None,
        description="With etcd: the prefix of the instances' keys. Each key below it is an instance; its value is "
        "ADDRESS:PORT, ADDRESS, or JSON with `host`.",
        examples=["/services/billing/"],
    )
    service: Text | None = Field(
        None, description="With consul: the service. Its instances that pass their checks are published."
    )
    tag: Text | None = Field(None, description="With consul: only instances with this tag. Absent: all.")
    path: Path | None = Field(
        None,
        description="With zookeeper: the node whose children are the instances, each with JSON that has `host`.",
        examples=["/nerve/services/search"],
    )
    tls: TlsSettings | None = Field(
        None, description="Certificates for https, and that ZooKeeper is asked by TLS. Absent: those of the system."
    )
    user: Text | None = Field(None, description="The user of the catalog, with `password_file`. Absent: none.")
    password_file: AbsolutePath | None = Field(
        None,
        description="The file that holds the user's password, an absolute path. It is read at each connection.",
        examples=["/etc/hostwatch/catalog.password"],
    )
    token_file: AbsolutePath | None = Field(
        None,
        description="With consul: the file that holds a token, an absolute path. It is read at each connection.",
        examples=["/etc/hostwatch/consul.token"],
    )
    grace: Duration = Field(
        60.0,
        description="How long an answer without any instance is not believed. The default, 60s, outlasts a catalog "
        "that was restarted, or has lost its data, and is filled again.",
    )

    @field_validator(*_OWNER)
    @classmethod
    def _belongs(cls, value: object, info: ValidationInfo) -> object:
        field, given = str(info.field_name), [kind for kind in PRODUCTS if info.data.get(kind) is not None]
        if given and _OWNER[field] not in given:
            kind = given[0]
            raise ValueError(f"this is for {PRODUCTS[_OWNER[field]]}; {PRODUCTS[kind]} is asked by {_EXAMPLE[kind]}")
        return value

    @field_validator("tls")
    @classmethod
    def _is_used(cls, tls: TlsSettings | None, info: ValidationInfo) -> TlsSettings | None:
        urls = (*(info.data.get("etcd") or ()), *filter(None, [info.data.get("consul")]))
        if tls is not None and urls and not any(url.startswith("https:") for url in urls):
            raise ValueError("`tls` is for servers https://…, and there is none")
        return tls

    @model_validator(mode="after")
    def _complete(self) -> "CatalogSettings":
        if [self.etcd, self.consul, self.zookeeper].count(None) != 2:
            raise ValueError(_ONE_OF)
        if getattr(self, _QUERY[self._kind]) is None:
            raise ValueError(f"say what is asked of {PRODUCTS[self._kind]}, as in {_EXAMPLE[self._kind]}")
        if (self.user is None) != (self.password_file is None):
            missing = "user" if self.user is None else "password_file"
            raise ValueError(f"`user` and `password_file` belong together: `{missing}` is missing")
        return self

    @property
    def _kind(self) -> Kind:
        return "etcd" if self.etcd is not None else "consul" if self.consul is not None else "zookeeper"

    def catalog(self) -> Catalog:
        """The catalog of the control loop for these settings."""
        tls = self.tls if self.tls is not None else TlsSettings()
        return Catalog(
            kind=self._kind,
            servers=self.etcd or self.zookeeper or ((self.consul,) if self.consul is not None else ()),
            query=self.key or self.service or self.path or "",
            tag=self.tag,
            credentials=Credentials(
                is_tls=self.tls is not None,
                ca=tls.ca,
                certificate=tls.cert,
                key=tls.key,
                user=self.user,
                password_file=self.password_file,
                token_file=self.token_file,
            ),
            grace_seconds=self.grace,
        )
