"""Reads the files by which a catalog knows us, and we know the catalog. Each call blocks."""

import ssl
from pathlib import Path

from hostwatch.control.catalog import CatalogError, Credentials

_LIMIT = 4096
"""Bytes of a secret. A token of Consul has 36, and a longer file is another one."""


def secret(path: Path) -> str:
    """The text of a file of one line, without the line's end. Raises `CatalogError`, which holds nothing of it."""
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT + 1)
    except OSError as error:
        raise CatalogError(f"cannot read {path} ({error.strerror}); put the secret there, readable for root") from None
    text = content.decode(errors="replace").strip()
    if not text or len(content) > _LIMIT or not text.isprintable():
        raise CatalogError(f"{path} must hold a single line with the secret, and nothing else")
    return text


def tls_context(credentials: Credentials) -> ssl.SSLContext:
    """The TLS context. With a `ca` only its authorities are trusted. Raises `CatalogError`."""
    _check_readable(credentials.ca, credentials.certificate, credentials.key)
    try:
        context = ssl.create_default_context(cafile=credentials.ca)
    except ssl.SSLError as error:
        raise CatalogError(f"{credentials.ca} holds no certificate in PEM form ({error.reason or error})") from None
    if credentials.certificate is not None and credentials.key is not None:
        try:
            # Without the password OpenSSL would ask the terminal for one.
            context.load_cert_chain(credentials.certificate, credentials.key, password=lambda: "")
        except ssl.SSLError as error:
            fault = f"cannot use {credentials.certificate} with {credentials.key} ({error.reason or error})"
            raise CatalogError(f"{fault}: they must be a certificate and its own key, in PEM form") from None
    return context


def _check_readable(*paths: Path | None) -> None:
    # An `SSLContext` tells of a file that is not there, but not of which.
    for path in paths:
        try:
            if path is not None:
                path.read_bytes()
        except OSError as error:
            raise CatalogError(f"cannot read {path} ({error.strerror}); mend `tls`") from None
