"""Durations as users write them."""

import math
import re

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,12})?"
_PART = re.compile(rf"({_NUMBER})(d|h|ms|m|s)", re.ASCII)
_WHOLE = re.compile(rf"(?:{_NUMBER}(?:d|h|ms|m|s))+", re.ASCII)
_SECONDS = re.compile(_NUMBER, re.ASCII)


def seconds_of(text: str) -> float | None:
    """The seconds of `90`, `500ms`, `2s`, `5m`, `1h30m` or `30d`; `None` if the text is no duration."""
    if _SECONDS.fullmatch(text):
        return float(text)
    if not _WHOLE.fullmatch(text):
        return None
    return math.fsum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
