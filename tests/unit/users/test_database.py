from __future__ import annotations

import dataclasses
import time

import pytest

from libreims.base.errors import LibreImsError
from libreims.config.load import loads
from libreims.config.schema import ImpuSettings, UserSettings
from libreims.proto.sip.uri import Uri
from libreims.users.database import PLACEHOLDER_IMSI, SubscriberDatabase
from libreims.users.subscriber import ImpuEntry


def user(impi: str, *impus: str | ImpuSettings, imsi: str | None = None, **more: object) -> UserSettings:
    entries = tuple(ImpuSettings(impu=each) if isinstance(each, str) else each for each in impus)
    return UserSettings(impi=impi, impu=entries, imsi=imsi, **more)  # type: ignore[arg-type]


class Book:
    def __init__(self, *users: UserSettings) -> None:
        self.warnings: list[str] = []
        self.database = SubscriberDatabase(self.warnings.append)
        for each in users:
            self.database.add(each)

    def owners(self, uri: str) -> list[str]:
        found = self.database.by_impu(Uri.parse(uri))
        return ["echo" if owner is None else owner.impi for owner, _ in found]


def test_lookups() -> None:
    book = Book(user("alice@d", "alice", "tel:+33123", imsi="00101000000001"), user("bob@d", "bob"))
    database = book.database
    alice = database.by_impi("alice@d")
    assert alice is not None and database.by_imsi("00101000000001") is alice
    assert database.by_impi("carol@d") is None and database.by_imsi("1") is None
    assert [each.impi for each in database] == ["alice@d", "bob@d"] and len(database) == 2
    for uri in ("sip:alice@x", "tel:+33123", "tel:33123", "sip:+33123@d;user=phone", "sip:33123@10.0.0.1"):
        assert book.owners(uri) == ["alice@d"], uri
    assert book.owners("sip:nobody@x") == []


def test_the_form_as_written_wins_over_a_changed_plus() -> None:
    book = Book(user("a@d", "tel:600"), user("b@d", "tel:+600"))
    assert book.owners("tel:600") == ["a@d"]
    assert book.owners("sip:+600@d;user=phone") == ["b@d"]


def test_users_that_share_a_number() -> None:
    book = Book(user("desk@d", "tel:100"), user("mobile@d", "tel:100"), user("third@d", "tel:100"))
    assert book.owners("tel:100") == ["desk@d", "mobile@d", "third@d"]
    book.database.remove("mobile@d")
    assert book.owners("tel:100") == ["desk@d", "third@d"]
    book.database.remove("desk@d")
    book.database.remove("third@d")
    assert book.owners("tel:100") == []


def test_a_duplicate_impi_is_refused() -> None:
    book = Book(user("a@d", "a"))
    with pytest.raises(LibreImsError, match="a@d is in ue_db twice"):
        book.database.add(user("a@d", "other"))
    assert book.owners("sip:other@d") == []


def test_a_duplicate_imsi_belongs_to_the_first_with_a_warning() -> None:
    book = Book(user("a@d", "a", imsi="123456"), user("b@d", "b", imsi="123456"))
    found = book.database.by_imsi("123456")
    assert found is not None and found.impi == "a@d"
    assert len(book.warnings) == 1 and "123456" in book.warnings[0]
    assert book.owners("sip:b@d") == ["b@d"]


def test_the_placeholder_imsi_is_no_identity() -> None:
    book = Book(user("a@d", "a", imsi=PLACEHOLDER_IMSI), user("b@d", "b", imsi=PLACEHOLDER_IMSI))
    assert book.warnings == [] and book.database.by_imsi(PLACEHOLDER_IMSI) is None


def test_loading_takes_the_first_and_goes_on() -> None:
    settings = loads(
        'echo: ["tel:666", "tel:666"], ue_db: [{impi: "a@d", impu: "a", nai: "x"},'
        '{impi: "a@d", impu: "b", nai: "y"}, {impi: "c@d", nai: "z", impu: [{impu: "c", match: "("}]}]'
    ).settings
    warnings: list[str] = []
    database = SubscriberDatabase.of(settings, warnings.append)
    assert [each.impi for each in database] == ["a@d"]
    assert len(warnings) == 4
    assert warnings[-1].startswith("a@d can never register: there is neither K nor pwd in ue_db.")
    assert len(database.echo) == 1


