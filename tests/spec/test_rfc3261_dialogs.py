"""RFC 3261 §12: dialogs, as caller and as callee."""

from __future__ import annotations

import pytest

from libreims.base.errors import Reject
from libreims.proto.sip.dialog import Dialog, DialogSet, dialog_key
from libreims.proto.sip.message import Request, Response

INVITE = [
    ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
    ("From", '"A; > B" <sip:alice@example.com;x=1>;tag=alice'),
    ("To", "Bob <sip:bob@example.com>"),
    ("Call-ID", "c1"),
    ("CSeq", "41 INVITE"),
    ("Contact", "<sip:alice@192.0.2.1:5062;transport=tcp>;+g.3gpp.icsi-ref=x"),
]


def invite(*extra: tuple[str, str]) -> Request:
    return Request.build("INVITE", "sip:bob@example.com", [*INVITE, *extra])


def answer(
    status: int, tag: str = "bob", *headers: tuple[str, str], request: Request | None = None
) -> Response:
    fields = headers or (("Contact", "<sip:bob@192.0.2.2>"),)
    return Response.to_request(invite(), status, tag=tag, headers=fields)


def in_dialog(method: str, cseq: int, *, to: str = "bob", from_: str = "alice", call: str = "c1") -> Request:
    """A request of the caller as the callee gets it."""
    return Request.build(
        method,
        "sip:bob@192.0.2.2",
        [
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK2"),
            ("From", f"<sip:alice@example.com>;tag={from_}"),
            ("To", f"<sip:bob@example.com>;tag={to}"),
            ("Call-ID", call),
            ("CSeq", f"{cseq} {method}"),
        ],
    )


class TestCreation:
    """§12.1."""

    def test_callee(self) -> None:
        """§12.1.1: state from the request; the route set in the order of Record-Route."""
        request = invite(("Record-Route", "<sip:p2;lr>, <sip:p1;lr>"), ("Record-Route", "<sip:p0;lr>"))
        dialog = Dialog.from_request(request, "bob")
        assert dialog.state == "early"
        assert dialog.key == ("c1", "bob", "alice")
        assert dialog.remote_target == "sip:alice@192.0.2.1:5062;transport=tcp"
        assert dialog.route_set == ["<sip:p2;lr>", "<sip:p1;lr>", "<sip:p0;lr>"]
        assert dialog.remote_cseq == 41
        assert dialog.remote_uri == '"A; > B" <sip:alice@example.com;x=1>'
        assert "<sip:bob@example.com>" in dialog.local_uri
        assert "tag" not in dialog.local_uri + dialog.remote_uri
        dialog.confirm()
        assert dialog.state == "confirmed"

    def test_callee_needs_a_contact(self) -> None:
        """§12.1.1 takes the target from Contact: without one no request could ever be sent."""
        request = invite()
        request.remove("Contact")
        with pytest.raises(Reject) as refused:
            Dialog.from_request(request, "bob")
        assert refused.value.status == 400

    @pytest.mark.parametrize(
        "wrong", [("Contact", "<sip:a@[::>"), ("Contact", '"x <sip:a@b>'), ("Record-Route", "<sip:[:1;lr>")]
    )
    def test_callee_refuses_what_it_could_not_use_later(self, wrong: tuple[str, str]) -> None:
        """A BYE that cannot be built would keep the call for ever."""
        request = invite()
        request.set(*wrong)
        with pytest.raises(Reject) as refused:
            Dialog.from_request(request, "bob")
        assert refused.value.status == 400

    def test_caller_makes_do_with_a_broken_answer(self) -> None:
        """Nobody can be refused any more: the call has to be ended somehow."""
        broken = answer(200, "bob", ("Contact", "<sip:a@[::>"), ("Record-Route", "<sip:[:1;lr>"))
        dialog = Dialog.from_response(invite(), broken)
        bye = dialog.new_request("BYE")
        assert (bye.uri, bye.get_all("Route")) == ("sip:bob@example.com", [])
        dialog.refresh_target(broken)
        assert dialog.remote_target == "sip:bob@example.com"

    def test_callee_of_an_old_client(self) -> None:
        """ "If the request had no From tag, the tag is considered to have a value of null"."""
        request = invite()
        request.set("From", "<sip:alice@example.com>")
        assert Dialog.from_request(request, "bob").remote_tag == ""

    @pytest.mark.parametrize(("status", "state"), [(180, "early"), (200, "confirmed")])
    def test_caller(self, status: int, state: str) -> None:
        """§12.1.2: state from the response; the route set reversed."""
        routes = (("Record-Route", "<sip:p2;lr>, <sip:p1;lr>"), ("Contact", "<sip:bob@192.0.2.2;x>;q=1"))
        dialog = Dialog.from_response(invite(), answer(status, "bob", *routes))
        assert dialog.state == state
        assert dialog.key == ("c1", "alice", "bob")
        assert dialog.remote_target == "sip:bob@192.0.2.2;x"
        assert dialog.route_set == ["<sip:p1;lr>", "<sip:p2;lr>"]
        assert dialog.local_cseq == 41
        assert dialog.remote_cseq is None

    def test_caller_of_a_180_without_contact(self) -> None:
        """Phones send it; the Request-URI stands in until the 200 names the target."""
        dialog = Dialog.from_response(invite(), answer(180, "bob", ("Allow", "INVITE")))
        assert dialog.remote_target == "sip:bob@example.com"
        dialog.confirm(answer(200))
        assert dialog.remote_target == "sip:bob@192.0.2.2"

    def test_key_of_a_received_message(self) -> None:
        """§12: Call-ID, local tag, remote tag."""
        assert dialog_key(in_dialog("BYE", 2)) == ("c1", "bob", "alice")
        assert dialog_key(answer(200)) == ("c1", "alice", "bob")


