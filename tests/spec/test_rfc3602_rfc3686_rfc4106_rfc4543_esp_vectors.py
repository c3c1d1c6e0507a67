"""The algorithms of ESP against the published examples, through the functions that associations use.

A packet is given as header, IV, ciphertext and check value; whoever wrote the example chose the IV, so
what is protected here gets it by a source of randomness that gives just that.
"""

from __future__ import annotations

import pytest

from libreims.proto.esp.algorithms import AUTHENTICATION, ENCRYPTION
from libreims.proto.esp.errors import BadIcv
from libreims.proto.esp.packet import InboundSa
from libreims.proto.esp.primitives import keyed_hash, missing
from libreims.proto.esp.transforms import opener, sealer

LACKING = missing()


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


def opened(encryption: str, key: str, packet: str) -> bytes:
    """What is in a packet without authentication."""
    if encryption in LACKING:
        pytest.skip(f"OpenSSL has no {encryption}")
    return opener(AUTHENTICATION["null"], ENCRYPTION[encryption], b"", octets(key))(octets(packet))


def test_rfc_3602_case_5_a_transport_mode_packet_with_aes_cbc():
    packet = octets(
        "00004321 00000001 e96e8c08 ab465763 fd098d45 dd3ff893"
        "f663c25d 325c18c6 a9453e19 4e120849 a4870b66 cc6b9965 330013b4 898dc856"
        "a4699e52 3a55db08 0b59ec3a 8e4b7e52 775b07d1 db34ed9c 538ab50c 551b874a"
        "a269add0 47ad2d59 13ac19b7 cfbad4a6"
    )
    ping = octets(
        "08000ebd a70a0000 8e9c083d b95b0700 08090a0b 0c0d0e0f 10111213 14151617"
        "18191a1b 1c1d1e1f 20212223 24252627 28292a2b 2c2d2e2f 30313233 34353637"
    )
    sa = InboundSa(0x4321, "null", "aes-cbc", b"", octets("90d382b410eeba7ad938c46cec1a82bf"))
    for _ in range(3):  # the kept context must not depend on what came before
        assert sa.unprotect(packet) == (1, ping)


def test_sp_800_67_appendix_b_triple_des():
    plaintext = opened(
        "des-ede3-cbc",
        "0123456789ABCDEF 23456789ABCDEF01 456789ABCDEF0123",
        "00000000 00000001 0000000000000000 A826FD8CE53B855F",
    )
    assert plaintext == b"The qufc"


def test_the_published_vector_of_blowfish_in_cbc_mode():
    plaintext = opened(
        "blowfish",
        "0123456789ABCDEFF0E1D2C3B4A59687",
        "00000000 00000001 FEDCBA98765432106B77B4D63006DEE605B156E27403979358DEB9E7154616D959F1652BD5FF92CC",
    )
    assert plaintext == b"7654321 Now is the time for \0\0\0\0"


@pytest.mark.parametrize(
    ("key", "nonce", "iv", "plaintext", "ciphertext"),
    [
        (
            "AE6852F8121067CC4BF7A5765577F39E",
            "00000030",
            "0000000000000000",
            b"Single block msg",
            "E4095D4FB7A7B3792D6175A3261311B8",
        ),
        (
            "7E24067817FAE0D743D6CE1F32539163",
            "006CB6DB",
            "C0543B59DA48D90B",
            bytes(range(0x20)),
            "5104A106168A72D9790D41EE8EDAD388EB2E1EFC46DA57C8FCE630DF9141BE28",
        ),
        (
            "7691BE035E5020A8AC6E618529F9A0DC",
            "00E0017B",
            "27777F3F4A1786F0",
            bytes(range(0x24)),
            "C1CF48A89F2FFDD9CF4652E9EFDB72D74540A42BDE6D7836D59A5CEAAEF3105325B2072F",
        ),
    ],
)
def test_rfc_3686_section_6_aes_ctr(key, nonce, iv, plaintext, ciphertext):
    assert opened("aes-ctr", key + nonce, "0000000000000001" + iv + ciphertext) == plaintext
    e = ENCRYPTION["aes-ctr"]
    seal = sealer(AUTHENTICATION["null"], e, b"", octets(key + nonce), lambda _: octets(iv))
    assert seal(bytes(8), plaintext, 0) == bytes(8) + octets(iv + ciphertext)


