"""Options of `libreims ue`, and the phone that they describe."""

from __future__ import annotations

from pathlib import Path

import pytest

from libreims.proto.esp.primitives import missing
from libreims.ue.arguments import answer_mode, config, evidence, parser
from libreims.ue.cli import main
from libreims.ue.config import PhoneConfig
from libreims.ue.incoming import BUSY, AnswerMode
from libreims.ue.ipsec import Evidence

K = "00112233445566778899aabbccddeeff"


def described(*words: str) -> PhoneConfig:
    return config(parser().parse_intermixed_args([*words, "register"]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["register"], "who is the phone?"),
        (["--imsi", "1", "register"], "IMSI '1'"),
        (["--impi", "a", "register"], "which public identity"),
        (["--impi", "a@b", "--impu", "tel:1", "register"], "registers a sip: URI"),
        (["--impi", "a@b"], "Give steps"),
        (["--impi", "a@b", "jump"], "'jump' is no step"),
        (["--impi", "a@b", "--codecs", "OPUS", "register"], "use PCMU, PCMA, AMR-WB, AMR"),
        (["--impi", "a@b", "--server", "nowhere", "register"], "no address"),
        (["--impi", "a@b", "--auth", "akav2", "register"], "needs a SIM"),
        (["--impi", "a@b", "--k", "0011", "register"], "K has 2 bytes"),
        (["--impi", "a@b", "--sim", "/nonexistent/sim", "register"], "cannot read the SIM file"),
        (["--impi", "a@b", "--count", "0", "register"], "greater than 0"),
        (["--impi", "a@b", "--ipsec", "register"], "IPsec needs a SIM"),
        (["--impi", "a@b", "--ipsec", "--aalg", "rot13", "register"], "'rot13' is no algorithm of IPsec"),
        (["--impi", "a@b", "--esp-sa", "keys", "register"], "--esp-sa has nothing to write without --ipsec"),
    ],
)
def test_wrong_arguments_are_explained(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_a_soft_phone_has_no_ipsec_and_offers_no_scheme() -> None:
    made = described("--impi", "alice", "--domain", "ims.test", "--password", "secret")
    assert (made.impu, made.sim, made.scheme, made.ipsec) == ("sip:alice@ims.test", None, None, ())
    assert made.local == ("", 0) and made.server == ("127.0.0.1", 5060)


def test_ipsec_offers_what_most_phones_do() -> None:
    made = described("--imsi", "001010000000001", "--k", K, "--ipsec")
    assert made.ipsec[:2] == (("hmac-md5-96", "null"), ("hmac-md5-96", "aes-cbc"))
    assert len(made.ipsec) == 6 - 2 * len({"des-ede3-cbc"} & set(missing()))


def test_ipsec_offers_what_it_is_told_to() -> None:
    words = ["--imsi", "001010000000001", "--k", K, "--ipsec", "--aalg", "null, hmac-sha-1-96"]
    made = described(*words, "--ealg", "aes-gcm,aes-cbc", "--esp-sa", "keys")
    # null with aes-cbc has no integrity, but who asks for it gets it (RFC 4303 §3.2).
    assert made.ipsec == (("null", "aes-gcm"), ("null", "aes-cbc"), ("hmac-sha-1-96", "aes-cbc"))
    options = parser().parse_intermixed_args([*words, "--esp-sa", "keys", "register"])
    assert evidence(options) == Evidence(None, "keys")


def test_a_sim_file_is_what_options_say_otherwise(tmp_path: Path) -> None:
    sim = tmp_path / "sim"
    sim.write_text(f"impi = p1@ims.test\nK = {K}\n")
    assert described("--sim", str(sim)).impu == "sip:p1@ims.test"
    assert described("--sim", str(sim), "--impi", "p2@ims.test").impi == "p2@ims.test"


def test_what_it_does_with_calls() -> None:
    options = parser().parse_intermixed_args(["--answer", "busy", "register"])
    assert answer_mode(options) is BUSY
    options = parser().parse_intermixed_args(["--answer-delay", "0.5", "register"])
    made = answer_mode(options)
    assert isinstance(made, AnswerMode) and (made.status, made.delay) == (200, 0.5)
