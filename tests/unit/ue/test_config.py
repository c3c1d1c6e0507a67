"""Who a phone is: what is refused, and that keys do not show."""

from __future__ import annotations

from pathlib import Path

import pytest

from libreims.ue.config import PhoneConfig, PhoneConfigError, SimCard, count_up, load_sim, plus

K = "00112233445566778899aabbccddeeff"
OPC = "63bfa50ee6523365ff14c1f45f88737d"
SERVER = ("127.0.0.1", 5060)


def config(**changes: object) -> PhoneConfig:
    values: dict[str, object] = {
        "impi": "001010000000001@ims.test",
        "impu": "sip:001010000000001@ims.test",
        "server": SERVER,
    }
    return PhoneConfig(**{**values, **changes})  # type: ignore[arg-type]


def test_the_domain_is_the_impus_host_unless_given() -> None:
    assert config().realm == "ims.test"
    assert config(domain="other.test").realm == "other.test"


def test_it_binds_the_loopback_address_of_the_servers_family() -> None:
    assert config().local_host == "127.0.0.1"
    assert config(server=("::1", 5060)).local_host == "::1"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"transport": "SCTP"}, "use UDP or TCP"),
        ({"scheme": "AKA"}, "use one of MD5"),
        ({"scheme": "AKAv1-MD5"}, "needs a SIM"),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_change(changes: dict[str, object], said: str) -> None:
    with pytest.raises(PhoneConfigError, match=said):
        config(**changes)


def test_a_sim_file_of_lines(tmp_path: Path) -> None:
    file = tmp_path / "sim"
    file.write_text(f"# test SIM\nsim_algo = milenage\nK = {K}\nopc = {OPC}\nsqn = 000000000120\nimpi=a@b\n")
    read = load_sim(file)
    assert read.sim is not None
    assert (read.sim.algorithm, read.sim.sqn, read.impi) == ("milenage", 0x120, "a@b")
    assert read.sim.k == bytes.fromhex(K)


def test_a_sim_file_of_json(tmp_path: Path) -> None:
    file = tmp_path / "sim.json"
    file.write_text(f'{{"K": "{K}", "pwd": "secret", "impu": "sip:a@b"}}')
    read = load_sim(file)
    assert read.sim is not None and read.sim.algorithm == "xor"
    assert (read.password, read.impu) == ("secret", "sip:a@b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("K", "line 1"),
        ("{", "not JSON"),
        ("K = 0011", "K has 2 bytes"),
        ("K = xyz", "hexadecimal"),
        (f"K = {K}\nsim_algo=milenage", "needs opc or op"),
        (f"K = {K}\nsim_algo=comp128", "unknown sim_algo"),
        (f"K = {K}\ncolour=red", "unknown name 'colour'"),
        ("sim_algo=xor", "no K"),
    ],
)
def test_a_wrong_sim_file_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "sim"
    file.write_text(text)
    with pytest.raises(PhoneConfigError, match=said):
        load_sim(file)


def test_a_sim_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PhoneConfigError, match="cannot read"):
        load_sim(tmp_path / "none")


def test_keys_do_not_show() -> None:
    card = SimCard("milenage", bytes.fromhex(K), opc=bytes.fromhex(OPC))
    shown = repr(config(sim=card, password="secret"))
    assert "secret" not in shown
    assert repr(bytes.fromhex(K)) not in shown and K not in shown
    assert repr(bytes.fromhex(OPC)) not in shown and OPC not in shown


@pytest.mark.parametrize(
    ("identity", "offset", "result"),
    [
        ("001010000000001@ims", 1, "001010000000002@ims"),
        ("sip:+33600000099@ims", 1, "sip:+33600000100@ims"),
        ("sip:u9x@ims", 2, "sip:u11x@ims"),
        ("alice@ims", 3, "alice3@ims"),
        ("tel:0600000099", 1, "tel:0600000100"),
    ],
)
def test_identities_are_counted_up(identity: str, offset: int, result: str) -> None:
    assert count_up(identity, offset) == result


def test_the_phone_some_places_on_differs_in_all_that_must_be_unique() -> None:
    first = config(local=("127.0.0.1", 6000))
    third = plus(first, 2)
    assert third.impi == "001010000000003@ims.test"
    assert third.local == ("127.0.0.1", 6002)
    assert third.imei != first.imei
    assert plus(first, 0) is first