class TestRequests:
    """§12.2.1.1."""

    def caller(self, *routes: str) -> Dialog:
        headers = [("Record-Route", route) for route in reversed(routes)]
        return Dialog.from_response(
            invite(), answer(200, "bob", *headers, ("Contact", "<sip:bob@192.0.2.2>"))
        )

    def test_fields(self) -> None:
        """URIs and tags of the dialog, Call-ID, CSeq one higher each time, target as Request-URI."""
        dialog = self.caller()
        request = dialog.new_request("BYE", [("Reason", "Q.850;cause=16")])
        assert (request.method, request.uri) == ("BYE", "sip:bob@192.0.2.2")
        assert request.from_.tag == "alice" and request.from_.uri_text == "sip:alice@example.com;x=1"
        assert request.from_.display == "A; > B"
        assert request.to.tag == "bob" and request.to.uri_text == "sip:bob@example.com"
        assert request.call_id == "c1"
        assert str(request.cseq) == "42 BYE"
        assert request.max_forwards == 70
        assert request.get("Reason") == "Q.850;cause=16"
        assert str(dialog.new_request("INFO").cseq) == "43 INFO"

    def test_callee_chooses_its_first_cseq(self) -> None:
        """ "If the local sequence number is empty, an initial value MUST be chosen"."""
        dialog = Dialog.from_request(invite(), "bob")
        assert 0 < dialog.new_request("BYE").cseq.number < 2**31
        assert dialog.new_request("BYE").cseq.number == dialog.local_cseq == 2

    def test_peer_without_tag_gets_none(self) -> None:
        """ "If the value of the remote or local tags is null, the tag parameter MUST be omitted"."""
        request = invite()
        request.set("From", "<sip:alice@example.com>")
        assert Dialog.from_request(request, "bob").new_request("BYE").to.tag is None

    def test_loose_routing(self) -> None:
        """ "first URI ... contains the lr parameter": target as Request-URI, Route in order."""
        dialog = self.caller("<sip:p1;lr>", "<sip:p2>")
        request = dialog.new_request("BYE")
        assert request.uri == "sip:bob@192.0.2.2"
        assert request.elements("Route") == ["<sip:p1;lr>", "<sip:p2>"]
        assert dialog.next_hop == "sip:p1;lr"

    def test_strict_routing(self) -> None:
        """ "place the first URI ... into the Request-URI, stripping any parameters that are not allowed";
        the remainder and the remote target as the last value into Route (the example of §12.2.1.1)."""
        dialog = self.caller("<sip:proxy1;method=INVITE;x=2?h=1>", "<sip:proxy2>", "<sip:proxy3;lr>")
        request = dialog.new_request("BYE")
        assert request.uri == "sip:proxy1;x=2"
        assert request.elements("Route") == ["<sip:proxy2>", "<sip:proxy3;lr>", "<sip:bob@192.0.2.2>"]

    def test_no_route_set(self) -> None:
        """ "If the route set is empty, the UAC MUST place the remote target URI into the Request-URI"."""
        request = self.caller().new_request("BYE")
        assert "Route" not in request

    def test_ack(self) -> None:
        """§13.2.2.4: the number of the INVITE, the route set of the dialog, no CSeq spent."""
        dialog = self.caller("<sip:p1;lr>")
        ack = dialog.ack(41)
        assert str(ack.cseq) == "41 ACK"
        assert ack.elements("Route") == ["<sip:p1;lr>"]
        assert dialog.local_cseq == 41

    def test_route_set_of_the_2xx_replaces_that_of_the_1xx(self) -> None:
        """§13.2.2.4: "the route set ... MUST be recomputed based on the 2xx response"."""
        early = answer(180, "bob", ("Record-Route", "<sip:old;lr>"), ("Contact", "<sip:bob@a>"))
        dialog = Dialog.from_response(invite(), early)
        dialog.confirm(answer(200, "bob", ("Record-Route", "<sip:new;lr>"), ("Contact", "<sip:bob@b>")))
        assert dialog.route_set == ["<sip:new;lr>"]
        assert dialog.remote_target == "sip:bob@b"

    def test_route_set_stays_after_that(self) -> None:
        """§12.2: "Requests within a dialog ... are not allowed to modify the route set" - the target only."""
        dialog = self.caller("<sip:p1;lr>")
        dialog.confirm(answer(200, "bob", ("Record-Route", "<sip:x;lr>"), ("Contact", "<sip:bob@new>")))
        assert dialog.route_set == ["<sip:p1;lr>"]
        assert dialog.remote_target == "sip:bob@new"


