"""What `tests/spec` does not cover because no RFC says it."""

from __future__ import annotations

import pytest

from libreims.proto.sip.flow import Flow
from libreims.proto.sip.framing import FramingError
from libreims.proto.sip.message import Message, Request, Response
from libreims.proto.sip.stack import SipTimers, State
from support.stack_rig import PEER, TCP, UDP, US, Listener, StackRig, own_request, peer_request, wire
from support.virtual import VirtualLoop


@pytest.fixture
def rig(virtual_loop: VirtualLoop) -> StackRig:
    return StackRig(virtual_loop)


def test_timers_change_at_run_time(rig: StackRig) -> None:
    rig.stack.timers = SipTimers(t1=1.0, t2=2.0, t4=5.0)
    _, listener = rig.request()
    rig.at(200)
    assert rig.log[:5] == [f"OPTIONS@{t}" for t in (0, 1, 3, 5, 7)]
    assert listener.events == ["timeout@64"]


def test_stop_ends_everything_in_silence(rig: StackRig) -> None:
    client, heard = rig.request("INVITE")
    rig.request("MESSAGE")
    rig.answer(rig.serve("INVITE", branch="z9hG4bKa", call_id="a"), 200)
    rig.answer(rig.serve("INVITE", branch="z9hG4bKb", call_id="b"), 486)
    rig.answer(rig.serve("MESSAGE", branch="z9hG4bKc", call_id="c"), 200)
    open_one = rig.serve("MESSAGE", branch="z9hG4bKd", call_id="d")
    assert rig.stack.active == 5
    sent = len(rig.sent)
    rig.stack.stop()
    assert rig.stack.transactions == rig.stack.active == 0
    rig.answer(open_one, 200)
    rig.at(300)
    assert len(rig.sent) == sent
    assert heard.events == []
    assert client.state is State.TERMINATED
    assert rig.loop.pending_timers() == 0


def test_request_that_the_user_never_answers_is_forgotten(rig: StackRig) -> None:
    """Nothing may stay for ever; the peer gives up after timer F."""
    transaction = rig.serve("MESSAGE")
    rig.at(31.9)
    assert rig.stack.active == 1
    rig.at(32)
    assert rig.stack.transactions == 0
    rig.answer(transaction, 200)
    assert rig.log == []


def test_answering_stops_that_guard(rig: StackRig) -> None:
    transaction = rig.serve("MESSAGE")
    rig.at(20)
    rig.answer(transaction, 200)
    rig.at(51.9)
    rig.receive(peer_request("MESSAGE"))
    assert rig.log == ["200@20", "200@51.9"]
    rig.at(52)
    assert rig.stack.transactions == 0


@pytest.mark.parametrize("flow", [UDP, TCP])
@pytest.mark.parametrize("method", ["MESSAGE", "INVITE"])
def test_ignored_request_is_absorbed(rig: StackRig, method: str, flow: Flow) -> None:
    transaction = rig.serve(method, flow)
    transaction.ignore()
    rig.answer(transaction, 200)
    rig.at(10)
    rig.receive(peer_request(method, flow), flow)
    rig.at(32)
    assert rig.log == []
    assert len(rig.user.requests) == 1
    assert rig.stack.transactions == 0
    assert rig.loop.pending_timers() == 0


def test_ignore_after_the_answer_is_nothing(rig: StackRig) -> None:
    transaction = rig.serve("MESSAGE")
    rig.answer(transaction, 200)
    transaction.ignore()
    rig.receive(peer_request("MESSAGE"))
    assert rig.log == ["200@0", "200@0"]


def test_user_that_raises_leaves_a_sound_stack(rig: StackRig) -> None:
    class Clumsy(type(rig.user)):  # type: ignore[misc]
        def request_received(self, transaction: object) -> None:
            raise RuntimeError("oops")

    user, rig.stack.user = rig.stack.user, Clumsy()
    with pytest.raises(RuntimeError):
        rig.receive(peer_request("MESSAGE"))
    rig.stack.user = user
    rig.receive(peer_request("MESSAGE"))
    assert rig.user.requests == []
    rig.at(40)
    assert rig.stack.transactions == 0