def test_users_who_share_a_number_or_have_no_key_are_named_in_one_line_each() -> None:
    entries = [f'{{impi: "u{n}", nai: "{n}", impu: ["tel:1", "tel:{n % 5 + 2}"]}}' for n in range(10)]
    warnings: list[str] = []
    SubscriberDatabase.of(loads(f"ue_db: [{','.join(entries)}]").settings, warnings.append)
    keys, numbers = warnings
    assert keys.startswith("u0 and 9 more can never register")
    assert numbers.startswith("tel:1 and 5 more in impu of several users (u0, u1, u2): a call goes to")
    warnings.clear()
    text = 'ue_db: [{impi: "a", nai: "a", pwd: "x"}, {impi: "b", nai: "b", authent_type: "none"}]'
    SubscriberDatabase.of(loads(text).settings, warnings.append)
    assert warnings == []


def test_echo_numbers() -> None:
    book = Book(user("a@d", "tel:100"))
    book.database.add_echo(ImpuSettings(impu="tel:666"))
    book.database.add_echo(ImpuSettings(impu="tel:100"))
    assert book.owners("tel:666") == ["echo"]
    assert book.owners("tel:100") == ["a@d"]
    assert book.database.remove_echo("tel:666") is not None
    assert book.database.remove_echo("tel:666") is None
    assert book.owners("tel:666") == []


def test_match_of_the_manuals_barring_example() -> None:
    book = Book(user("a@d", "tel:+33600"))
    book.database.add_echo(ImpuSettings(impu="sip:barring", match=r"^\+33"))
    assert book.owners("tel:+33999") == ["echo"]
    assert book.owners("sip:+33999@d;user=phone") == ["echo"]
    assert book.owners("tel:+44999") == []
    assert book.owners("tel:+33600") == ["a@d"]


def test_match_of_a_user_goes_away_with_it() -> None:
    book = Book(user("lab@d", ImpuSettings(impu="lab", match="^lab-[[:digit:]]+$"), "tel:1"))
    assert book.owners("sip:lab-12@d") == ["lab@d"]
    (found,) = book.database.by_impu(Uri.parse("sip:lab-12@d"))
    assert found.entry.key == "sip:lab"
    book.database.remove("lab@d")
    assert book.owners("sip:lab-12@d") == []


def test_an_impu_may_be_a_match_alone() -> None:
    book = Book(user("lab@d", ImpuSettings(impu="", match="^lab")))
    assert book.owners("sip:lab7@d") == ["lab@d"]


def test_an_expression_may_also_name_the_scheme() -> None:
    book = Book(user("lab@d", ImpuSettings(impu="lab", match=r"^tel:\+99")))
    assert book.owners("tel:+991") == ["lab@d"]


def test_run_time_changes() -> None:
    book = Book(user("a@d", "a"), user("b@d", "b"))
    alice = book.database.by_impi("a@d")
    assert alice is not None
    more = dataclasses.replace(alice, impus=(*alice.impus, ImpuEntry.of(ImpuSettings(impu="tel:5"))))
    book.database.replace(more)
    assert book.owners("tel:5") == ["a@d"]
    assert [each.impi for each in book.database] == ["a@d", "b@d"]
    assert book.database.remove("a@d") is more
    assert book.database.remove("a@d") is None
    assert book.owners("tel:5") == [] and book.owners("sip:a@d") == []
    with pytest.raises(KeyError):
        book.database.replace(more)


def test_usernames_of_soft_phones() -> None:
    book = Book(user("alice@d", "alice"), user("plain", "plain"), UserSettings(imsi="001010000000009"))
    by_username = book.database.by_username
    assert by_username("alice@d", "d").impi == "alice@d"  # type: ignore[union-attr]
    assert by_username("alice", "d").impi == "alice@d"  # type: ignore[union-attr]
    assert by_username("alice", "other") is None
    assert by_username("plain@d", "d").impi == "plain"  # type: ignore[union-attr]
    assert by_username("plain@other", "d") is None
    derived = "001010000000009@ims.mnc001.mcc001.3gppnetwork.org"
    assert by_username(derived, "d").impi == "001010000000009"  # type: ignore[union-attr]


