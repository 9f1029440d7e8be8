"""The patterns of `publish_as` in a configuration, for pydantic's models."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StrictStr, WithJsonSchema

from hostwatch.config.values import TemplateError, each_once, listed
from hostwatch.core.patterns import MOST_PATTERNS, Part, PatternError, parsed_pattern
from hostwatch.core.references import TemplateFault


def _pattern(value: str) -> str:
    try:
        parsed_pattern(value)
    except PatternError as error:
        remedy = '; several are a list, as in ["{name}", "{name}.docker"]' if "," in value else ""
        raise TemplateError((TemplateFault(0, error.column, error.value, f"{error}{remedy}"),)) from None
    return value


def _few(patterns: tuple[str, ...]) -> tuple[str, ...]:
    if len(patterns) > MOST_PATTERNS:
        raise ValueError(f"at most {MOST_PATTERNS} patterns, as each is one more name for every name in reach")
    return patterns


_LITERAL = "[A-Za-z0-9_.-]*"
_PART = rf"\{{({'|'.join(part.value for part in Part)})\}}"
_ONE = {"type": "string", "pattern": rf"^{_LITERAL}({_PART}{_LITERAL})+$"}
_SEVERAL = {"type": "array", "items": _ONE, "minItems": 1, "maxItems": MOST_PATTERNS, "uniqueItems": True}

Patterns = Annotated[
    tuple[Annotated[StrictStr, AfterValidator(_pattern)], ...],
    BeforeValidator(listed),
    AfterValidator(each_once),
    AfterValidator(_few),
    WithJsonSchema({"anyOf": [_ONE, _SEVERAL]}),
]
