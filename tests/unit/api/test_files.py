"""`api.files`: certificates and passwords that cannot be used are found before the server is started."""

from pathlib import Path

from libreims.api.files import problems
from libreims.config.load import loads
from support.certificates import Authority


def found(directory: Path, text: str) -> list[str]:
    return problems(loads(f'domain: "ims.test", {text}', str(directory)).settings)


def test_files_that_can_be_used(tmp_path: Path) -> None:
    Authority(tmp_path, "ca").issue("cert")
    (tmp_path / "pass").write_text("secret\n")
    tls = 'com_ssl_certificate: "cert.pem", com_ssl_key: "cert.key", com_ssl_ca: "ca.pem",'
    assert found(tmp_path, f'com_addr: "[::]", {tls} com_auth: {{ passfile: "pass" }}') == []
    assert found(tmp_path, 'com_addr: "[::]", com_auth: { password: "secret" }') == []
    assert found(tmp_path, 'com_addr: "[::]"') == []


def test_each_that_cannot_is_named(tmp_path: Path) -> None:
    wrong = 'com_ssl_certificate: "a.pem", com_ssl_key: "a.key", com_auth: { passfile: "pass" }'
    certificate, password = found(tmp_path, f'com_addr: "[::]", {wrong}')
    assert certificate == f"com_ssl_certificate {tmp_path}/a.pem: No such file or directory"
    assert password == f"com_auth.passfile {tmp_path}/pass cannot be read: No such file or directory"
    (tmp_path / "pass").write_text("\n")
    assert "is empty" in found(tmp_path, 'com_addr: "[::]", com_auth: { passfile: "pass" }')[0]


def test_without_a_remote_api_they_do_not_matter(tmp_path: Path) -> None:
    assert found(tmp_path, 'com_auth: { passfile: "pass" }') == []