@pytest.mark.parametrize(
    ("key", "salt", "iv", "header", "plaintext", "ciphertext", "icv"),
    [
        (
            "feffe9928665731c6d6a8f9467308308",
            "cafebabe",
            "facedbaddecaf888",
            "0000a5f80000000a",
            "4500003e698f000080114dccc0a80102c0a801010a980035002a2343b2d0010000010000000000000373697009"
            "63796265726369747902646b00000100010001",
            "deb22cd9b07c72c16e3a65beeb8df304a5a5897d33ae530f1ba76d5d114d2a5c3de81827c10e9a4f51330d0eec"
            "416642cfbb85a5b47e48a4ec3b9ba95d918bd1",
            "83b70d3aa8bc6ee4c309e9d85a41ad4a",
        ),
        (
            "00000000000000000000000000000000",
            "00000000",
            "0000000000000000",
            "0000000000000001",
            "4500003c99c500008001cb7a40679318010101010800075c020044006162636465666768696a6b6c6d6e6f7071"
            "72737475767761626364656667686901020201",
            "4688daf2f973a392732909c331d56d60f694abaa414b5e7ff5fdcdfff5e9a284456476492719ffb64de7d9dca1"
            "e1d894bc3bd57873ed4d181d19d4d5c8c18af3",
            "f821d496eeb096e98ad2b69e4799c71d",
        ),
        (
            "7d773d00c144c525ac619d18c84a3f47",
            "d9664267",
            "43457e9182443bc6",
            "335467aeffffffff",
            "01020201",
            "437f866b",
            "cb3f699fe9b0822bac961c4504bef270",
        ),
    ],
)
def test_draft_mcgrew_gcm_test_01_aes_gcm(key, salt, iv, header, plaintext, ciphertext, icv):
    """The examples with a key of 128 bits and a sequence number of 32."""
    a, e, whole_key = AUTHENTICATION["null"], ENCRYPTION["aes-gcm"], octets(key + salt)
    packet = octets(header + iv + ciphertext + icv)
    assert opener(a, e, b"", whole_key)(packet) == octets(plaintext)
    assert sealer(a, e, b"", whole_key, lambda _: octets(iv))(octets(header), octets(plaintext), 0) == packet


def test_draft_mcgrew_gcm_test_01_aes_gmac():
    """The check value covers header, IV and payload (RFC 4543 §3.3)."""
    a, e = AUTHENTICATION["aes-gmac"], ENCRYPTION["null"]
    key = octets("4c80cdefbb5d10da906ac73c3613a634" + "22433c64")
    header, iv = octets("0000432100000007"), bytes(8)
    plaintext = octets(
        "45000030da3a00008001df3bc0a80005c0a800010800c6cd020007006162636465666768696a6b6c6d6e6f7071727374"
        "01020201"
    )
    packet = header + iv + plaintext + octets("f2a9a836e155106aa8dcd618e4099aaa")
    assert sealer(a, e, key, b"", lambda _: iv)(header, plaintext, 0) == packet
    assert opener(a, e, key, b"")(packet) == plaintext
    with pytest.raises(BadIcv):
        opener(a, e, key, b"")(packet[:15] + b"\1" + packet[16:])


@pytest.mark.parametrize(
    ("name", "key", "message", "icv"),
    [
        ("hmac-md5-128", "0b" * 16, b"Hi There".hex(), "9294727a3638bb1c13f48ef8158bfc9d"),  # RFC 2202
        ("hmac-md5-128", "aa" * 16, "dd" * 50, "56be34521d144c88dbb8c733f0e8b3f6"),
        ("hmac-md5-96", "aa" * 16, "dd" * 50, "56be34521d144c88dbb8c733"),
        ("hmac-sha-1-160", "0b" * 20, b"Hi There".hex(), "b617318655057264e28bc0b6fb378c8ef146be00"),
        ("hmac-sha-1-160", "aa" * 20, "dd" * 50, "125d7342b9ac11cd91a39af48aa17b4f63f175d3"),
        ("hmac-sha-1-96", "aa" * 20, "dd" * 50, "125d7342b9ac11cd91a39af4"),
        ("aes-cmac-96", "2b7e151628aed2a6abf7158809cf4f3c", "", "bb1d6929e95937287fa37d12"),  # RFC 4494
        (
            "aes-cmac-96",
            "2b7e151628aed2a6abf7158809cf4f3c",
            "6bc1bee22e409f96e93d7e117393172a",
            "070a16b46b4d4144f79bdd9d",
        ),
        (
            "aes-cmac-96",
            "2b7e151628aed2a6abf7158809cf4f3c",
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411",
            "dfa66747de9ae63030ca3261",
        ),
    ],
)
def test_rfc_2202_and_rfc_4494_check_values(name, key, message, icv):
    if name in LACKING:
        pytest.skip(f"OpenSSL has no {name}")
    state = keyed_hash(name, octets(key))
    state.update(octets(message))
    assert state.finalize()[: AUTHENTICATION[name].icv_length] == octets(icv)