def test_listener_that_raises_has_its_transaction_in_order(rig: StackRig) -> None:
    class Clumsy(Listener):
        def response_received(self, *_: object) -> None:
            raise RuntimeError("oops")

    invite = Request.build("INVITE", "sip:a@b", [("From", "<sip:a@b>;tag=1"), ("To", "<sip:c@d>")])
    invite.add("Call-ID", "x")
    invite.add("CSeq", "1 INVITE")
    transaction = rig.stack.request(invite, UDP, Clumsy(rig.loop))
    with pytest.raises(RuntimeError):
        rig.reply(transaction, 486)
    assert transaction.state is State.COMPLETED
    assert rig.log == ["INVITE@0", "ACK@0"]
    rig.at(40)
    assert rig.stack.transactions == 0


def test_unencodable_answer_changes_nothing(rig: StackRig) -> None:
    """A line break that a procedure puts into a header is its own fault; the peer may still get a 500."""
    transaction = rig.serve("INVITE")
    with pytest.raises(ValueError, match="line break"):
        rig.answer(transaction, 200, Subject="a\r\nb: c")
    assert transaction.state is State.PROCEEDING
    rig.answer(transaction, 500)
    assert rig.log == ["500@0"]


def test_hooks_see_what_the_stack_does_by_itself(rig: StackRig) -> None:
    originated: list[str] = []
    absorbed: list[str] = []

    def note(message: Message, flow: Flow) -> None:
        what = message.method if isinstance(message, Request) else str(message.status)  # type: ignore[attr-defined]
        originated.append(what)

    rig.stack.originated = note
    rig.stack.absorbed = lambda request, flow: absorbed.append(request.method)
    invite = rig.serve("INVITE")
    rig.at(1)
    rig.receive(peer_request("CANCEL"))
    rig.answer(invite, 487)
    rig.receive(peer_request("ACK", to_tag=invite.local_tag))
    assert (originated, absorbed) == (["100", "200"], ["CANCEL", "ACK"])
    transaction, _ = rig.request("INVITE")
    rig.reply(transaction, 180)
    transaction.cancel()
    rig.reply(transaction, 487)
    assert originated[2:] == ["CANCEL", "ACK"]
    rig.receive(peer_request("MESSAGE", branch="z9hG4bKm", call_id="m", extra="Expires: 1\nExpires: 2\n"))
    assert originated[4:] == ["400"]
    assert absorbed[2:] == []


class TestTransportErrors:
    def test_only_what_shares_the_path_fails(self, rig: StackRig) -> None:
        other = Flow("TCP", US, ("192.0.2.50", 5060))
        _, broken = rig.request("MESSAGE", TCP)
        done, _ = rig.request("MESSAGE", TCP)
        rig.reply(done, 200)
        _, fine = rig.request("MESSAGE", other)
        _, datagram = rig.request("MESSAGE", UDP)
        rig.stack.transport_error(TCP, ConnectionResetError())
        assert (broken.events, fine.events, datagram.events) == (["transport_failed@0"], [], [])

    def test_any_connection_to_the_peer_will_do(self, rig: StackRig) -> None:
        """A flow without number was carried by a connection that the transport numbered."""
        _, heard = rig.request("MESSAGE", Flow("TCP", US, PEER))
        rig.stack.transport_error(Flow("TCP", US, PEER, 99), ConnectionRefusedError())
        assert heard.events == ["transport_failed@0"]

    def test_broken_connection_of_a_request_is_not_the_end_of_its_answer(self, rig: StackRig) -> None:
        """§18.2.2: the 2xx goes out again on a new connection to the port of sent-by."""
        flow = Flow("TCP", US, (PEER[0], 40000), 5)
        transaction = rig.serve("INVITE", flow)
        transaction.listener = heard = Listener(rig.loop)
        rig.answer(transaction, 200)
        rig.stack.transport_error(flow, ConnectionResetError())
        rig.at(0.5)
        assert heard.events == []
        assert rig.log == ["200@0", "200@0.5"]
        rig.stack.transport_error(rig.sent[-1].flow, ConnectionRefusedError())
        assert heard.events == ["transport_failed@0.5"]

    def test_unreadable_stream_gets_its_answer(self, rig: StackRig) -> None:
        request = Request.build("MESSAGE", "sip:a", [])
        for line in peer_request("MESSAGE", TCP).split("\n")[1:-2]:
            name, _, value = line.partition(": ")
            request.add(name, value)
        rig.stack.transport_error(TCP, FramingError(513, "Message Too Large", request))
        assert rig.log == ["513@0"]
        assert rig.sent[0].flow.connection == TCP.connection
        rig.stack.transport_error(TCP, FramingError(400, "Noise"))
        assert rig.log == ["513@0"]
        assert len(rig.user.bad) == 1


