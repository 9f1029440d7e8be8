"""What OpenSSL says of a connection that fails, by its codes (`X509_V_ERR_…` of x509_vfy.h) and reasons."""

OUT_OF_DATE = {9: "is not valid yet", 10: "has expired"}
"""The codes of a certificate whose time is not now, in words."""
NOT_SIGNED = (2, 18, 19, 20, 21)
"""The codes of a certificate that no known authority has signed."""
OTHER_NAME = (62, 64)
"""The codes of a certificate for another name or address."""
NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")
"""The reasons for an answer in plain HTTP, by version."""


def alert(reason: str) -> str:
    """The other side's own word for its refusal, as in `bad certificate`; empty if it gave none."""
    return reason.partition("ALERT_")[2].lower().replace("_", " ")
