"""The drop-ins of the systemd unit, which messages name by the place where they are.

The daemon's modules look for them when a message is made, so that its start reads nothing.
"""

from pathlib import Path

_PACKAGED = Path("/usr/share/doc/hostwatch/examples/hostwatch.service.d")


def drop_in(name: str) -> str:
    """The path of a drop-in on this machine if the Debian package brought it, else that in the source."""
    packaged = _PACKAGED / name
    return str(packaged) if packaged.exists() else f"config/hostwatch.service.d/{name}"


def opening(name: str) -> str:
    """What opens the sandbox of the unit, and that of the container, for a remedy: both have this name."""
    return f"{drop_in(f'{name}.conf')} for the unit, or config/compose.{name}.yaml for the container"
