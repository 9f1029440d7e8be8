"""TLS to the store: trusted authorities, our own certificate, and a remedy for each failure.

The files are read again when they have changed, as a daemon outlives certificates.
"""

import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from hostwatch.control.key_values import StoreAddress
from hostwatch.etcd.failures import ServerError
from hostwatch.openssl import NO_TLS, NOT_SIGNED, OTHER_NAME, OUT_OF_DATE, alert

_REFUSAL_SECONDS = 1.0
"""A server that refuses our certificate says so at once; one that does not says nothing."""


class Tls:
    """The TLS context for all servers of a store."""

    def __init__(self, address: StoreAddress) -> None:
        self._ca, self._certificate, self._key = address.ca, address.certificate, address.key
        self._is_used = any(each.startswith("https:") for each in address.endpoints)
        self._stamp: object = None
        self._context: ssl.SSLContext | None = None
        self._renewing = anyio.Lock()

    @property
    def certificate(self) -> Path | None:
        """Our own certificate's file."""
        return self._certificate

    async def context(self) -> ssl.SSLContext | None:
        """The context by the files as they were at the last renewal; `None`: no server is asked by TLS."""
        if self._is_used and self._context is None:
            await self.renew()
        return self._context

    async def renew(self) -> None:
        """Read the files if they have changed. Raises `ServerError`."""
        if self._is_used:
            async with self._renewing:
                await anyio.to_thread.run_sync(self._renew)

    def _renew(self) -> None:
        stamp = tuple(_stamp(path) for path in (self._ca, self._certificate, self._key))
        if self._context is None or stamp != self._stamp:
            self._context = self._made()
            self._stamp = stamp

    def _made(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Each certificate of the file is trusted, no matter which authority signed it, as in Go.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if self._ca is None:
            context.load_default_certs()
        else:
            _check_readable(self._ca, "tls.ca")
            try:
                context.load_verify_locations(self._ca)
            except ssl.SSLError as error:
                raise ServerError(f"tls.ca: {self._ca} holds no certificate in PEM form ({error.reason})") from error
        if self._certificate is not None and self._key is not None:
            _check_readable(self._certificate, "tls.cert")
            _check_readable(self._key, "tls.key")
            try:
                # Without this OpenSSL would ask the terminal for a password.
                context.load_cert_chain(self._certificate, self._key, password=lambda: "")
            except ssl.SSLError as error:
                remedy = "they must be a certificate and its own key, in PEM form and without a password"
                fault = f"tls: cannot use {self._certificate} with {self._key} ({error.reason or error})"
                raise ServerError(f"{fault}; {remedy}") from error
        return context

    async def refusal(self, server: str) -> ssl.SSLError | None:
        """Why a server ends a connection after the handshake, if it tells; asked for by a connection of its own.

        With TLS 1.3 a server refuses a certificate only then, and a request that is being sent covers its reason.
        """
        if self._context is None or not server.startswith("https:"):
            return None
        return await anyio.to_thread.run_sync(_refusal, server, self._context, abandon_on_cancel=True)

    def fault(self, server: str, error: ssl.SSLError) -> ServerError:
        """A failure in plain words, with a remedy."""
        reason = error.reason or str(error)
        if isinstance(error, ssl.SSLCertVerificationError):
            return ServerError(f"the certificate of {server} {self._distrust(error)}")
        if reason in NO_TLS:
            return ServerError(f"{server} does not speak TLS; write http:// for it, or give it a certificate")
        words = alert(reason)
        if not words:
            return ServerError(f"no TLS with {server}: {reason}")
        if self._certificate is None:
            return ServerError(f"{server} wants a certificate of ours ({words}); set tls.cert and tls.key")
        remedy = "put one there that is valid, and signed by the authority that etcd trusts (its --trusted-ca-file)"
        return ServerError(f"{server} refuses our certificate {self._certificate} ({words}); {remedy}")

    def _distrust(self, error: ssl.SSLCertVerificationError) -> str:
        code = error.verify_code
        if code in OTHER_NAME:
            return f"is for another host ({error.verify_message}); call it by a name or address that is in it"
        if code in OUT_OF_DATE:
            return f"{OUT_OF_DATE[code]}; give it a new one, or set the clock right"
        if code in NOT_SIGNED:
            if self._ca is None:
                return "is not signed by an authority that this machine trusts; name the one that signed it as tls.ca"
            return f"is not signed by the authority in {self._ca}; put the one that signed it there (tls.ca)"
        return f"is not good: {error.verify_message}"


def _refusal(server: str, context: ssl.SSLContext) -> ssl.SSLError | None:
    parts = urlsplit(server)
    try:
        with (
            socket.create_connection((parts.hostname or "", parts.port or 0), timeout=_REFUSAL_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname) as wrapped,
        ):
            wrapped.recv(1)
    except ssl.SSLError as error:
        return error
    except OSError:
        pass
    return None


def _stamp(path: Path | None) -> object:
    try:
        found = path.stat() if path is not None else None
    except OSError as error:
        return error.errno
    return found and (found.st_mtime_ns, found.st_ino, found.st_size)


def _check_readable(path: Path, name: str) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise ServerError(f"{name}: cannot read {path} ({error.strerror}); put the file there") from error
