from __future__ import annotations

import dataclasses

import pytest

from libreims.config.schema import ImpuSettings, SessionExpires, Settings, UserSettings
from libreims.users.profile import Profile, effective, public_address, public_uri
from libreims.users.subscriber import ImpuEntry, Subscriber

OWN = SessionExpires()
CASES = [
    ("domain", "global.test", "user.test", "impu.test"),
    ("auth_on_register_only", True, False, None),
    ("proxy_auth", False, True, None),
    ("mt_call_sdp_file", "global.sdp", "user.sdp", None),
    ("rel100", True, None, False),
    ("use183", True, None, False),
    ("early_media", True, None, False),
    ("precondition", "on", None, "off"),
    (
        "session_expires",
        dataclasses.replace(OWN, duration=1111),
        None,
        dataclasses.replace(OWN, duration=2222),
    ),
]


@pytest.mark.parametrize(("name", "of_all", "of_user", "of_impu"), CASES, ids=[case[0] for case in CASES])
def test_impu_before_user_before_global(name: str, of_all: object, of_user: object, of_impu: object) -> None:
    settings = dataclasses.replace(Settings(), **{name: of_all})
    user, impu = UserSettings(impi="a@d"), ImpuSettings(impu="a")
    assert getattr(Profile(settings, None, None), name) == of_all
    assert getattr(Profile(settings, user, impu), name) == of_all
    if of_user is not None:
        user = dataclasses.replace(user, **{name: of_user})
        assert getattr(Profile(settings, user, impu), name) == of_user
        assert getattr(Profile(settings, user, None), name) == of_user
    if of_impu is not None:
        impu = dataclasses.replace(impu, **{name: of_impu})
        assert getattr(Profile(settings, user, impu), name) == of_impu


def test_every_property_is_covered() -> None:
    names = {name for name, value in vars(Profile).items() if isinstance(value, property)}
    assert names == {case[0] for case in CASES}


def test_of_a_subscriber_and_of_an_echo_number() -> None:
    settings = Settings(domain="global.test")
    user = Subscriber.of(UserSettings(impi="a@d", domain="user.test", impu=(ImpuSettings(impu="a"),)))
    assert effective(settings, user, user.impus[0]).domain == "user.test"
    assert effective(settings, user, None).domain == "user.test"
    assert effective(settings, None, ImpuEntry.of(ImpuSettings(impu="tel:666"))).domain == "global.test"


def test_public_forms() -> None:
    settings = Settings(domain="global.test")
    entry = ImpuEntry.of(ImpuSettings(impu="a", display_name='A "B"'))
    assert public_uri(settings, None, entry) == "sip:a@global.test"
    assert public_address(settings, None, entry) == '"A \\"B\\"" <sip:a@global.test>'
    assert public_address(settings, None, ImpuEntry.of(ImpuSettings(impu="tel:1"))) == "<tel:1>"
