"""TLS to an engine: trusted authorities, our own certificate, and a remedy for each failure.

The files are the docker command's: `ca.pem`, `cert.pem` and `key.pem` of one directory. If there is a `ca.pem`, only
its authorities are trusted, not the system's. `hostwatch.docker.connect` decides whether TLS is used, and with which
directory.
"""

import os
import ssl
from pathlib import Path

from hostwatch.control.source import EngineError
from hostwatch.openssl import NO_TLS, NOT_SIGNED, OTHER_NAME, OUT_OF_DATE, alert

FILES = ("ca.pem", "cert.pem", "key.pem")

_WANTS_TLS = ("HTTP request to an HTTPS server", "HTTP request was sent to HTTPS port")
"""Go's and nginx's answers to plain HTTP on a TLS port."""


class Tls:
    """The TLS context of a connection, and its files."""

    def __init__(self, directory: Path, *, verify: bool, authority: bool) -> None:
        """Load the directory's files; `authority`: a `ca.pem` is required. Raises `EngineError`."""
        self._ca, self._certificate, self._key = (directory / name for name in FILES)
        self._has_ca = authority or is_there(self._ca)
        self._certified = False
        self.context = _context(verify)
        if not self._has_ca:
            self.context.load_default_certs()
        self.renew()

    def __eq__(self, other: object) -> bool:
        """Whether both use the same files and authorities: a reload may have changed them."""
        return isinstance(other, Tls) and self._trust == other._trust

    __hash__ = None  # type: ignore[assignment]

    @property
    def _trust(self) -> tuple[Path, ssl.VerifyMode, set[bytes]]:
        return self._ca, self.context.verify_mode, set(self.context.get_ca_certs(binary_form=True))

    def renew(self) -> None:
        """Read the files again, as a daemon outlives certificates. Old authorities stay trusted until a restart."""
        if self._has_ca:
            _check_readable(self._ca, "the certificate of the authority that signed the engine's")
            try:
                self.context.load_verify_locations(self._ca)
            except ssl.SSLError as error:
                raise EngineError(f"{self._ca} holds no certificate in PEM form ({error.reason or error})") from error
        self._certified = is_there(self._certificate) or is_there(self._key)
        if self._certified:
            _check_readable(self._certificate, "our certificate")
            _check_readable(self._key, "our certificate's key")
            try:
                # Without this OpenSSL would ask the terminal for a password.
                self.context.load_cert_chain(self._certificate, self._key, password=lambda: "")
            except ssl.SSLError as error:
                remedy = "they must be a certificate and its own key, in PEM form and without a password"
                fault = f"cannot use {self._certificate} with {self._key} ({error.reason or error})"
                raise EngineError(f"{fault}; {remedy}") from error

    def fault(self, address: str, error: ssl.SSLError) -> str:
        """A failure in plain words, with a remedy."""
        reason = error.reason or str(error)
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"the certificate of {address} {self._distrust(error)}"
        if reason in NO_TLS:
            remedy = "give its TLS port (2376), or ask for no TLS (DOCKER_TLS_VERIFY, the context's certificates)"
            return f"{address} does not speak TLS; {remedy}"
        words = alert(reason)
        if not words:
            return f"no TLS with {address}: {reason}"
        if self._certified:
            remedy = "put one there that is valid, and signed by the authority that the engine trusts (its --tlscacert)"
            return f"{address} refuses our certificate {self._certificate} ({words}); {remedy}"
        remedy = f"put it into {self._certificate} and its key into {self._key}"
        return f"{address} wants a certificate of ours ({words}); {remedy}"

    def _distrust(self, error: ssl.SSLCertVerificationError) -> str:
        code = error.verify_code
        if code in OTHER_NAME:
            return f"is for another host ({error.verify_message}); call the engine by a name that is in it"
        if code in OUT_OF_DATE:
            return f"{OUT_OF_DATE[code]}; give the engine a new one, or set the clock right"
        if code in NOT_SIGNED:
            by = f"by the authority in {self._ca}" if self._has_ca else "by an authority that this machine trusts"
            return f"is not signed {by}; put the certificate of the one that signed it into {self._ca}"
        return f"is not good: {error.verify_message}"


def wants_tls(said: str) -> bool:
    """Whether an answer to plain HTTP demands TLS."""
    return any(words in said for words in _WANTS_TLS)


def is_there(path: Path) -> bool:
    """Whether a file is there, as far as our permissions show."""
    return os.access(path, os.F_OK)


def _context(verify: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Each certificate in ca.pem is trusted, no matter which authority signed it, as in Go.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _check_readable(path: Path, what: str) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        remedy = f"put {what} there, or name the directory that has it by DOCKER_CERT_PATH"
        raise EngineError(f"cannot read {path} ({error.strerror}); {remedy}") from error
