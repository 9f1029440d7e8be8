"""Finds, reads and checks a configuration. All faults are raised in one `ConfigError`, each with its place."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from hostwatch.config import document, explain, reading
from hostwatch.config.document import Document, Problem
from hostwatch.config.faults import ConfigError, ConfigFault
from hostwatch.config.origin import Origin
from hostwatch.config.settings import Settings

DEFAULT_PATH = Path("/etc/hostwatch/hostwatch.yaml")
MAX_BYTES = 1024 * 1024


def located(explicit: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file to load: `explicit` (`-c`), else `$HOSTWATCH_CONFIG`, else the default one if it exists, else none.

    A file that the user named is not checked here. If it is missing, `load` says so.
    """
    if explicit is not None:
        return explicit
    if chosen := environ.get("HOSTWATCH_CONFIG"):
        return Path(chosen)
    try:
        os.lstat(DEFAULT_PATH)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        pass  # It may exist: `load` says why it cannot be read.
    return DEFAULT_PATH


def load(path: Path) -> Settings:
    """The settings of a file. Raises `ConfigError` with all faults, in the order of the file."""
    text = _read(path)
    content, problems = reading.parsed(text)
    settings, more = _checked(content, broken=bool(problems))
    # A value with a fault as YAML is reported once, and not again as a wrong setting.
    known = {problem.index for problem in problems}
    problems += [problem for problem in more if problem.index not in known]
    origin = Origin(path, content)
    if settings is None or problems:
        raise ConfigError(origin.faults(problems))
    return settings.read_from(origin)


def _checked(content: Document, *, broken: bool) -> tuple[Settings | None, list[Problem]]:
    match content.root:
        case None:
            return (None if broken else Settings()), []
        case document.Scalar(value=None):
            return Settings(), []
        case document.Mapping(value=value):
            try:
                return Settings.model_validate(value), []
            except ValidationError as error:
                return None, explain.problems(error, content)
        case other:
            reason = f"the configuration must be a mapping with any of the keys {', '.join(Settings.model_fields)}"
            return None, [Problem(other.index, str(other), reason)]


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError((ConfigFault(path, 1, 1, "", f"cannot be read: {reason}"),)) from None
    if len(raw) > MAX_BYTES:
        raise ConfigError((ConfigFault(path, 1, 1, "", "larger than 1 MiB; no configuration is"),))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError((_encoding_fault(path, error),)) from None


def _encoding_fault(path: Path, error: UnicodeDecodeError) -> ConfigFault:
    # `error.object` is the text after the byte order mark, which utf-8-sig removes, and the offset counts from there.
    good = bytes(error.object)[: error.start].decode("utf-8", errors="replace")
    line, column = good.count("\n") + 1, len(good) - good.rfind("\n")
    value = f"byte 0x{bytes(error.object)[error.start]:02x}"
    return ConfigFault(path, line, column, value, "not UTF-8; save the file in that encoding")
