"""A mapping of the configuration: the base of all settings."""

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

T = TypeVar("T")


class Section(BaseModel):
    """A mapping of the configuration. An unknown key is an error, because it may be a typing error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class OrType:
    """Adds another type to the JSON Schema: `null` or `string`."""

    name: str

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Called by pydantic for an annotation."""
        found = handler(core)
        other: dict[str, Any] = {"type": self.name}
        return {"anyOf": [*found["anyOf"], other] if "anyOf" in found else [found, other]}


def _present(value: object) -> object:
    # A section with all its lines commented out is `null` to YAML. Its author means the defaults.
    return {} if value is None else value


Defaulted = Annotated[T, BeforeValidator(_present), OrType("null")]
"""A section or a map of sections; `null` stands for the defaults."""
