"""TLS of the remote API: `com_ssl_certificate`, `com_ssl_key`, `com_ssl_peer_verify`, `com_ssl_ca`."""

from __future__ import annotations

import ssl

from libreims.base.errors import LibreImsError
from libreims.config.schema import Settings


def context(settings: Settings) -> ssl.SSLContext | None:
    """The server's side of TLS; None where no certificate is set. Raises LibreImsError."""
    certificate, key, authority = settings.com_ssl_certificate, settings.com_ssl_key, settings.com_ssl_ca
    if not certificate:
        if settings.com_ssl_peer_verify:
            raise LibreImsError(
                "com_ssl_peer_verify: set com_ssl_certificate too, there is no TLS without it"
            )
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _readable("com_ssl_certificate", certificate)
    if key:
        _readable("com_ssl_key", key)
    try:
        made.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        raise LibreImsError(
            f"com_ssl_certificate {certificate} and com_ssl_key {key}: {_reason(error)}; both have to be in "
            "PEM form, the key without a password, and made for each other"
        ) from None
    if authority:
        _readable("com_ssl_ca", authority)
        try:
            made.load_verify_locations(authority)
        except ssl.SSLError as error:
            raise LibreImsError(
                f"com_ssl_ca {authority}: {_reason(error)}; one or more certificates in PEM form are expected"
            ) from None
    if settings.com_ssl_peer_verify:
        if not authority:
            raise LibreImsError(
                "com_ssl_peer_verify: set com_ssl_ca, the certificate that signed those of the clients"
            )
        made.verify_mode = ssl.CERT_REQUIRED
    return made


def refusal(error: OSError) -> str:
    """Why there is no TLS with a client, and what to change."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted, {error.verify_message}; com_ssl_ca has to be the certificate "
            "that signed it"
        )
    if isinstance(error, ssl.SSLError):
        return _REFUSALS.get(error.reason or "", _reason(error))
    if isinstance(error, ConnectionAbortedError):
        return "its handshake took too long; does it speak TLS?"
    return "it went away in the handshake, perhaps it does not trust com_ssl_certificate"


_REFUSALS = {
    "HTTP_REQUEST": "the client speaks plain ws://, and com_ssl_certificate is set; it has to use wss://",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the client has no certificate, and com_ssl_peer_verify is set",
    **dict.fromkeys(
        (
            "TLSV1_ALERT_UNKNOWN_CA",
            "SSLV3_ALERT_BAD_CERTIFICATE",
            "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
            "TLSV1_ALERT_BAD_CERTIFICATE",
        ),
        "the client does not trust com_ssl_certificate; it has to know who signed it, or the name is another",
    ),
}
"""By OpenSSL's name of the reason."""


def _readable(name: str, path: str) -> None:
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise LibreImsError(f"{name} {path}: {error.strerror or error}") from None


def _no_password() -> str:
    """Keep OpenSSL from asking for one on the terminal."""
    return ""


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()
