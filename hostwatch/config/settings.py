"""What can be configured, with defaults that work without a file.

The descriptions are the reference: `hostwatch schema` hands them to editors. They give the unit, what absence means and
why the default is what it is. What the contract promises but is not built yet is named in `not_yet`, and refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    PrivateAttr,
    StrictBool,
    StrictInt,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from hostwatch.config.origin import Origin
from hostwatch.config.values import (
    CAPITALS,
    LOOKUP_PATTERN,
    TEXTS,
    AbsolutePath,
    CommandWords,
    DockerHost,
    Duration,
    Globs,
    HostAddress,
    HostFile,
    LabelKey,
    LabelKeys,
    LookupName,
    Names,
    ResyncDuration,
    ServiceKey,
    SignalName,
    Size,
    Template,
    Text,
    ValueGlobs,
    each_once,
    is_lookup_name,
    listed,
)
from hostwatch.core.notifications import Exec, HostCommand, Notification, Restart, Signal, notice_of_label, signal_named
from hostwatch.core.references import parsed_template
from hostwatch.core.rules import Match, Rules, ServiceRule, SubscriberRule, Subscription, Writer


class Section(BaseModel):
    """A mapping of the configuration. Unknown keys are errors, as a slip of the pen must not pass for a setting."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    not_yet: ClassVar[frozenset[str]] = frozenset()
    """Keys that the contract has and this version has not."""


def _present(value: object) -> object:
    # A section of which every line is commented out is `null` to YAML and "the defaults" to its author.
    return {} if value is None else value


@dataclass(frozen=True, slots=True)
class OrNull:
    """Tells the JSON Schema that `null` is taken, too."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """What pydantic asks of an annotation."""
        return {"anyOf": [handler(core), {"type": "null"}]}


IfPresent = BeforeValidator(_present)


class DockerSettings(Section):
    """The engine."""

    host: DockerHost | None = Field(
        None,
        description="The engine's address: unix:///PATH, tcp://HOST:PORT, http:// or https://. Absent: $DOCKER_HOST, "
        "else the current docker context, else the default socket, as the docker command does.",
        examples=["unix:///var/run/docker.sock", "tcp://192.0.2.1:2376"],
    )
    root: AbsolutePath | None = Field(
        None,
        description="The engine's data root as hostwatch sees it, an absolute path; needed where hostwatch runs in a "
        "container that has it mounted elsewhere. Absent: the path that the engine tells.",
        examples=["/var/lib/docker"],
    )


def _label_form(value: object) -> str:
    # The tags become steps of pydantic's `loc`; these cannot be taken for a label of the file.
    return "{}" if isinstance(value, Mapping) else "[]"


LabelMatch = Annotated[
    Annotated[dict[LabelKey, ValueGlobs], Tag("{}")] | Annotated[LabelKeys, Tag("[]")],
    Discriminator(_label_form),
]


class MatchSettings(Section):
    """Which containers are meant: every key given must hold; of a list, any one."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    name: Globs = Field(
        default_factory=tuple, description='Container name, a shell glob or a list of them, as in "shop-db-*".'
    )
    label: LabelMatch = Field(
        default_factory=tuple,
        description="Labels: a map of label to value (a glob or a list of globs; all labels must fit), or a label or a "
        "list of labels of which one must be there, whatever its value.",
    )
    image: Globs = Field(
        default_factory=tuple,
        description='Image, a glob or a list, as in "mariadb": by any name that Docker reads as the same, such as '
        "docker.io/library/mariadb:11. A glob without a tag means any tag.",
    )
    project: Globs = Field(default_factory=tuple, description="Compose project, a glob or a list of them.")
    service: Globs = Field(default_factory=tuple, description="Compose service, a glob or a list of them.")

    @model_validator(mode="after")
    def _not_empty(self) -> "MatchSettings":
        if not (self.name or self.label or self.image or self.project or self.service):
            raise ValueError('an empty match; to mean every container write name: "*"')
        return self

    def match(self) -> Match:
        """The same in the core's terms."""
        by_value = tuple(self.label.items()) if isinstance(self.label, dict) else ()
        keys = () if isinstance(self.label, dict) else self.label
        return Match(self.name, self.image, self.project, self.service, by_value, keys)


