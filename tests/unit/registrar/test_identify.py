from __future__ import annotations

import pytest

from libreims.base.errors import Reject
from libreims.registrar.identify import identify, username_of
from support.registrar_rig import Rig


def ask(to: str, authorization: str = "") -> tuple[str, str]:
    rig = Rig()
    request = rig.request("REGISTER", "sip:ims.test", authorization, to=to)
    identity = identify(request, rig.database, "ims.test")
    return identity.subscriber.impi, identity.aor


def digest(username: str) -> str:
    return f'Authorization: Digest username="{username}",realm="ims.test"'


@pytest.mark.parametrize(
    ("to", "authorization", "aor"),
    [
        ("<sip:alice@ims.test>", digest("alice@ims.test"), "sip:alice"),
        ("<sip:alice@ims.test>", digest("alice"), "sip:alice"),
        ("<sip:alice@ims.test>", "", "sip:alice"),
        ("<tel:+3312345>", "", "tel:+3312345"),
        ("<sip:+3312345@ims.test;user=phone>", digest("alice@ims.test"), "tel:+3312345"),
        ("<sip:001010000000001@ims.test>", digest("alice@ims.test"), "sip:001010000000001"),
        ("<sip:001010000000001@ims.test>", "", "sip:001010000000001"),
    ],
)
def test_who_registers(to: str, authorization: str, aor: str) -> None:
    assert ask(to, authorization) == ("alice@ims.test", aor)


def test_a_soft_phone_whose_user_has_a_domain_of_its_own() -> None:
    rig = Rig(
        'domain: "ims.test", ue_db: [{ nai: "x", impi: "zoe@own.test", domain: "own.test", impu: "zoe" }]'
    )
    request = rig.request("REGISTER", "sip:own.test", digest("zoe"), to="<sip:zoe@own.test>")
    assert identify(request, rig.database, "ims.test").subscriber.impi == "zoe@own.test"


@pytest.mark.parametrize(
    ("to", "authorization", "status", "words"),
    [
        ("<sip:x@h>", digest("alise@ims.test"), 403, ["alise@ims.test", "closest", "alice@ims.test"]),
        ("<sip:x@h>", digest("zzz"), 403, ["zzz", "3 users", "none like it"]),
        (
            "<sip:bob@h>",
            digest("alice@ims.test"),
            403,
            ["sip:bob@h", "alice@ims.test", "sip:alice", "tel:+3312345"],
        ),
        ("<sip:nobody@h>", "", 404, ["sip:nobody@h", "names no IMPI"]),
        ("<tel:666>", "", 403, ["echo list"]),
    ],
)
def test_refusals_say_what_was_asked_and_what_is_configured(
    to: str, authorization: str, status: int, words: list[str]
) -> None:
    with pytest.raises(Reject) as caught:
        ask(to, authorization)
    assert caught.value.status == status
    for word in words:
        assert word in caught.value.why


@pytest.mark.parametrize(
    ("line", "username"),
    [
        ('Authorization: Digest username="a@b", realm="r"', "a@b"),
        ('Proxy-Authorization: Digest realm="r", username="a@b"', "a@b"),
        ('Authorization: Digest username="a\\"b", realm="r", nonce="", uri="", response=""', 'a"b'),
        ('Authorization: Digest username="", realm="r"', ""),
        ("Authorization: Digest username=bare, realm=r, nonce=n, uri=u, response=r", "bare"),
    ],
)
def test_username(line: str, username: str) -> None:
    assert username_of(Rig().request("REGISTER", "sip:ims.test", line)) == username
