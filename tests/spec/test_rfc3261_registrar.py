"""RFC 3261 §10.3: processing REGISTER requests, on the registrar without transactions and network."""

from __future__ import annotations

import pytest

from libreims.base.errors import Reject
from support.registrar_rig import CONFIG, Rig, header, headers

A = "<sip:a@10.0.0.50>"
B = "<sip:b@10.0.0.50>"


def refused(rig: Rig, lines: str, **more: object) -> Reject:
    with pytest.raises(Reject) as caught:
        rig.register("alice", lines, **more)  # type: ignore[arg-type]
    return caught.value


def test_step_5_an_address_of_record_that_is_not_valid_is_404() -> None:
    """Step 5: an address-of-record that is not valid for the domain is answered 404."""
    assert refused(Rig(), f"Contact: {A}", to="<sip:nobody@ims.test>", username="").status == 404


def test_step_4_a_user_that_is_not_authorized_is_403() -> None:
    """Step 4: who is authenticated but not authorized to modify these bindings is answered 403."""
    assert refused(Rig(), f"Contact: {B}", to="<sip:bob@ims.test>", username="alice@ims.test").status == 403


def test_step_6_without_contact_the_bindings_are_fetched() -> None:
    """Step 6: without Contact nothing is changed and the answer of step 8 is given."""
    rig = Rig()
    rig.register("alice", f"Contact: {A}, {B};q=0.3")
    rig.causes()
    answer = rig.register("alice")
    assert answer.status == 200
    assert headers(answer, "Contact") == [f"{A};expires=3600", f"{B};expires=3600;q=0.3"]
    assert rig.causes() == []


def test_step_6_star_with_expires_zero_removes_all() -> None:
    """Step 6: `*` with Expires 0 removes every binding of the address-of-record."""
    rig = Rig()
    rig.register("alice", f"Contact: {A}, {B}")
    answer = rig.register("alice", "Contact: *\nExpires: 0")
    assert headers(answer, "Contact") == [] and rig.contacts() == []
    assert rig.causes() == ["registered", "registered", "unregistered", "unregistered"]


@pytest.mark.parametrize("lines", ["Contact: *", "Contact: *\nExpires: 60"])
def test_step_6_star_with_another_expiration_is_400(lines: str) -> None:
    """Step 6: `*` with another expiration time than zero is invalid, 400."""
    rig = Rig()
    rig.register("alice", f"Contact: {A}")
    assert refused(rig, lines).status == 400
    assert rig.contacts() == ["sip:a@10.0.0.50"]


def test_step_6_star_out_of_order_removes_nothing() -> None:
    """Step 6: with the same Call-ID only a higher CSeq removes a binding; else the request fails, 500."""
    rig = Rig()
    rig.register("alice", f"Contact: {A}", call_id="x", cseq=5)
    assert refused(rig, "Contact: *\nExpires: 0", call_id="x", cseq=5).status == 500
    assert len(rig.contacts()) == 1
    rig.register("alice", "Contact: *\nExpires: 0", call_id="another", cseq=1)
    assert rig.contacts() == []


def test_step_7_expires_parameter_goes_before_the_header() -> None:
    """Step 7: the `expires` parameter of a contact is taken first."""
    answer = Rig().register("alice", f"Expires: 100\nContact: {A};expires=200")
    assert header(answer, "Contact") == f"{A};expires=200"


def test_step_7_else_the_expires_header() -> None:
    """Step 7: without parameter the Expires header is taken."""
    answer = Rig().register("alice", f"Expires: 100\nContact: {A}")
    assert header(answer, "Contact") == f"{A};expires=100"


def test_step_7_else_a_configured_default() -> None:
    """Step 7: without either a locally configured default is taken."""
    rig = Rig(f"binding_expires: 1800, {CONFIG}")
    assert header(rig.register("alice", f"Contact: {A}"), "Contact") == f"{A};expires=1800"


def test_step_7_the_registrar_may_shorten() -> None:
    """Step 7: the registrar may choose less than was asked for."""
    answer = Rig().register("alice", f"Contact: {A};expires=600000")
    assert header(answer, "Contact") == f"{A};expires=3600"


