"""RFC 3680 on RFC 6665: the reg event package, on the notifier without transactions and network."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from libreims.base.errors import Reject
from libreims.registrar.subscription import INTERVAL
from libreims.users.bindings import Cause
from support.registrar_rig import CONFIG, Rig, Sent, flow, header

NAMESPACE = "{urn:ietf:params:xml:ns:reginfo}"
A = "<sip:alice@10.0.0.50:5060>"


def subscribed(rig: Rig | None = None) -> Rig:
    """Alice is registered and subscribed, and knows it."""
    rig = rig or Rig()
    rig.register("alice", f"Contact: {A}")
    rig.subscribe("alice")
    rig.clock.advance(0)
    rig.outbox.one()
    rig.clock.advance(INTERVAL)
    return rig


def notify(rig: Rig) -> Sent:
    rig.clock.advance(0)
    return rig.outbox.one()


def states(sent: Sent) -> dict[str, tuple[str, list[tuple[str, str, str]]]]:
    """By aor: its state, and of each contact URI, state, event."""
    root = ET.fromstring(sent.text)
    assert root.tag == f"{NAMESPACE}reginfo"
    return {
        aor.attrib["aor"]: (
            aor.attrib["state"],
            [
                (each.findtext(f"{NAMESPACE}uri") or "", each.attrib["state"], each.attrib["event"])
                for each in aor
            ],
        )
        for aor in root
    }


def version(sent: Sent) -> int:
    return int(ET.fromstring(sent.text).attrib["version"])


def refused(rig: Rig, lines: str = "Event: reg", **more: object) -> Reject:
    with pytest.raises(Reject) as caught:
        rig.subscribe("alice", lines, **more)  # type: ignore[arg-type]
    return caught.value


def test_4_1_the_package_is_reg_and_others_are_489() -> None:
    """§4.1; RFC 6665 §4.2.1.1: an event package that is not understood is 489 with Allow-Events."""
    rig = Rig()
    rig.register("alice", f"Contact: {A}")
    for lines in ("Event: presence", "Event: reg.winfo", "Expires: 10"):
        rejected = refused(rig, lines)
        assert rejected.status == 489 and rejected.headers == (("Allow-Events", "reg"),)


def test_4_3_the_default_duration_is_3761_seconds() -> None:
    """§4.3: 3761 seconds where the SUBSCRIBE does not say."""
    rig = Rig()
    rig.register("alice", f"Contact: {A}")
    assert header(rig.subscribe("alice"), "Expires") == "3761"


def test_the_duration_is_the_one_asked_for_or_the_configured_one_if_that_is_less() -> None:
    """RFC 6665 §4.2.1.1: the notifier may shorten the period, never lengthen it."""
    rig = Rig()
    rig.register("alice", f"Contact: {A}")
    assert header(rig.subscribe("alice", "Event: reg\nExpires: 600000"), "Expires") == "600000"
    rig = Rig(f"subscribe_expires: 500, {CONFIG}")
    rig.register("alice", f"Contact: {A}")
    assert header(rig.subscribe("alice", "Event: reg\nExpires: 600000"), "Expires") == "500"
    assert header(rig.subscribe("alice", "Event: reg\nExpires: 60", call_id="c2"), "Expires") == "60"


def test_4_4_who_does_not_accept_reginfo_is_406() -> None:
    """§4.4: Accept, where it is there, has to include application/reginfo+xml."""
    rig = Rig()
    rig.register("alice", f"Contact: {A}")
    assert refused(rig, "Event: reg\nAccept: text/plain").status == 406
    assert rig.subscribe("alice", "Event: reg\nAccept: text/plain, application/reginfo+xml").status == 200


@pytest.mark.parametrize("target", ["sip:alice@ims.test", "tel:+3312345", "sip:+3312345@ims.test;user=phone"])
def test_4_5_users_may_subscribe_to_their_own_registration(target: str) -> None:
    """§4.5: users may subscribe to their own registration; phones name any IMPU of theirs."""
    rig = Rig()
    rig.register("alice", f"Contact: {A}")
    assert rig.subscribe("alice", target=target).status == 200


def test_4_5_others_may_not() -> None:
    """§4.5: authorization is a matter of policy; ours is the user alone, from where it registered."""
    rig = Rig()
    rig.register("alice", f"Contact: {A}")
    rig.register("bob", "Contact: <sip:bob@10.0.0.60>", at=flow("10.0.0.60"))
    assert refused(rig, from_="<sip:bob@ims.test>", at=flow("10.0.0.60")).status == 403
    rejected = refused(rig, at=flow("10.0.0.99"))
    assert rejected.status == 403 and "10.0.0.99" in rejected.why and "10.0.0.50" in rejected.why
    assert refused(rig, target="sip:nobody@ims.test").status == 404


def test_who_is_not_registered_may_not() -> None:
    rejected = refused(Rig())
    assert rejected.status == 403 and "nowhere" in rejected.why


def test_4_7_the_first_notify_follows_the_answer_and_has_the_full_state() -> None:
    """§4.7, §5: a NOTIFY follows at once, the first document is a full one."""
    rig = Rig()
    rig.register("alice", f"Contact: {A}")
    rig.subscribe("alice", "Event: reg;id=7\nExpires: 600")
    assert rig.outbox.sent == []
    sent = notify(rig)
    request = sent.request
    assert request.get("Event") == "reg;id=7"
    assert sent.state == "active;expires=600"
    assert request.get("Content-Type") == "application/reginfo+xml"
    assert request.uri == "sip:alice@10.0.0.50:5060"
    assert request.to.tag == "f1" and request.from_.tag == "our-tag"
    root = ET.fromstring(sent.text)
    assert root.attrib == {"version": "0", "state": "full"}
    assert states(sent) == {
        "sip:alice@ims.test": ("active", [("sip:alice@10.0.0.50:5060", "active", "registered")]),
        "tel:+3312345": ("active", [("sip:alice@10.0.0.50:5060", "active", "created")]),
    }
    contact = root[0][0]
    assert contact.attrib["expires"] == "3600" and contact.attrib["callid"] == "c1"


def test_5_versions_count_up_by_one() -> None:
    """§5.1: the version begins at 0 and goes up by one with each document."""
    rig = Rig()
    rig.register("alice", f"Contact: {A}")
    rig.subscribe("alice")
    versions = [version(notify(rig))]
    for _ in range(3):
        rig.clock.advance(INTERVAL)
        rig.register("alice", f"Contact: {A}")
        versions.append(version(notify(rig)))
    assert versions == [0, 1, 2, 3]


def test_5_identifiers_are_unique_and_stay() -> None:
    """§5.2, §5.3: each id is unique in the document and the same in later ones."""
    rig = subscribed()
    rig.register("alice", f"Contact: {A}, <sip:alice@10.0.0.51>")
    first = ET.fromstring(notify(rig).text)
    ids = [element.attrib["id"] for element in first.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids)) == 6
    rig.clock.advance(INTERVAL)
    rig.register("alice", f"Contact: {A}, <sip:alice@10.0.0.51>")
    second = ET.fromstring(notify(rig).text)
    assert ids == [element.attrib["id"] for element in second.iter() if "id" in element.attrib]


@pytest.mark.parametrize(
    ("lines", "event"),
    [
        (f"Contact: {A}", "refreshed"),
        (f"Contact: {A};expires=100", "refreshed"),
    ],
)
def test_4_7_2_changes_of_a_contact_are_told(lines: str, event: str) -> None:
    """§4.7.2, §5.3.2: refreshed, for a shorter time too: `shortened` is the network's doing."""
    rig = subscribed()
    rig.register("alice", lines)
    sent = notify(rig)
    assert states(sent)["sip:alice@ims.test"] == ("active", [("sip:alice@10.0.0.50:5060", "active", event)])