class TestReceiving:
    """§12.2.2."""

    @pytest.fixture
    def dialog(self) -> Dialog:
        return Dialog.from_request(invite(), "bob")

    def test_higher_numbers_may_skip(self, dialog: Dialog) -> None:
        """ "It is possible for the CSeq sequence number to be higher ... by more than one"."""
        dialog.accepts(in_dialog("INFO", 42))
        dialog.accepts(in_dialog("BYE", 90))
        assert dialog.remote_cseq == 90

    def test_lower_number_is_refused(self, dialog: Dialog) -> None:
        """ "the request is out of order and MUST be rejected with a 500"."""
        with pytest.raises(Reject) as refused:
            dialog.accepts(in_dialog("INFO", 40))
        assert refused.value.status == 500
        assert dialog.remote_cseq == 41

    def test_first_request_of_the_callee(self) -> None:
        """ "If the remote sequence number is empty, it MUST be set to the value of the request"."""
        dialog = Dialog.from_response(invite(), answer(200))
        dialog.accepts(in_dialog("BYE", 5, to="alice", from_="bob"))
        assert dialog.remote_cseq == 5

    def test_ack_and_cancel_keep_their_number(self, dialog: Dialog) -> None:
        """They carry that of the INVITE, also after a PRACK or UPDATE."""
        dialog.accepts(in_dialog("PRACK", 42))
        dialog.accepts(in_dialog("ACK", 41))
        assert dialog.remote_cseq == 42

    @pytest.mark.parametrize("other", [{"to": "x"}, {"from_": "x"}, {"call": "x"}])
    def test_request_of_another_dialog(self, dialog: Dialog, other: dict[str, str]) -> None:
        """481 (§12.2.2)."""
        with pytest.raises(Reject) as refused:
            dialog.accepts(in_dialog("BYE", 42, **other))
        assert refused.value.status == 481

    def test_target_refresh(self, dialog: Dialog) -> None:
        """ "MUST replace the dialog's remote target URI with the URI from the Contact header field"."""
        request = in_dialog("UPDATE", 42)
        dialog.refresh_target(request)
        assert dialog.remote_target == "sip:alice@192.0.2.1:5062;transport=tcp"
        request.set("Contact", "<sip:alice@198.51.100.1>")
        dialog.refresh_target(request)
        assert dialog.remote_target == "sip:alice@198.51.100.1"


class TestForking:
    """§12.1.2, §13.2.2: several responses to one INVITE, each with its To tag."""

    def test_one_dialog_for_each_tag(self) -> None:
        """Early ones side by side; a 2xx confirms its own alone."""
        dialogs = DialogSet(invite())
        assert dialogs.received(answer(100, "")) is None
        one = dialogs.received(answer(180, "one"))
        two = dialogs.received(answer(183, "two"))
        assert one is not None and two is not None and one is not two
        assert dialogs.received(answer(180, "one")) is one
        assert len(dialogs) == 2
        assert dialogs.received(answer(200, "two")) is two
        assert [each.state for each in dialogs] == ["early", "confirmed"]
        dialogs.end_early()
        assert [each.state for each in dialogs] == ["terminated", "confirmed"]

    def test_two_answers_make_two_confirmed_dialogs(self) -> None:
        """§13.2.2.4: "Multiple 2xx responses may arrive at the UAC for a single INVITE"."""
        dialogs = DialogSet(invite())
        first, second = dialogs.received(answer(200, "one")), dialogs.received(answer(200, "two"))
        assert first is not None and second is not None
        assert {first.key, second.key} == {("c1", "alice", "one"), ("c1", "alice", "two")}

    def test_failure_ends_early_dialogs(self) -> None:
        """§12.3: "a final response outside of 2xx terminates all early dialogs"."""
        dialogs = DialogSet(invite())
        early = dialogs.received(answer(180, "one"))
        assert early is not None
        assert dialogs.received(answer(486, "two")) is None
        assert early.state == "terminated"

    def test_tagless_2xx_of_an_old_server(self) -> None:
        """§12.1.2: a missing To tag is null."""
        dialog = DialogSet(invite()).received(answer(200, ""))
        assert dialog is not None
        assert (dialog.remote_tag, dialog.state) == ("", "confirmed")