def test_an_imsi_does_not_stand_in_for_an_impi_that_is_configured() -> None:
    book = Book(user("private@d", "a", imsi="001010000000009"))
    assert book.database.by_username("001010000000009@d", "d") is None
    assert book.database.closest_impi("001010000000009@d") == "private@d"


def test_hint() -> None:
    book = Book(user("001010000000001@ims.test", "a"), user("bob@elsewhere", "b"))
    assert book.database.closest_impi("001010000000001@ims.mnc001") == "001010000000001@ims.test"
    assert book.database.closest_impi("zzzzzzzz") is None
    assert SubscriberDatabase(print).closest_impi("x") is None


def test_ten_thousand_users_are_loaded_far_below_two_seconds() -> None:
    users = [user(f"{n:015}@d", f"u{n}", f"tel:+1{n:09}", imsi=f"{n:015}") for n in range(1, 10_001)]
    began = time.perf_counter()
    book = Book(*users)
    spent = time.perf_counter() - began
    assert book.owners("tel:+1000009999") == ["000000000009999@d"]
    assert spent < 2.0


def test_one_impu_for_everybody_is_not_quadratic() -> None:
    book = Book(*(user(f"u{n}", "urn:service:sos") for n in range(5000)))
    assert len(book.owners("urn:service:sos")) == 5000


@pytest.mark.parametrize(
    ("properties", "warning"),
    [
        (
            {"multi_sim": True, "sim_algo": "milenage"},
            "multi_sim with sim_algo milenage, it is meant for xor",
        ),
        ({"multi_sim": True, "sim_algo": "milenage", "authent_type": "MD5"}, None),
        ({"multi_sim": True}, None),
        ({}, "an IMPU with imei, which counts only with multi_sim: true"),
    ],
)
def test_shared_sims_that_will_not_do_what_it_looks_like(
    properties: dict[str, object], warning: str | None
) -> None:
    book = Book(user("a@d", ImpuSettings(impu="tel:1", imei="35123456789012"), **properties))
    assert len(book.warnings) == (warning is not None)
    assert all(warning in each for each in book.warnings if warning)


def test_a_changed_user_keeps_its_place() -> None:
    shared = ("tel:100", ImpuSettings(impu="sip:x", match="^7"))
    book = Book(user("a@d", *shared), user("b@d", *shared), user("c@d", "tel:100"))
    for impi in ("a@d", "b@d", "c@d"):
        known = book.database.by_impi(impi)
        assert known is not None
        book.database.replace(dataclasses.replace(known, marked=True))
        assert book.owners("tel:100") == ["a@d", "b@d", "c@d"]
        assert book.owners("tel:700") == ["a@d"]
        assert [each.impi for each in book.database] == ["a@d", "b@d", "c@d"]
    assert all(each.marked for each in book.database)


def test_echo_numbers_are_replaced_in_their_place() -> None:
    book = Book()
    first = book.database.add_echo(ImpuSettings(match="^1"))
    second = book.database.add_echo(ImpuSettings(impu="tel:2"))
    changed = ImpuEntry.of(ImpuSettings(match="^3"))
    book.database.replace_echo(first, changed)
    assert book.database.echo == (changed, second)
    assert book.owners("tel:31") == ["echo"] and book.owners("tel:11") == []
    with pytest.raises(KeyError):
        book.database.replace_echo(first, changed)


def test_who_has_an_impu_literally() -> None:
    book = Book(user("a@d", "tel:+100", ImpuSettings(match="^9")), user("b@d", "tel:+100", "desk"))
    book.database.add_echo(ImpuSettings(impu="tel:+100"))
    names = [found.subscriber.impi if found.subscriber else "echo" for found in book.database.named("100")]
    assert names == ["a@d", "b@d", "echo"]
    assert [found.entry.key for found in book.database.named("sip:desk@x")] == ["sip:desk"]
    assert [found.entry.key for found in book.database.named("match:^9")] == ["match:^9"]
    assert book.database.named("tel:9") == ()
    assert book.database.owners("tel:100") == ()
