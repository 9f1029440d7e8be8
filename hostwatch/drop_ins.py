"""The drop-ins of the systemd unit, which messages name by the place where they are."""

from pathlib import Path

_PACKAGED = Path("/usr/share/doc/hostwatch/examples/hostwatch.service.d")


def drop_in(name: str) -> str:
    """The path of a drop-in on this machine if the Debian package brought it, else that in the source."""
    packaged = _PACKAGED / name
    return str(packaged) if packaged.exists() else f"config/hostwatch.service.d/{name}"