def test_4_7_2_a_new_contact_and_one_that_is_gone() -> None:
    """§5.3.2: registered; unregistered. A contact that is gone is shown once."""
    rig = subscribed()
    rig.register("alice", "Contact: <sip:alice@10.0.0.51>")
    sent = notify(rig)
    assert ("sip:alice@10.0.0.51", "active", "registered") in states(sent)["sip:alice@ims.test"][1]
    rig.clock.advance(INTERVAL)
    rig.register("alice", "Contact: <sip:alice@10.0.0.51>;expires=0")
    assert ("sip:alice@10.0.0.51", "terminated", "unregistered") in states(notify(rig))["sip:alice@ims.test"][
        1
    ]
    rig.clock.advance(INTERVAL)
    rig.register("alice", f"Contact: {A}")
    assert len(states(notify(rig))["sip:alice@ims.test"][1]) == 1


@pytest.mark.parametrize("event", ["deactivated", "rejected", "probation", "unregistered", "expired"])
def test_network_initiated_deregistration(event: str) -> None:
    """TS 24.229 §5.4.1.5; RFC 3680 §5.3.2; RFC 6665 §4.2.2: nothing is left to subscribe to."""
    rig = subscribed()
    rig.registrar.unregister("sip:alice@10.0.0.50:5060", event)
    sent = notify(rig)
    assert sent.state == "terminated;reason=noresource"
    assert states(sent) == {
        aor: ("terminated", [("sip:alice@10.0.0.50:5060", "terminated", event)])
        for aor in ("sip:alice@ims.test", "tel:+3312345")
    }
    assert ('retry-after="' in sent.text) is (event == "probation")
    assert len(rig.reg_event) == 0


