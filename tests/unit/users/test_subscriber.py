from __future__ import annotations

import pytest

from libreims.base.errors import LibreImsError
from libreims.config.schema import ImpuSettings, UserSettings
from libreims.users.subscriber import ImpuEntry, Subscriber


def user(impi: str, *impus: str | ImpuSettings, imsi: str | None = None, **more: object) -> UserSettings:
    entries = tuple(ImpuSettings(impu=each) if isinstance(each, str) else each for each in impus)
    return UserSettings(impi=impi, impu=entries, imsi=imsi, **more)  # type: ignore[arg-type]


def test_impus_of_one_user_are_unique_but_for_the_imei() -> None:
    entries = (
        ImpuSettings(impu="tel:1", imei="350000000000015"),
        ImpuSettings(impu="tel:1"),
        ImpuSettings("tel:1"),
    )
    subscriber = Subscriber.of(user("a@d", *entries, multi_sim=True))
    assert [entry.imei for entry in subscriber.impus] == ["35000000000001", ""]


def test_identity_is_needed() -> None:
    with pytest.raises(LibreImsError):
        Subscriber.of(UserSettings())
    assert Subscriber.of(UserSettings(nai="x@d")).impi == "x@d"


def test_implicit_registration_set() -> None:
    subscriber = Subscriber.of(
        user(
            "a@d",
            "tel:+1",
            "a",
            "urn:service:sos",
            ImpuSettings(impu="hidden", associated=False),
            ImpuSettings(impu="tel:2", imei="350000000000015"),
            multi_sim=True,
        )
    )
    assert [entry.key for entry in subscriber.registered_with("")] == ["sip:a", "tel:+1"]
    assert [entry.key for entry in subscriber.registered_with("35000000000001")] == [
        "sip:a",
        "tel:+1",
        "tel:2",
    ]


def test_an_imei_counts_with_multi_sim_only() -> None:
    subscriber = Subscriber.of(user("a@d", ImpuSettings(impu="tel:2", imei="350000000000015")))
    assert [entry.key for entry in subscriber.registered_with("")] == ["tel:2"]


def test_public_form() -> None:
    def uri(**more: object) -> str:
        return ImpuEntry.of(ImpuSettings(**more)).uri("d")  # type: ignore[arg-type]

    assert uri(impu="alice") == "sip:alice@d"
    assert uri(impu="tel:+1 23") == "tel:+123"
    assert uri(impu="+123", phone=True) == "sip:+123@d;user=phone"
    assert uri(impu="a%20b") == "sip:a%20b@d"


def test_entry_by_keys_in_their_order_then_by_match() -> None:
    subscriber = Subscriber.of(user("a@d", "one", "tel:2", ImpuSettings(impu="lab", match="^lab-")))

    def key(*keys: str) -> str | None:
        entry = subscriber.entry(keys)
        return entry.key if entry is not None else None

    assert key("tel:2", "sip:one") == "tel:2"
    assert key("sip:nobody", "sip:one") == "sip:one"
    assert key("sip:lab-7") == "sip:lab"
    assert key("sip:nobody") is None


def test_entry_for_a_phone() -> None:
    subscriber = Subscriber.of(
        user("a@d", "all", ImpuSettings(impu="tel:2", imei="350000000000015"), multi_sim=True)
    )
    assert subscriber.entry(["tel:2"], "35000000000001") is subscriber.impus[1]
    assert subscriber.entry(["tel:2"], "35000000000002") is None
    assert subscriber.entry(["tel:2"]) is subscriber.impus[1]


def test_a_match_that_is_no_expression_names_the_impu() -> None:
    with pytest.raises(LibreImsError, match="IMPU lab"):
        ImpuEntry.of(ImpuSettings(impu="lab", match="("))
