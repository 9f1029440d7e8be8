"""The configuration as a whole, with defaults that work without a file.

The descriptions are the reference: `hostwatch schema` prints them for editors. Each gives the unit, the meaning of an
absent key and the reason for the default.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, PrivateAttr, StrictBool, field_validator

from hostwatch.config.cluster import ClusterSettings
from hostwatch.config.history import HistorySettings
from hostwatch.config.http import HttpSettings
from hostwatch.config.log import LogSettings
from hostwatch.config.origin import Origin
from hostwatch.config.places import network_place, places_of
from hostwatch.config.section import Defaulted, Section
from hostwatch.config.services import ServiceSettings
from hostwatch.config.subscribers import SubscriberSettings
from hostwatch.config.values import (
    LOOKUP_PATTERN,
    AbsolutePath,
    DockerHost,
    Duration,
    LookupName,
    OwnAddress,
    ResyncDuration,
    ServiceKey,
    is_lookup_name,
)
from hostwatch.control.catalog import Catalog
from hostwatch.core.rules import Rules, SubscriberRule


class DockerSettings(Section):
    """The engine."""

    host: DockerHost | None = Field(
        None,
        description="The engine's address: unix:///PATH, tcp://HOST:PORT, http:// or https://; --docker-host and "
        "$HOSTWATCH_DOCKER_HOST come before it. Absent: $DOCKER_HOST, else the current docker context, else the "
        "default socket, as the docker command does.",
        examples=["unix:///var/run/docker.sock", "tcp://192.0.2.1:2376"],
    )
    root: AbsolutePath | None = Field(
        None,
        description="The engine's data root as hostwatch sees it, an absolute path; needed if hostwatch runs in a "
        "container that has it mounted elsewhere. Absent: the path that the engine tells.",
        examples=["/var/lib/docker"],
    )


class TimingSettings(Section):
    """Durations, in seconds or as in 500ms, 2s, 5m, 1h30m, 30d."""

    linger: Duration = Field(
        2.0,
        description="How long the last address of a vanished service is kept. With the default, 2s, a restart is one "
        "change; 0 withdraws the address at once.",
    )
    resync: ResyncDuration = Field(
        300.0,
        description="Time between comparisons of everything with the engine and the files, at least 1s. The default, "
        "5m, costs little, and is enough because events are handled at once.",
    )
    notify_debounce: Duration = Field(
        1.0,
        description="How long a subscriber's records must have been the same before its application is notified; after "
        "ten times that it is notified anyway. With the default, 1s, a service's restart is one notification.",
    )


class Settings(Section):
    """The configuration of hostwatch. Without a file its defaults hold: container labels alone count."""

    model_config = ConfigDict(title="hostwatch configuration")

    docker: Defaulted[DockerSettings] = Field(default_factory=DockerSettings, description="The engine.")
    labels: StrictBool = Field(
        True,
        description="Whether hostwatch.* labels count. The default is true; with false, only this file does.",
    )
    services: Defaulted[dict[ServiceKey, ServiceSettings]] = Field(
        default_factory=dict,
        description="Services by name. Absent: compose services, containers and network aliases have theirs anyway.",
        json_schema_extra={"propertyNames": {"pattern": LOOKUP_PATTERN}},
    )
    subscribers: Defaulted[dict[LookupName, SubscriberSettings]] = Field(
        default_factory=dict,
        description="Containers whose hosts file is kept right, by a name of your choice. Absent: those that say so in "
        "their labels.",
        json_schema_extra={"propertyNames": {"pattern": LOOKUP_PATTERN}},
    )
    advertise: OwnAddress | None = Field(
        None,
        description="The host's own address to others, which @{NAME.PublicIp} stands for, and @{NAME.HostIp} where a "
        "port is published on all addresses. auto: the source address of the default route, of each family, followed "
        "as it changes. Absent: such lines are withheld, as others may see the host by another address.",
        examples=["auto", "192.0.2.10"],
    )
    cluster: ClusterSettings | None = Field(
        None,
        description="The other hosts, whose services are known here through a shared store. Absent: this host alone; "
        "overlay networks of a swarm need nothing here.",
    )
    timing: Defaulted[TimingSettings] = Field(default_factory=TimingSettings, description="How long things may take.")
    on_exit: Literal["keep", "remove"] = Field(
        "keep",
        description="What becomes of the blocks when the daemon ends. The default is keep: an update of hostwatch must "
        "not take anybody's names away.",
    )
    http: Defaulted[HttpSettings] = Field(
        default_factory=HttpSettings, description="Answers by HTTP: a page, metrics, health. Absent: none."
    )
    history: Defaulted[HistorySettings] = Field(
        default_factory=HistorySettings, description="What was changed when, and why. Absent: in memory alone."
    )
    log: Defaulted[LogSettings] = Field(default_factory=LogSettings, description="The log.")
    _origin: Origin = PrivateAttr(default_factory=Origin)

    @property
    def origin(self) -> Origin:
        """The file that they were read from."""
        return self._origin

    def read_from(self, origin: Origin) -> "Settings":
        """These settings, with the file that they were read from."""
        self._origin = origin
        return self

    @field_validator("services", mode="before")
    @classmethod
    def _named_by_key(cls, services: object) -> object:
        # The default is written out, so that it is checked like any other name. `explain` shows its fault at the key.
        if not isinstance(services, dict):
            return services
        return {key: _with_names(key, service) for key, service in services.items()}

    def rules(self) -> Rules:
        """The rules of the core for these settings."""
        return Rules(
            services=tuple(
                replace(service.rule(key), network_place=network_place(self._origin, key))
                for key, service in self.services.items()
            ),
            subscribers=tuple(self._subscriber_rules()),
            labels=self.labels,
            advertise=self.advertise,
        )

    def _subscriber_rules(self) -> Iterator[SubscriberRule]:
        for key, settings in self.subscribers.items():
            rule = settings.rule(key)
            hosts, *others = (
                replace(each, places=places_of(self._origin, key, settings, each)) for each in rule.subscriptions
            )
            yield replace(rule, subscription=hosts, resolv=next(iter(others), None))

    def catalogs(self) -> dict[str, Catalog]:
        """The catalog of each service that has one."""
        return {key: entry.source.catalog() for key, entry in self.services.items() if entry.source is not None}

    @property
    def host_files(self) -> frozenset[Path]:
        """The files on the host that subscribe."""
        return frozenset(settings.file for settings in self.subscribers.values() if settings.file is not None)


def _with_names(key: object, service: object) -> object:
    if isinstance(service, dict) and isinstance(key, str) and is_lookup_name(key):
        return {"names": [key]} | service
    return service


def schema() -> dict[str, object]:
    """The JSON Schema (draft 2020-12) of the configuration, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Settings.model_json_schema()