def test_step_7_an_interval_that_is_too_brief_is_423_with_min_expires() -> None:
    """Step 7: an interval that is too brief may be refused, 423 with Min-Expires."""
    rejected = refused(Rig(), f"Contact: {A};expires=1")
    assert rejected.status == 423 and rejected.headers == (("Min-Expires", "30"),)


def test_step_7_malformed_expiry_counts_as_3600() -> None:
    """§10.2.1.1: a malformed value counts as 3600."""
    answer = Rig().register("alice", f"Contact: {A};expires=soon")
    assert header(answer, "Contact") == f"{A};expires=3600"


def test_step_7_a_binding_with_another_call_id_is_updated() -> None:
    """Step 7: a binding made with another Call-ID is updated whatever the CSeq."""
    rig = Rig()
    rig.register("alice", f"Contact: {A}", call_id="x", cseq=100)
    rig.register("alice", f"Contact: {A}", call_id="y", cseq=1)
    assert [(each.call_id, each.cseq) for each in rig.bindings.of("alice@ims.test")] == [("y", 1)]


@pytest.mark.parametrize("cseq", [4, 5])
def test_step_7_same_call_id_and_no_higher_cseq_fails_the_request(cseq: int) -> None:
    """Step 7: with the same Call-ID and a CSeq that is not higher the update is aborted."""
    rig = Rig()
    rig.register("alice", f"Contact: {A};expires=100", call_id="x", cseq=5)
    assert refused(rig, f"Contact: {A};expires=200", call_id="x", cseq=cseq).status == 500
    assert [each.cseq for each in rig.bindings.of("alice@ims.test")] == [5]


def test_step_7_all_updates_or_none() -> None:
    """Step 7: binding updates are committed if and only if all of them succeed."""
    rig = Rig()
    rig.register("alice", f"Contact: {A}", call_id="x", cseq=5)
    rig.causes()
    assert refused(rig, f"Contact: {B}, {A}", call_id="x", cseq=5).status == 500
    assert rig.contacts() == ["sip:a@10.0.0.50"]
    assert refused(rig, f"Contact: {B}, {A};expires=2").status == 423
    assert rig.contacts() == ["sip:a@10.0.0.50"] and rig.causes() == []


def test_step_7_expiration_zero_removes_one_binding() -> None:
    """Step 7: expiration zero removes the binding."""
    rig = Rig()
    rig.register("alice", f"Contact: {A}, {B}")
    answer = rig.register("alice", f"Contact: {A};expires=0")
    assert headers(answer, "Contact") == [f"{B};expires=3600"]


def test_step_7_removing_what_is_not_there_is_no_error() -> None:
    answer = Rig().register("alice", f"Contact: {A}\nExpires: 0")
    assert answer.status == 200 and headers(answer, "Contact") == []


def test_step_7_uris_are_compared_by_their_rules() -> None:
    """Step 7: current bindings are searched with the URI comparison rules."""
    rig = Rig()
    rig.register("alice", "Contact: <sip:%61@EXAMPLE.com:5060>")
    rig.register("alice", "Contact: <sip:a@example.com:5060;ob>")
    assert rig.contacts() == ["sip:a@example.com:5060;ob"]


def test_step_8_the_answer_lists_all_current_bindings_with_what_is_left() -> None:
    """Step 8: 200 lists all current bindings, each with its remaining `expires`."""
    rig = Rig()
    rig.register("alice", f"Contact: {A};expires=1000")
    rig.clock.advance(400)
    answer = rig.register("alice", f"Contact: {B};expires=100")
    assert sorted(headers(answer, "Contact")) == [f"{A};expires=600", f"{B};expires=100"]


def test_bindings_expire() -> None:
    """§10.3: a binding is gone when its time has passed, without another request."""
    rig = Rig()
    rig.register("alice", f"Contact: {A};expires=100")
    rig.clock.advance(99)
    assert rig.contacts() != []
    rig.clock.advance(2)
    assert rig.contacts() == [] and rig.causes() == ["registered", "expired"]


def test_an_hour_of_refreshes_keeps_the_binding() -> None:
    rig = Rig()
    for _ in range(60):
        rig.register("alice", f"Contact: {A};expires=120")
        rig.clock.advance(60)
    assert len(rig.contacts()) == 1
    assert rig.causes() == ["registered"] + ["refreshed"] * 59