class ServiceSettings(Section):
    """A service: a name with the containers that stand behind it."""

    match: MatchSettings = Field(description="The containers that stand behind the service.")
    names: Names = Field(
        default_factory=tuple,
        description="Host names it is published under, a list or a single one. Absent: the service's key.",
    )
    network: Text | None = Field(
        None,
        description="Publish only the addresses on this network. Absent: those on networks that the subscriber shares.",
    )
    health: Literal["required", "ignored"] = Field(
        "ignored",
        description="required: publish a container only while it is healthy; no healthcheck counts as healthy. "
        "The default is ignored: a name that points to a struggling service beats a name that is gone.",
    )

    def rule(self, key: str) -> ServiceRule:
        """The same in the core's terms."""
        return ServiceRule(key, self.match.match(), self.names or (key,), self.network, self.health == "required")


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


class NotifySettings(Section):
    """How an application is told that its records have changed: one of these."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    signal: SignalName | None = Field(None, description="A signal to the container's first process, as in SIGHUP.")
    exec: CommandWords | None = Field(
        None, description="A command in the container, a list of words, as in [nginx, -s, reload]."
    )
    restart: Literal[True] | None = Field(None, description="true: restart the container.")
    command: CommandWords | None = Field(
        None,
        description="For a subscriber `file:` alone: a command on the host, a list of words, as in [systemctl, reload, "
        "dnsmasq]. It is run without a shell, as hostwatch's own user, and ended after ten seconds.",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> "NotifySettings":
        if len(self.model_fields_set) != 1:
            raise ValueError("must have just one of the keys signal, exec, restart, command")
        return self

    def notice(self) -> Notification:
        """The same in the core's terms."""
        if self.signal is not None:
            return signal_named(self.signal)
        if self.command is not None:
            return HostCommand(self.command)
        return Exec(self.exec) if self.exec is not None else Restart()


def _notify_form(value: object) -> object:
    """A label's form stands for the mapping that says the same."""
    if not isinstance(value, str):
        return value
    match notice_of_label(value):
        case Signal(name):
            return NotifySettings(signal=name)
        case Exec(command):
            return NotifySettings.model_validate({"exec": [*command]})
        case _:
            return NotifySettings(restart=True)


@dataclass(frozen=True, slots=True)
class OrText:
    """Tells the JSON Schema that text is taken, too."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """What pydantic asks of an annotation."""
        return {"anyOf": [{"type": "string"}, *handler(core).get("anyOf", ())]}


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
        description="The hosts template: lines of an address and names, where @{SERVICE.ATTRIBUTE} stands for what is "
        "true now. Attributes: ip (or PrivateIpAddress), ip[N], ip6, PublicIp, mac, hostname, name. Absent: no lines.",
        examples=["@{db.ip}  db\n"],
    )
    services: Services = Field(
        default_factory=tuple,
        description='Services of which each gets a line under its own names; "*" is every name in reach. Absent: none.',
    )
    notify: Annotated[NotifySettings | None, BeforeValidator(_notify_form), OrText()] = Field(
        None,
        description="How the application is told after a real change of its records; also as in the label, as in "
        "SIGHUP. Absent: not at all, as most programs read the file at each lookup.",
    )
    writer: Literal["auto", "path", "exec"] = Field(
        "auto",
        description="How the file is written. path: through the engine's data root, with GET requests only; exec: by "
        "`docker exec` in the container, which comes after its first instruction; auto, the default: path where the "
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
        return self

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
        """The same in the core's terms."""
        subscription = Subscription(
            lines=parsed_template(self.hosts)[0],
            services=() if self.services == "*" else self.services,
            everything=self.services == "*",
            ipv4="ipv4" in self.families,
            ipv6="ipv6" in self.families,
            ipv6_first=self.families[0] == "ipv6",
            any_scope=self.scope == "any",
            writer=Writer(self.writer),
            notice=self.notify.notice() if self.notify is not None else None,
        )
        if self.file is not None:
            return SubscriberRule(key, self.file, subscription)
        return SubscriberRule(key, cast("MatchSettings", self.match).match(), subscription)


class TimingSettings(Section):
    """How long things may take. Durations are seconds, or as in 500ms, 2s, 5m, 1h30m."""

    linger: Duration = Field(
        2.0,
        description="How long the last address of a vanished service is kept. The default, 2s, makes one change of a "
        "restart; 0 withdraws the address at once.",
    )
    resync: ResyncDuration = Field(
        300.0,
        description="How often everything is compared with the engine and the files, at least 1s. The default, 5m, is "
        "cheap, and only a net below the events: what they tell is done at once.",
    )
    notify_debounce: Duration = Field(
        1.0,
        description="How long a subscriber's records must have been the same before its application is told; after ten "
        "times that it is told anyway. The default, 1s, makes one notice of a service's restart.",
    )