def test_expiry_of_the_registration_ends_the_subscription() -> None:
    rig = subscribed()
    rig.clock.advance(3600)
    sent = rig.outbox.one()
    assert sent.state == "terminated;reason=noresource"
    assert states(sent)["tel:+3312345"][1] == [("sip:alice@10.0.0.50:5060", "terminated", "expired")]
    rig.clock.advance(10_000)
    assert rig.outbox.sent == [] and rig.clock.waiting == 0


def test_4_10_notifications_are_not_sent_more_often_than_every_five_seconds() -> None:
    """§4.10: not more often than every 5 seconds; what happens in between is in the next one."""
    rig = subscribed()
    rig.register("alice", "Contact: <sip:alice@10.0.0.51>")
    notify(rig)
    for number in range(52, 56):
        rig.register("alice", f"Contact: <sip:alice@10.0.0.{number}>")
    rig.clock.advance(INTERVAL - 0.1)
    assert rig.outbox.sent == []
    rig.clock.advance(0.2)
    assert len(states(rig.outbox.one())["sip:alice@ims.test"][1]) == 6


def test_a_new_contact_that_is_refreshed_before_the_notify_is_still_new() -> None:
    rig = subscribed()
    rig.register("alice", "Contact: <sip:alice@10.0.0.51>")
    rig.register("alice", "Contact: <sip:alice@10.0.0.51>")
    assert ("sip:alice@10.0.0.51", "active", "registered") in states(notify(rig))["sip:alice@ims.test"][1]


def test_one_notify_at_a_time() -> None:
    """What changes while a NOTIFY is under way is told when it has been answered."""
    rig = subscribed()
    rig.register("alice", "Contact: <sip:alice@10.0.0.51>")
    rig.clock.advance(0)
    (first,) = rig.outbox.take()
    rig.register("alice", "Contact: <sip:alice@10.0.0.52>")
    rig.clock.advance(3 * INTERVAL)
    assert rig.outbox.sent == []
    first.answer(100)
    assert rig.outbox.sent == []
    first.answer(200)
    rig.clock.advance(INTERVAL)
    assert len(states(rig.outbox.one())["sip:alice@ims.test"][1]) == 3


def test_rfc6665_a_refresh_moves_the_expiry_and_is_answered_with_the_state() -> None:
    """RFC 6665 §4.2.1.2: a SUBSCRIBE in the dialog is answered 200 and a NOTIFY follows."""
    rig = Rig()
    rig.register("alice", f"Contact: {A}")
    rig.subscribe("alice", "Event: reg\nExpires: 60")
    notify(rig)
    rig.clock.advance(50)
    refresh = "<sip:alice@ims.test>;tag=our-tag"
    rig.subscribe(
        "alice",
        "Event: reg\nExpires: 60\nContact: <sip:alice@10.0.0.50:7777>",
        to=refresh,
        target="sip:10.0.0.1",
    )
    sent = notify(rig)
    assert sent.state == "active;expires=60" and sent.request.uri == "sip:alice@10.0.0.50:7777"
    rig.clock.advance(59)
    assert rig.outbox.sent == []
    rig.clock.advance(2)
    assert rig.outbox.one().state == "terminated;reason=timeout"
    assert len(rig.reg_event) == 0


def test_rfc6665_a_refresh_of_what_has_ended_is_481() -> None:
    """RFC 6665 §4.2.1.2 and RFC 3261 §12.2.2."""
    rig = Rig()
    rig.register("alice", f"Contact: {A}")
    assert refused(rig, to="<sip:alice@ims.test>;tag=unknown").status == 481


def test_rfc6665_an_old_cseq_is_refused() -> None:
    """RFC 3261 §12.2.2: 500 for a CSeq lower than the last."""
    rig = Rig()
    rig.register("alice", f"Contact: {A}")
    rig.subscribe("alice", cseq=10)
    assert refused(rig, to="<sip:alice@ims.test>;tag=our-tag", cseq=9).status == 500


def test_rfc6665_unsubscribing_is_confirmed_by_a_last_notify() -> None:
    """RFC 6665 §4.1.2.3: Expires 0 ends the subscription; the last NOTIFY says terminated."""
    rig = subscribed()
    answer = rig.subscribe("alice", "Event: reg\nExpires: 0", to="<sip:alice@ims.test>;tag=our-tag")
    assert header(answer, "Expires") == "0"
    sent = notify(rig)
    assert sent.state == "terminated;reason=timeout"
    assert len(rig.reg_event) == 0
    rig.register("alice", f"Contact: {A}")
    rig.clock.advance(100)
    assert rig.outbox.sent == []


