"""The configuration: a YAML file in, settings or a list of faults out. It knows no engine and no hosts file."""

from hostwatch.config.faults import ConfigError, ConfigFault
from hostwatch.config.file import load, located
from hostwatch.config.log import LogFormat, LogLevel
from hostwatch.config.settings import Settings, schema

__all__ = ["ConfigError", "ConfigFault", "LogFormat", "LogLevel", "Settings", "load", "located", "schema"]
