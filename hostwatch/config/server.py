"""The settings of servers that are asked by HTTP: their URLs, the certificates, and who asks."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StrictStr, model_validator

from hostwatch.config.section import Section
from hostwatch.config.values import TEXTS, AbsolutePath, SecretError, each_once, listed


def _server_url(value: str) -> str:
    if "@" in value:
        raise SecretError("a password in a URL ends in logs; write `user` and `password_file` beside it")
    try:
        parts = urlsplit(value)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        is_bare = parts.path in ("", "/") and not parts.query and not parts.fragment
    except ValueError:
        raise ValueError(_FORM) from None
    if not is_valid or not is_bare or not re.fullmatch(r"[!-~]+", value):
        raise ValueError(_FORM)
    return parts.geturl().rstrip("/")  # with its scheme in lower case


_FORM = "must be the URL of a server, without a path, as in https://10.0.0.1:2379"

ServerUrl = Annotated[StrictStr, AfterValidator(_server_url)]
ServerUrls = Annotated[tuple[ServerUrl, ...], BeforeValidator(listed), AfterValidator(each_once), TEXTS]


class TlsSettings(Section):
    """The certificates for servers `https://…`."""

    ca: AbsolutePath | None = Field(
        None,
        description="The file of the certificates (PEM) by which the server's is checked. Absent: those that the "
        "system trusts.",
        examples=["/etc/hostwatch/ca.pem"],
    )
    cert: AbsolutePath | None = Field(
        None, description="The file of hostwatch's own certificate (PEM), with `key`. Absent: it shows none."
    )
    key: AbsolutePath | None = Field(None, description="The file of the key of `cert` (PEM).")

    @model_validator(mode="after")
    def _certificate_with_key(self) -> "TlsSettings":
        if (self.cert is None) != (self.key is None):
            missing = "key" if self.key is None else "cert"
            raise ValueError(f"`cert` and `key` belong together: `{missing}` is missing")
        return self