def test_rfc6665_a_fetch_gets_one_notify() -> None:
    """RFC 6665 §4.4.3: Expires 0 without a subscription fetches the state."""
    rig = Rig()
    rig.register("alice", f"Contact: {A}")
    rig.subscribe("alice", "Event: reg\nExpires: 0")
    sent = notify(rig)
    assert sent.state == "terminated;reason=timeout" and "active" in sent.text
    assert len(rig.reg_event) == 0


@pytest.mark.parametrize("status", [481, 404, 500, 503, 603])
def test_rfc6665_a_notify_that_fails_ends_the_subscription(status: int) -> None:
    """RFC 6665 §4.2.2: 481 and the like remove the subscription."""
    rig = subscribed()
    rig.register("alice", f"Contact: {A}")
    rig.clock.advance(0)
    (sent,) = rig.outbox.take()
    sent.answer(status)
    assert len(rig.reg_event) == 0
    rig.clock.advance(5000)
    assert rig.outbox.sent == []


def test_rfc6665_a_notify_without_answer_ends_the_subscription() -> None:
    """RFC 6665 §4.2.2: a NOTIFY that times out removes the subscription."""
    rig = subscribed()
    rig.register("alice", f"Contact: {A}")
    rig.clock.advance(0)
    (sent,) = rig.outbox.take()
    sent.time_out()
    assert len(rig.reg_event) == 0


def test_an_answer_that_comes_late_does_no_harm() -> None:
    rig = subscribed()
    rig.register("alice", f"Contact: {A}")
    rig.clock.advance(0)
    (sent,) = rig.outbox.take()
    rig.register("alice", f"Contact: {A};expires=0")
    rig.clock.advance(0)
    (last,) = rig.outbox.take()
    last.answer(200)
    sent.answer(481)
    sent.time_out()
    assert len(rig.reg_event) == 0


def test_phones_that_share_a_sim_are_told_of_themselves_only() -> None:
    """Manual, `multi_sim`: phones are told apart by their IMEI."""
    rig = Rig()
    for number in (1, 2):
        host = f"10.0.0.5{number}"
        rig.register(
            "fleet",
            f'Contact: <sip:f@{host}>;+sip.instance="<urn:gsma:imei:35000000-00000{number}-0>"',
            at=flow(host),
        )
        lines = f"Event: reg\nContact: <sip:f@{host}>"
        rig.subscribe("fleet", lines, at=flow(host), call_id=f"s{number}")
    rig.clock.advance(0)
    first, second = rig.outbox.take()
    first.answer(200)
    second.answer(200)
    assert set(states(first)) == {"sip:fleet@ims.test", "tel:1001"}
    assert [uri for uri, _, _ in states(second)["tel:1002"][1]] == ["sip:f@10.0.0.52"]
    rig.clock.advance(INTERVAL)
    rig.registrar.unregister("sip:f@10.0.0.51")
    sent = notify(rig)
    assert sent.state == "terminated;reason=noresource" and sent.flow.remote[0] == "10.0.0.51"
    assert len(rig.reg_event) == 1


def test_emergency_registrations_are_not_shown() -> None:
    rig = subscribed()
    rig.register("alice", "Contact: <sip:alice@10.0.0.50;sos>")
    rig.clock.advance(INTERVAL)
    assert rig.outbox.sent == []


def test_subscriptions_left_behind_by_restarts_do_not_pile_up() -> None:
    rig = Rig()
    rig.register("alice", f"Contact: {A}")
    for number in range(10):
        rig.subscribe("alice", call_id=f"s{number}")
        rig.clock.advance(0)
        for sent in rig.outbox.take():
            sent.answer(200)
    assert len(rig.reg_event) == 4


def test_what_stands_in_a_contact_cannot_break_the_document() -> None:
    rig = Rig()
    rig.register("alice", 'Contact: <sip:a&b@10.0.0.50>;+sip.instance="<urn:x:\'&\\">"', call_id="a<b>&c")
    rig.subscribe("alice")
    assert states(notify(rig))["sip:alice@ims.test"][1] == [("sip:a&b@10.0.0.50", "active", "registered")]


def test_the_document_still_names_a_user_that_was_removed() -> None:
    rig = subscribed()
    rig.database.remove("alice@ims.test")
    rig.bindings.remove(rig.bindings.of("alice@ims.test"), Cause.REJECTED)
    assert states(notify(rig))["sip:alice@ims.test"][0] == "terminated"


def test_close_leaves_no_timer() -> None:
    rig = subscribed()
    rig.register("alice", f"Contact: {A}")
    rig.reg_event.close()
    rig.bindings.close()
    assert rig.clock.waiting == 0
