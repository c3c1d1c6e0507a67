"""The configuration that the project ships."""

from __future__ import annotations

from pathlib import Path

from libreims.config.load import load
from libreims.config.schema import Settings

CONFIG = Path(__file__).parents[3] / "config"


def shipped() -> Settings:
    loaded = load(str(CONFIG / "ims.cfg"))
    assert loaded.warnings == ()
    return loaded.settings


def test_it_listens_on_loopback_only_over_both_ip_versions() -> None:
    assert [each.addr for each in shipped().sip_addr] == [("127.0.0.1", 5060), ("::1", 5060)]


def test_it_has_users_of_every_kind() -> None:
    users = shipped().ue_db
    assert len(users) == 10
    assert {user.sim_algo for user in users} == {"milenage", "tuak", "xor"}
    assert {user.authent_type for user in users} == {"AKAv1", "AKAv2", "MD5"}
    assert any(user.op for user in users)
    secrets = [user.K or user.pwd for user in users]
    assert len(set(secrets)) == len(users)


def test_no_number_is_there_twice() -> None:
    names = [impu.impu for user in shipped().ue_db for impu in user.impu]
    names += [impu.impu for impu in shipped().echo]
    assert len(names) == len(set(names))


def test_every_sim_is_of_the_test_network() -> None:
    for user in shipped().ue_db:
        assert user.imsi is not None
        assert user.imsi.startswith("00101") or user.imsi == "000000000000000"


def test_the_sdp_is_one() -> None:
    text = (CONFIG / "mt_call.sdp").read_bytes()
    assert text.startswith(b"v=0\r\n")
    assert b"\r\nm=audio " in text
