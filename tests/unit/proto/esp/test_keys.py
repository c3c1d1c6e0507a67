"""What `expand` refuses and hides; its values are in tests/spec/test_ts33203_annex_i_keys.py."""

from __future__ import annotations

import pytest

from libreims.proto.esp.algorithms import AUTHENTICATION, ENCRYPTION, pairs
from libreims.proto.esp.errors import EspSetupError
from libreims.proto.esp.keys import expand

IK = bytes(range(16))
CK = bytes(range(100, 116))


@pytest.mark.parametrize("names", pairs(), ids="+".join)
def test_keys_have_the_lengths_that_the_algorithms_need(names):
    keys = expand(*names, IK, CK)
    for key, algorithm in zip(
        (keys.authentication, keys.encryption), (AUTHENTICATION[names[0]], ENCRYPTION[names[1]]), strict=True
    ):
        assert len(key) == algorithm.key_length + algorithm.salt_length


def test_keys_are_not_shown():
    assert repr(expand("hmac-md5-96", "aes-cbc", IK, CK)) == "EspKeys()"


@pytest.mark.parametrize(
    ("ik", "ck", "why"), [(IK[:-1], CK, "IK has 15 octets"), (IK, b"", "CK has 0 octets")]
)
def test_ik_and_ck_must_have_16_octets(ik, ck, why):
    with pytest.raises(EspSetupError, match=why):
        expand("hmac-md5-96", "aes-cbc", ik, ck)


def test_a_senseless_pair_has_no_keys():
    with pytest.raises(EspSetupError, match="both be null"):
        expand("null", "null", IK, CK)


def test_a_ck_that_makes_single_des_is_refused():
    with pytest.raises(EspSetupError, match="single DES") as caught:
        expand("hmac-md5-96", "des-ede3-cbc", IK, bytes(7) + b"\1" + bytes(8))  # equal but for parity
    assert "\0" not in str(caught.value)