def test_message_too_broken_to_be_answered(rig: StackRig) -> None:
    """Its topmost Via cannot be completed with where it came from."""
    rig.receive(peer_request("MESSAGE", via_params=', "'), Flow("UDP", US, ("203.0.113.7", 9)))
    assert rig.log == []
    assert len(rig.user.bad) == 1


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
@pytest.mark.parametrize(
    ("header", "word"),
    [
        ({"Via": "SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKx"}, "more than one Via"),
        ({"Contact": "*"}, "Contact"),
        ({"Contact": "<sip:b@z:x>"}, "malformed"),
        ({"Record_Route": "<sip:p"}, "malformed"),
        ({"Record_Route": "<sip:p:x>"}, "malformed"),
    ],
)
def test_a_response_that_must_not_be_used_is_dropped(
    rig: StackRig, method: str, header: dict[str, str], word: str
) -> None:
    """RFC 3261 §8.1.3.3: one with more than one Via is discarded; so is one that cannot be read."""
    said: list[str] = []
    transaction, listener = rig.request(method)
    rig.reply(transaction, 200, **header)
    assert listener.events == [] and transaction.state in (State.CALLING, State.TRYING)
    rig.stack.unfit = lambda response, flow, fault: said.append(fault)
    rig.reply(transaction, 200, **header)
    assert listener.events == [] and len(said) == 1 and word in said[0]
    rig.reply(transaction, 200)
    assert listener.events == ["200@0"]


def test_octets_are_kept_when_somebody_wants_to_see_them(rig: StackRig) -> None:
    assert rig.serve().request.octets == b""
    rig.stack.keep_octets = lambda: True
    text = peer_request("OPTIONS", branch="z9hG4bKpeer2", call_id="other", via_params=";rport")
    rig.receive(text)
    assert rig.user.requests[-1].request.octets == wire(text)