class LogLevel(StrEnum):
    """The least level that is logged."""

    TRACE = "TRACE"
    DEBUG = "DEBUG"
    INFO = "INFO"
    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class LogFormat(StrEnum):
    """How log lines look."""

    HUMAN = "human"
    JSON = "json"


def _enum(kind: type[StrEnum]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": [member.value for member in kind]})


class LogSettings(Section):
    """The log."""

    level: Annotated[LogLevel, CAPITALS, _enum(LogLevel)] = Field(
        LogLevel.INFO,
        description="The least level that is shown. The default, INFO, is a line for each change of the world.",
    )
    format: Annotated[LogFormat, _enum(LogFormat)] = Field(
        LogFormat.HUMAN, description="human: for a terminal; json: an object per line."
    )
    file: AbsolutePath | None = Field(
        None,
        description="A file that the log goes to, an absolute path. Absent: standard error, where containers and "
        "systemd expect it.",
    )
    rotation: Size | None = Field(
        "10 MB",
        description="With `file`: the size at which a new one is begun, as in 10 MB or 512 KiB; null: never, where "
        "something else rotates it. The default fits a small disk.",
    )
    retention: Annotated[StrictInt, Field(ge=0)] | None = Field(
        5, description="With `file`: how many old files are kept; null: all."
    )


class Settings(Section):
    """The configuration of hostwatch. Without a file its defaults hold: container labels alone count."""

    model_config = ConfigDict(title="hostwatch configuration")
    not_yet: ClassVar[frozenset[str]] = frozenset({"http"})

    docker: Annotated[DockerSettings, IfPresent, OrNull()] = Field(
        default_factory=DockerSettings, description="The engine."
    )
    labels: StrictBool = Field(
        True,
        description="Whether hostwatch.* labels count. The default is true; with false, only this file does.",
    )
    services: Annotated[dict[ServiceKey, ServiceSettings], IfPresent, OrNull()] = Field(
        default_factory=dict,
        description="Services by name. Absent: compose services, containers and network aliases have theirs anyway.",
        json_schema_extra={"propertyNames": {"pattern": LOOKUP_PATTERN}},
    )
    subscribers: Annotated[dict[LookupName, SubscriberSettings], IfPresent, OrNull()] = Field(
        default_factory=dict,
        description="Containers whose hosts file is kept right, by a name of your choice. Absent: those that say so in "
        "their labels.",
        json_schema_extra={"propertyNames": {"pattern": LOOKUP_PATTERN}},
    )
    advertise: HostAddress | None = Field(
        None,
        description="The host's own address to others, which @{NAME.PublicIp} stands for. Absent: lines with PublicIp "
        "are withheld, as no host knows how others see it.",
        examples=["192.0.2.10"],
    )
    timing: Annotated[TimingSettings, IfPresent, OrNull()] = Field(
        default_factory=TimingSettings, description="How long things may take."
    )
    on_exit: Literal["keep", "remove"] = Field(
        "keep",
        description="What becomes of the blocks when the daemon ends. The default is keep: an update of hostwatch must "
        "not take anybody's names away.",
    )
    log: Annotated[LogSettings, IfPresent, OrNull()] = Field(default_factory=LogSettings, description="The log.")
    _origin: Origin = PrivateAttr(default_factory=Origin)

    @property
    def origin(self) -> Origin:
        """Where they were read."""
        return self._origin

    def read_from(self, origin: Origin) -> "Settings":
        """The same, with the place where they were read."""
        self._origin = origin
        return self

    @field_validator("services", mode="before")
    @classmethod
    def _named_by_key(cls, services: object) -> object:
        # Written out, the default is checked like any other name; a fault of it lands at the key.
        if not isinstance(services, dict):
            return services
        return {key: _with_names(key, service) for key, service in services.items()}

    def rules(self) -> Rules:
        """What is published to whom, in the core's terms."""
        return Rules(
            services=tuple(service.rule(key) for key, service in self.services.items()),
            subscribers=tuple(subscriber.rule(key) for key, subscriber in self.subscribers.items()),
            labels=self.labels,
            advertise=self.advertise,
        )

    @property
    def host_files(self) -> frozenset[Path]:
        """The files on the host that subscribe."""
        return frozenset(rule.target for rule in self.rules().subscribers if isinstance(rule.target, Path))


def _with_names(key: object, service: object) -> object:
    if isinstance(service, dict) and isinstance(key, str) and is_lookup_name(key):
        return {"names": [key]} | service
    return service


def schema() -> dict[str, object]:
    """The JSON Schema (draft 2020-12) of the configuration, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Settings.model_json_schema()
