"""Certificates of an etcd by TLS and its clients: a directory each of `ca.pem`, `cert.pem` and `key.pem`."""

from pathlib import Path

import trustme


def make_certificates(directory: Path, address: str) -> Path:
    """Certificates for servers at this address, and for good and bad clients of it; returns the directory.

    The server's has no common name: etcd's gateway uses it as a client's, and would be taken for a user of that name.
    """
    ours, other = trustme.CA(), trustme.CA()
    _write(directory / "server", ours, ours.issue_cert(address))
    _write(directory / "client", ours, ours.issue_cert("client"))
    _write(directory / "named", ours, ours.issue_cert("client", common_name="client"))
    _write(directory / "stranger", ours, other.issue_cert("client"))
    return directory


def _write(directory: Path, authority: trustme.CA, certificate: trustme.LeafCert) -> None:
    directory.mkdir(parents=True)
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(directory / "cert.pem"))
    certificate.private_key_pem.write_to_path(str(directory / "key.pem"))
