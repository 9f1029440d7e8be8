"""Keeps /etc/hosts right inside running containers."""

from importlib.metadata import version

__version__ = version("hostwatch")
