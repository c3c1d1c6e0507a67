"""How a user is shown to others."""

from __future__ import annotations

import pytest

from libreims.config.load import loads
from libreims.config.schema import Settings
from libreims.proto.sip.uri import Uri
from libreims.users.identity import (
    ANONYMOUS,
    Identity,
    called_address,
    called_party,
    hides,
    identity_of,
    preferred_entry,
    privacy_of,
    with_verstat,
)
from libreims.users.subscriber import Subscriber


def user(impus: str, more: str = "", shared: bool = False) -> tuple[Settings, Subscriber]:
    text = f'domain: "d", {more} ue_db: [{{ impi: "u", multi_sim: {str(shared).lower()}, impu: [{impus}] }}],'
    settings = loads(text).settings
    return settings, Subscriber.of(settings.ue_db[0])


def identity(impus: str, which: int = 0, **options: str) -> Identity:
    settings, subscriber = user(impus)
    return identity_of(settings, subscriber, subscriber.impus[which], **options)


@pytest.mark.parametrize(
    ("impus", "from_", "asserted"),
    [
        ('"a"', "<sip:a@d>", ("<sip:a@d>",)),
        ('"tel:1"', "<tel:1>", ("<tel:1>",)),
        ('"a", "tel:1", "b", "tel:2"', "<sip:a@d>", ("<sip:a@d>", "<tel:1>")),
        ('{ impu: "a", asserted: true }, "tel:1"', "<sip:a@d>", ("<sip:a@d>",)),
        ('"a", { impu: "b", asserted: true }, { impu: "c", asserted: true }', "<sip:a@d>", ("<sip:b@d>",)),
        ('"a", { impu: "urn:service:sos", asserted: true }', "<sip:a@d>", ("<sip:a@d>",)),
        ('"a", { impu: "tel:1", associated: false }', "<sip:a@d>", ("<sip:a@d>",)),
        ('"a", { impu: "b", preferred: true }', "<sip:b@d>", ("<sip:a@d>",)),
        ('"a", { impu: "b", preferred: true, asserted: true }', "<sip:b@d>", ("<sip:b@d>",)),
        ('{ impu: "a", display_name: "A B" }', '"A B" <sip:a@d>', ('"A B" <sip:a@d>',)),
        ('"urn:service:sos", "a"', "<urn:service:sos>", ("<urn:service:sos>", "<sip:a@d>")),
    ],
)
def test_from_and_asserted(impus: str, from_: str, asserted: tuple[str, ...]) -> None:
    shown = identity(impus)
    assert (shown.from_, shown.asserted) == (from_, asserted)
    assert [value for name, value in shown.headers if name == "P-Asserted-Identity"] == list(asserted)


def test_the_other_kind_of_identity_goes_along() -> None:
    assert identity('"a", "tel:1"', 1).asserted == ("<tel:1>", "<sip:a@d>")


def test_identities_of_another_phone_with_the_same_sim() -> None:
    impus = (
        '"a", { impu: "tel:1", imei: "11111111111111", asserted: true }, '
        '{ impu: "tel:2", imei: "22222222222222", preferred: true }'
    )
    settings, subscriber = user(impus, shared=True)

    def of(imei: str) -> Identity:
        return identity_of(settings, subscriber, subscriber.impus[0], imei=imei)

    assert of("11111111111111").asserted == ("<tel:1>",)
    assert of("11111111111111").preferred == ""
    assert of("22222222222222").preferred == "<tel:2>"
    assert of("22222222222222").asserted == ("<sip:a@d>", "<tel:2>")
    assert of("").asserted == ("<sip:a@d>",)
    assert preferred_entry(subscriber, "22222222222222") is subscriber.impus[2]
    assert preferred_entry(subscriber, "11111111111111") is None


@pytest.mark.parametrize(
    ("privacy", "hidden"),
    [
        ("id", True),
        ("ID", True),
        (" user ; critical", True),
        ("header;session", True),
        ("id,critical", True),
        ("session", False),
        ("history", False),
        ("none", False),
        ("none;id", False),
        ("idle", False),
        ("", False),
    ],
)
def test_which_privacy_hides(privacy: str, hidden: bool) -> None:
    assert hides(privacy) is hidden
    shown = identity('"a"', privacy=privacy, name="A")
    assert shown.hidden is hidden
    assert (shown.from_ == ANONYMOUS) is hidden
    assert ("P-Asserted-Identity" in dict(shown.headers)) is not hidden
    assert dict(shown.headers).get("Privacy", "") == privacy
    assert shown.asserted == ("<sip:a@d>",), "the network knows"


