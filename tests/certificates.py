"""Certificates of an engine by TLS and its clients: a directory each of `ca.pem`, `cert.pem` and `key.pem`."""

import datetime as dt
import shutil
from pathlib import Path

import trustme


def make_certificates(directory: Path, host: str = "127.0.0.1") -> Path:
    """Certificates for an engine on this host, and for good and bad clients of it; returns the directory."""
    # Signed by an authority that is in no ca.pem.
    ours, other = trustme.CA(parent_cert=trustme.CA()), trustme.CA()
    now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
    _put(directory / "engine", ours, ours.issue_cert(host))
    _put(directory / "good", ours, ours.issue_cert("client"))
    _put(directory / "expired", ours, ours.issue_cert("client", not_before=now - 2 * day, not_after=now - day))
    _put(directory / "stranger", ours, other.issue_cert("client"))
    _put(directory / "unsure", other, ours.issue_cert("client"))
    _put(directory / "nobody", ours)
    for missing in ("ca", "cert", "key"):
        shutil.copytree(directory / "good", directory / f"no-{missing}")
        (directory / f"no-{missing}" / f"{missing}.pem").unlink()
        shutil.copytree(directory / "good", directory / f"bad-{missing}")
        (directory / f"bad-{missing}" / f"{missing}.pem").write_text("nothing of the kind")
    return directory


def _put(directory: Path, authority: trustme.CA, certificate: trustme.LeafCert | None = None) -> None:
    directory.mkdir()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    if certificate is not None:
        certificate.cert_chain_pems[0].write_to_path(str(directory / "cert.pem"))
        certificate.private_key_pem.write_to_path(str(directory / "key.pem"))
