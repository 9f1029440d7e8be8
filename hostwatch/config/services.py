"""The settings of services, and of the containers that an entry of the configuration means."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from hostwatch.config.catalog import CatalogSettings
from hostwatch.config.section import Section
from hostwatch.config.values import Globs, LabelKey, LabelKeys, Names, Text, ValueGlobs
from hostwatch.core.rules import Match, ServiceRule


def _label_form(value: object) -> str:
    # The tags become steps of pydantic's `loc`. These tags cannot be mistaken for a label in the file.
    return "{}" if isinstance(value, Mapping) else "[]"


LabelMatch = Annotated[
    Annotated[dict[LabelKey, ValueGlobs], Tag("{}")] | Annotated[LabelKeys, Tag("[]")],
    Discriminator(_label_form),
]


class MatchSettings(Section):
    """A condition that selects containers: every key given must match, by any one value of a list."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    name: Globs = Field(
        default_factory=tuple, description='Container name, a shell glob or a list of them, as in "shop-db-*".'
    )
    label: LabelMatch = Field(
        default_factory=tuple,
        description="Labels: a map of label to value (a glob or a list of globs; all labels must match), or a label or "
        "a list of labels of which the container must have one, with any value.",
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
        """The match of the core for these settings."""
        by_value = tuple(self.label.items()) if isinstance(self.label, dict) else ()
        keys = () if isinstance(self.label, dict) else self.label
        return Match(self.name, self.image, self.project, self.service, by_value, keys)


_OF_CONTAINERS = frozenset(("match", "network", "health", "prefer"))
"""Keys that mean nothing for the addresses of a catalog, which are on no network here and have its own checks."""


class ServiceSettings(Section):
    """A service: a name with the containers that stand behind it."""

    match: MatchSettings | None = Field(
        None, description="The containers that stand behind the service. Absent: its addresses come `from` a catalog."
    )
    source: CatalogSettings | None = Field(
        None,
        alias="from",
        description="The catalog that has its addresses, in the place of `match`. Absent: this engine's containers.",
    )
    names: Names = Field(
        default_factory=tuple,
        description="Host names it is published under, a list or a single one. Absent: the service's key.",
    )
    network: Text | None = Field(
        None,
        description="Publish only the addresses on this network: the engine's name of it, or its key in the compose "
        "file of the service's own project. Absent: those on networks that the subscriber shares.",
    )
    health: Literal["required", "ignored"] = Field(
        "ignored",
        description="required: publish a container only while it is healthy; no healthcheck counts as healthy. "
        "The default is ignored: a name of a struggling service is better than no name.",
    )

    prefer: Literal["local", "any"] = Field(
        "local",
        description="any: containers of all hosts are its replicas. The default is local: those of other hosts count "
        "only while there is none here.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> "ServiceSettings":
        if self.match is None and self.source is None:
            raise ValueError(
                '`match` is missing: say which containers are meant, as in match: {name: "db-*"}, or `from` which'
                " catalog the addresses come"
            )
        if self.source is not None and (other := self.model_fields_set & _OF_CONTAINERS):
            raise ValueError(
                f"with `from` there is no container: leave out {' and '.join(f'`{each}`' for each in sorted(other))}"
            )
        return self

    def rule(self, key: str) -> ServiceRule:
        """The rule of the core for these settings."""
        names = self.names or (key,)
        if self.match is None:
            return ServiceRule(key, Match(), names, is_from_catalog=True)
        return ServiceRule(
            key, self.match.match(), names, self.network, self.health == "required", prefers_any=self.prefer == "any"
        )