@pytest.mark.parametrize(
    ("said", "goes"), [("", "id"), ("none", "id"), ("user;id", "user;id"), ("session", "id")]
)
def test_an_anonymous_impu(said: str, goes: str) -> None:
    shown = identity('{ impu: "a", anonymous: true, preferred: true }, "tel:1"', 1, privacy=said)
    assert shown.from_ == ANONYMOUS
    assert shown.headers == (("Privacy", goes),)


def test_privacy_of_several_lines() -> None:
    assert privacy_of(["id", " ", "critical "]) == "id;critical"
    assert privacy_of([]) == ""


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("tel:+33", "tel:+33;verstat=V"),
        ("sip:+33@d;user=phone", "sip:+33;verstat=V@d;user=phone"),
        ("sip:a@d", "sip:a;verstat=V@d"),
    ],
)
def test_verstat_belongs_to_the_number(uri: str, shown: str) -> None:
    assert with_verstat(uri, "V") == shown
    assert with_verstat(uri, None) == uri
    assert with_verstat(uri, "") == uri


@pytest.mark.parametrize(
    ("impu", "named", "shown"),
    [
        ('{ match: "^7" }', "tel:77", "<tel:77>"),
        ('{ match: "^7" }', "sip:77@elsewhere;user=phone", "<tel:77>"),
        ('{ impu: "range", match: "^7" }', "sip:7x@elsewhere", "<sip:7x@d>"),
        ('{ impu: "range", match: "^7", phone: true }', "sip:7x@elsewhere", "<sip:7x@d;user=phone>"),
        ('{ impu: "range", match: "^7" }', "sip:range@elsewhere", "<sip:range@d>"),
        ('{ impu: "tel:77", match: "^7" }', "tel:77", "<tel:77>"),
    ],
)
def test_an_impu_that_was_found_by_match_is_the_one_that_was_named(impu: str, named: str, shown: str) -> None:
    settings, subscriber = user(impu)
    entry, uri = subscriber.impus[0], Uri.parse(named)
    assert identity_of(settings, subscriber, entry, claimed=uri).from_ == shown
    assert called_address(settings, subscriber, entry, uri) == (shown, shown)


def test_called_identities() -> None:
    settings, subscriber = user(
        '{ impu: "tel:1", verstat: "V", display_name: "B" }, { impu: "tel:2", anonymous: true }'
    )
    assert called_address(settings, subscriber, subscriber.impus[0]) == (
        '"B" <tel:1>',
        '"B" <tel:1;verstat=V>',
    )
    assert called_address(settings, subscriber, subscriber.impus[1]) == ("<tel:2>", "")


@pytest.mark.parametrize(
    ("forced", "shown"),
    [
        ("tel:+1", "<tel:+1>"),
        ("sip:x@y", "<sip:x@y>"),
        ("sip:x", "<sip:x@d>"),
        ("x", "<sip:x@d>"),
        ("x@y", "<sip:x@y>"),
        ("<sip:x@y>;p=1", "<sip:x@y>;p=1"),
        ('\\"N\\" <sip:x@y>', '"N" <sip:x@y>'),
    ],
)
def test_a_forced_called_party(forced: str, shown: str) -> None:
    settings, subscriber = user(f'{{ impu: "a", p_called_party_id: "{forced}" }}')
    assert called_party(settings, subscriber, subscriber.impus[0]) == (("P-Called-Party-ID", shown),)


def test_the_called_party_where_the_server_wants_it() -> None:
    settings, subscriber = user('"a"', "p_called_party_id: true,")
    assert called_party(settings, subscriber, subscriber.impus[0]) == (("P-Called-Party-ID", "<sip:a@d>"),)
    settings, subscriber = user('"a"')
    assert called_party(settings, subscriber, subscriber.impus[0]) == ()


def test_a_value_that_would_break_a_header_is_refused() -> None:
    for name, value in (("display_name", "a\\r\\nb"), ("verstat", "a b"), ("p_called_party_id", "a\\nb")):
        with pytest.raises(Exception, match=name):
            user(f'{{ impu: "a", {name}: "{value}" }}')