def test_refusal_whose_to_cannot_be_read_back(rig: StackRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our user may write anything into a response (callflow modifiers do): it goes out all the same."""
    sent: list[bytes] = []
    monkeypatch.setattr(rig.stack, "transmit", lambda data, flow: sent.append(data))
    rig.receive(peer_request("INVITE"))
    transaction = rig.user.requests[-1]
    response = Response.to_request(transaction.request, 404, tag=transaction.local_tag)
    response.set("To", '<sip:us@example.com>;x";tag=1')
    transaction.respond(response)
    assert transaction.state is State.COMPLETED
    assert sent[0].startswith(b"SIP/2.0 404 ")
    rig.at(200)
    assert rig.stack.transactions == 0


class TestNothingIsKept:
    """Users hold on to transactions; those let go of their users and octets when they are done."""

    @pytest.mark.parametrize(("method", "status"), [("INVITE", 486), ("MESSAGE", 200), ("MESSAGE", 404)])
    def test_client(self, rig: StackRig, method: str, status: int) -> None:
        transaction, _ = rig.request(method)
        rig.reply(transaction, 100)
        rig.reply(transaction, status)
        assert transaction.listener is None
        assert transaction._data == b""
        assert transaction._resend is None

    def test_client_with_a_2xx(self, rig: StackRig) -> None:
        transaction, _ = rig.request("INVITE")
        rig.reply(transaction, 200)
        assert transaction._data == b""
        rig.at(32)
        assert transaction.listener is None

    @pytest.mark.parametrize("acknowledged", [False, True])
    @pytest.mark.parametrize(("method", "status"), [("INVITE", 486), ("INVITE", 200), ("MESSAGE", 200)])
    def test_server(self, rig: StackRig, method: str, status: int, acknowledged: bool) -> None:
        transaction = rig.serve(method)
        transaction.listener = Listener(rig.loop)
        rig.answer(transaction, 100)
        rig.answer(transaction, status)
        if acknowledged:
            rig.receive(peer_request("ACK", to_tag=transaction.local_tag))
            transaction.acknowledged()
        else:
            rig.at(32)
        assert transaction.listener is None
        assert transaction._last == b""

    @pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
    def test_timers(self, rig: StackRig, method: str) -> None:
        rig.serve(method)
        rig.request(method)
        assert rig.loop.pending_timers() > 0
        rig.stack.stop()
        assert rig.loop.pending_timers() == 0


def test_local_tag(rig: StackRig) -> None:
    fresh = rig.serve("MESSAGE")
    assert fresh.local_tag and fresh.local_tag == fresh.local_tag
    inside = rig.serve("MESSAGE", branch="z9hG4bKin", to_tag="known")
    assert inside.local_tag == "known"


def test_response_without_branch_is_stray(rig: StackRig) -> None:
    rig.receive(
        "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.1:5060\nFrom: <sip:a@b>;tag=1\nTo: <sip:c@d>\n"
        "Call-ID: x\nCSeq: 1 MESSAGE\nContent-Length: 0\n\n"
    )
    assert len(rig.strays) == 1


def test_same_seed_same_bytes() -> None:
    def octets() -> list[bytes]:
        loop = VirtualLoop()
        rig = StackRig(loop)
        transaction, _ = rig.request("INVITE")
        rig.reply(transaction, 180)
        transaction.cancel()
        rig.answer(rig.serve("MESSAGE"), 200)
        loop.advance(5)
        loop.close()
        return [each.data for each in rig.sent]

    assert octets() == octets()


def test_transactions_on_tcp_leave_nothing(rig: StackRig) -> None:
    """The table by which broken connections find their transactions empties with the others."""
    for method, status in (("INVITE", 200), ("INVITE", 486), ("MESSAGE", 200)):
        transaction, _ = rig.request(method, TCP)
        rig.reply(transaction, status)
    for index, (method, status) in enumerate((("INVITE", 200), ("INVITE", 486), ("MESSAGE", 200))):
        branch = f"z9hG4bK{index}"
        served = rig.serve(method, TCP, branch=branch, call_id=branch)
        rig.answer(served, status)
    assert rig.stack.transactions > 0
    rig.at(40)
    assert rig.stack.transactions == 0


def test_failures_are_told_in_the_order_of_the_requests(rig: StackRig) -> None:
    """The same seed has to give the same trace."""
    heard: list[int] = []

    class Numbered(Listener):
        number = 0

        def transport_failed(self, *_: object) -> None:
            heard.append(self.number)

    for number in range(50):
        listener = Numbered(rig.loop)
        listener.number = number
        rig.stack.request(own_request("MESSAGE"), TCP, listener)
    rig.stack.transport_error(TCP, ConnectionResetError())
    assert heard == list(range(50))


def test_messages_that_must_not_belong_to_a_transaction(rig: StackRig) -> None:
    """Of what began on one address of ours, `fits` is asked about all that comes to another one."""
    asked: list[str] = []

    def fits(message: Message, flow: Flow, known: Flow) -> bool:
        assert (flow.local, known.local) == (elsewhere.local, US)
        asked.append(message.method if isinstance(message, Request) else str(message.status))
        return False

    elsewhere = Flow("UDP", (US[0], 7000), PEER)
    rig.stack.fits = fits
    client, heard = rig.request("MESSAGE")
    response = Response.to_request(client.request, 200, tag="peer").encode()
    rig.stack.receive(response, elsewhere)
    assert heard.events == []
    invite = rig.serve("INVITE")
    rig.receive(peer_request("CANCEL"), elsewhere)
    assert rig.user.cancels == [] and rig.log[-1].startswith("481")
    rig.answer(invite, 486)
    rig.receive(peer_request("ACK", to_tag=invite.local_tag), elsewhere)
    assert invite.state is State.COMPLETED and rig.user.acks == []
    accepted = rig.serve("INVITE", branch="z9hG4bKa", call_id="a")
    rig.answer(accepted, 200)
    rig.receive(peer_request("ACK", branch="z9hG4bKb", call_id="a", to_tag=accepted.local_tag), elsewhere)
    assert rig.user.acks == []
    assert asked == ["200", "CANCEL", "ACK", "ACK"]
    rig.stack.receive(response, client.flow)
    assert [event.partition("@")[0] for event in heard.events] == ["200"]
