"""`config.load`: files, encodings, size."""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path

import pytest

from libreims.config import load as module
from libreims.config.load import load, loads
from libreims.config.source import ConfigErrors


def test_a_file_with_an_included_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "ims.cfg").write_text(
        'sip_addr: "127.0.0.1", domain: "d", include "sub/users.cfg",\nlog_filename: "l"'
    )
    (tmp_path / "sub" / "users.cfg").write_text('ue_db: [{ imsi: "001010000000001" }]')
    loaded = load(str(tmp_path / "ims.cfg"))
    assert loaded.settings.ue_db[0].imsi == "001010000000001"
    assert loaded.settings.log_filename == str(tmp_path / "l")
    assert loaded.warnings == ()


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(ConfigErrors) as raised:
        load("/does/not/exist.cfg")
    assert str(raised.value) == "cannot read '/does/not/exist.cfg': No such file or directory"


def test_a_directory_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match="Is a directory"):
        load(str(tmp_path))


def test_crlf_and_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "ims.cfg"
    path.write_bytes(b'\xef\xbb\xbfdomain: "d",\r\n#define A 1\r\n#if A\r\nlog_sync: true\r\n#endif\r\n')
    assert load(str(path)).settings.log_sync
    path.write_bytes(b'domain: "d",\r\nlog_sync: 5\r\n')
    with pytest.raises(ConfigErrors) as raised:
        load(str(path))
    assert ":2:1: log_sync" in str(raised.value)


def test_old_macintosh_line_ends_and_latin_1(tmp_path: Path) -> None:
    path = tmp_path / "ims.cfg"
    path.write_bytes(b'// r\xe9seau\rdomain: "caf\xe9"\r')
    assert load(str(path)).settings.domain == "café"


def test_a_file_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIZE_LIMIT", 10)
    (tmp_path / "ims.cfg").write_text("x" * 11)
    with pytest.raises(ConfigErrors, match="more than 10 bytes"):
        load(str(tmp_path / "ims.cfg"))


def test_without_a_domain_there_is_a_default_and_a_warning() -> None:
    loaded = loads("")
    assert [str(each) for each in loaded.warnings] == [
        "domain is not set: 'ims.mnc001.mcc001.3gppnetwork.org' is used"
    ]


def test_an_address_that_nobody_reaches_and_a_short_mnc_are_doubted() -> None:
    loaded = loads('domain: "ims.mnc01.mcc001.3gppnetwork.org",\nsip_addr: "0.0.0.0",')
    assert [str(each) for each in loaded.warnings] == [
        "ims.cfg:2: sip_addr: phones are told to answer to 0.0.0.0, which reaches nobody: put the address of "
        'the network interface there, and bind_addr: "0.0.0.0" to listen on all',
        "ims.cfg:1: domain: phones with a SIM ask for ims.mnc001.mcc001.3gppnetwork.org: the MNC in a domain "
        "has three digits",
    ]
    good = 'domain: "ims.mnc001.mcc001.3gppnetwork.org", sip_addr: {addr: "::1", bind_addr: "::"}'
    assert loads(good).warnings == ()


def test_after_an_error_of_syntax_values_are_not_checked() -> None:
    with pytest.raises(ConfigErrors) as raised:
        loads("log_sync: 5, domain: @")
    assert [str(each) for each in raised.value.errors] == ["ims.cfg:1:22: value expected, not '@'"]


def test_the_collector_of_cycles_is_back_afterwards(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors):
        load(str(tmp_path / "no.cfg"))
    assert gc.isenabled()


USER = """\
  {{ // user {0}
    sim_algo: "milenage", imsi: "00101{0:010}", K: "00112233445566778899aabbccddeeff",
    opc: "000102030405060708090a0b0c0d0e0f", amf: 0x9001, sqn: "000000000000",
    impi: "00101{0:010}@ims.mnc001.mcc001.3gppnetwork.org",
    impu: ["sip:00101{0:010}", {{ impu: "tel:+336{0:08}", associated: true }}], authent_type: "AKAv1",
    pdn_list: [{{ access_point_name: "internet", default: true }}],
  }},
"""


def test_ten_thousand_users_load_in_time(tmp_path: Path) -> None:
    """0.7 s on the machine where it was written; the limit is the issue's 3 s, in CPU time."""
    path = tmp_path / "ims.cfg"
    path.write_text(
        'domain: "d", sip_addr: "127.0.0.1",\nue_db: [\n' + "".join(map(USER.format, range(10_000))) + "]"
    )
    assert path.stat().st_size > 3_600_000
    begin = time.process_time()
    loaded = load(str(path))
    spent = time.process_time() - begin
    assert len(loaded.settings.ue_db) == 10_000
    assert loaded.warnings == ()
    assert loaded.settings.ue_db[9_999].impu[1].impu == "tel:+33600009999"
    if sys.gettrace() is None:  # measuring coverage takes far longer
        assert spent < 3.0
