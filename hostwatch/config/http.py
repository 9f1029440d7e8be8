"""The settings of HTTP."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StrictBool,
    StrictStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from hostwatch.config.section import Section
from hostwatch.config.values import TEXTS, listed
from hostwatch.core.names import name_fault

LISTEN_FORMS = "127.0.0.1:9464, [::1]:9464 or unix:///run/hostwatch/http.sock"
_LONGEST_PATH = 90
"""Bytes of a socket's path. The kernel takes 107, of which a temporary name beside it needs some."""


def place_of(listen: str) -> Path | tuple[str, int]:
    """The path, or the IP address and port, of `http.listen`. Raises `ValueError`."""
    scheme, separator, path = listen.partition("://")
    if separator:
        return _path_of(scheme, path)
    host, _, port = listen.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else "" if ":" in host else host
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise ValueError(f"must be an IP address with a port, or a socket's path, as in {LISTEN_FORMS}") from None
    if not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 1 << 16:
        raise ValueError(f"must end in a port from 1 to 65535, as in {LISTEN_FORMS}")
    return str(address), int(port)


def _path_of(scheme: str, path: str) -> Path:
    if scheme != "unix" or not path.startswith("/") or "\0" in path or path.endswith("/"):
        raise ValueError("must be an absolute path behind unix://, as in unix:///run/hostwatch/http.sock")
    if len(path.encode()) > _LONGEST_PATH:
        raise ValueError(f"a socket's path has at most {_LONGEST_PATH} bytes")
    return Path(path)


def checked_listen(listen: str, *, allow_remote: bool) -> str:
    """The address, if it may be listened at. Raises `ValueError`."""
    place = place_of(listen)
    if isinstance(place, tuple) and not ipaddress.ip_address(place[0]).is_loopback and not allow_remote:
        raise ValueError(
            "reaches beyond this machine, and whoever connects may read all names and addresses: use 127.0.0.1, or"
            " add `allow_remote: true` to `http`, and the names of this host to `http.hosts`"
        )
    return listen


def _mode(value: str) -> str:
    if not re.fullmatch("0?[0-7]{3}", value):
        raise ValueError('must be the mode of a file in octal digits, as in "0660"')
    return value


def _host(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if (fault := name_fault(value)) is not None:
            raise ValueError(f"{fault}; the name alone belongs here, without scheme and port") from None
    return value.lower()


Mode = Annotated[StrictStr, AfterValidator(_mode), WithJsonSchema({"type": "string", "pattern": "^0?[0-7]{3}$"})]
Host = Annotated[StrictStr, AfterValidator(_host)]
Hosts = Annotated[tuple[Host, ...], BeforeValidator(listed), TEXTS]


class HttpSettings(Section):
    """The address at which the daemon answers by HTTP, besides its control socket."""

    allow_remote: StrictBool = Field(
        False,
        description="Whether `listen` may be an address that other machines reach. The default is false, as there is "
        "neither a password nor encryption.",
    )
    listen: StrictStr | None = Field(
        None,
        description="An IP address with a port, or a socket's path: unix:///PATH. Loopback is open to every user of "
        "the machine; a socket has a mode. Absent: only the control socket answers.",
        examples=["127.0.0.1:9464", "unix:///run/hostwatch/http.sock"],
    )
    mode: Mode = Field(
        "0600",
        description="The mode of a socket `unix:///PATH`, in octal digits. The default, 0600, is for root alone.",
        examples=["0660"],
    )
    hosts: Hosts = Field(
        (),
        description="With an IP address: the host names by which this host is asked, besides localhost. Absent: none; "
        "a request for another name is refused, as any web page could have its own name lead here.",
        examples=["watch.example.org"],
    )

    @field_validator("listen")
    @classmethod
    def _may_be_reached(cls, listen: str | None, info: ValidationInfo) -> str | None:
        if listen is not None:
            checked_listen(listen, allow_remote=info.data.get("allow_remote", False))
        return listen
