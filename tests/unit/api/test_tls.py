"""`api.tls`: certificates and keys that fit, and those that do not."""

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from libreims.api.tls import context, refusal
from libreims.base.errors import LibreImsError
from libreims.config.load import loads
from support.certificates import Authority


def made(directory: Path, text: str) -> object:
    return context(loads('domain: "ims.test", ' + text, str(directory)).settings)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("certificates")
    authority = Authority(directory, "ca")
    authority.issue("cert")
    other = authority.issue("other")
    key = serialization.load_pem_private_key(other.key.read_bytes(), None)
    other.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    (directory / "text").write_text("no certificate")
    return directory


def test_without_certificate_there_is_no_tls(files: Path) -> None:
    assert made(files, "") is None


def test_what_fits_is_taken(files: Path) -> None:
    assert made(files, 'com_ssl_certificate: "cert.pem", com_ssl_key: "cert.key"') is not None
    text = 'com_ssl_certificate: "cert.pem", com_ssl_key: "cert.key", com_ssl_ca: "ca.pem", '
    assert made(files, text + "com_ssl_peer_verify: true") is not None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            'com_ssl_certificate: "none.pem", com_ssl_key: "cert.key"',
            "com_ssl_certificate .*none.pem: No such file",
        ),
        ('com_ssl_certificate: "cert.pem", com_ssl_key: "none.pem"', "com_ssl_key .*none.pem: No such file"),
        ('com_ssl_certificate: "text", com_ssl_key: "cert.key"', "PEM form"),
        ('com_ssl_certificate: "cert.pem", com_ssl_key: "text"', "PEM form"),
        ('com_ssl_certificate: "cert.pem", com_ssl_key: "other.key"', "without a password"),
        ('com_ssl_certificate: "other.pem", com_ssl_key: "cert.key"', "made for each other"),
        (
            'com_ssl_certificate: "cert.pem", com_ssl_key: "cert.key", com_ssl_ca: "text"',
            "com_ssl_ca .*text: ",
        ),
        (
            'com_ssl_certificate: "cert.pem", com_ssl_key: "cert.key", com_ssl_ca: "no"',
            "com_ssl_ca .*no: No such",
        ),
        (
            'com_ssl_certificate: "cert.pem", com_ssl_key: "cert.key", com_ssl_peer_verify: true',
            "com_ssl_peer_verify: set com_ssl_ca",
        ),
        ("com_ssl_peer_verify: true", "set com_ssl_certificate too"),
    ],
)
def test_what_does_not_is_named(files: Path, text: str, why: str) -> None:
    with pytest.raises(LibreImsError, match=why):
        made(files, text)


def test_why_there_is_no_tls_with_a_client() -> None:
    error = ssl.SSLError(1, "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca")
    error.reason = "TLSV1_ALERT_UNKNOWN_CA"
    assert "does not trust com_ssl_certificate" in refusal(error)
    error.reason = "UNSUPPORTED_PROTOCOL"
    assert refusal(error) == "unsupported protocol"
    assert "took too long" in refusal(ConnectionAbortedError())
