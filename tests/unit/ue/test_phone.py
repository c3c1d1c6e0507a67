"""What a phone answers to requests that are no call, and in the middle of one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from libreims.net.port import Flow
from libreims.net.simulated import SimulatedNetwork
from libreims.proto.sip.message import Request, Response
from libreims.ue.incoming import RING, AnswerMode
from libreims.ue.phone import Phone, PhoneError
from support.phones import PhonePair
from support.virtual import run

Header = tuple[str, str]


def play(scenario: Callable[[Phone, Phone], Awaitable[None]]) -> None:
    async def whole() -> None:
        loop = asyncio.get_running_loop()
        a, b = await PhonePair(SimulatedNetwork(loop), loop).start()
        b.answer_mode = AnswerMode(delay=0.0)
        await scenario(a, b)

    run(whole)


async def ask(a: Phone, method: str, headers: list[Header] | None = None, body: bytes = b"") -> Response:
    """A request outside of dialogs from A to B."""
    request = a.agent.build(
        method, "sip:b", to="<sip:b>", call_id="c1", tag="t1", number=7, headers=headers or [], body=body
    )
    return await a.agent.ask(request, a.agent.server_flow)


@pytest.mark.parametrize(
    ("dialled", "uri"),
    [
        ("666", "tel:666;phone-context=ims.test"),
        ("+33639980001", "tel:+33639980001"),
        ("bob", "sip:bob@ims.test"),
        ("bee", "sip:bee@ims.test"),
        ("bob@example.org", "sip:bob@example.org"),
        ("urn:service:sos", "urn:service:sos"),
    ],
)
def test_what_a_user_dials(dialled: str, uri: str) -> None:
    async def scenario(a: Phone, b: Phone) -> None:
        assert a.uri_of(dialled) == uri.replace("ims.test", a.config.realm)

    play(scenario)


def test_options_tells_what_it_can_do() -> None:
    async def scenario(a: Phone, b: Phone) -> None:
        response = await ask(a, "OPTIONS")
        assert response.status == 200
        assert {"INVITE", "BYE", "UPDATE", "INFO"} <= set(response.elements("Allow"))
        assert "100rel" not in response.tokens("Supported")
        assert response.to.tag

    play(scenario)


def test_a_message_is_kept_and_answered() -> None:
    async def scenario(a: Phone, b: Phone) -> None:
        response = await ask(a, "MESSAGE", [("Content-Type", "text/plain")], b"hello")
        assert response.status == 200
        assert [message.body for message in b.messages] == [b"hello"]

    play(scenario)


@pytest.mark.parametrize(
    ("method", "headers", "status", "header"),
    [
        ("OPTIONS", [("Require", "100rel, sec-agree")], 420, ("Unsupported", "100rel, sec-agree")),
        ("PUBLISH", [], 405, ("Allow", None)),
        ("BYE", [], 481, None),
        ("INFO", [], 481, None),
        ("NOTIFY", [("Event", "reg")], 481, None),
    ],
)
def test_what_it_refuses(
    method: str, headers: list[Header], status: int, header: tuple[str, str | None] | None
) -> None:
    async def scenario(a: Phone, b: Phone) -> None:
        response = await ask(a, method, headers)
        assert response.status == status
        if header is not None:
            value = response.get(header[0])
            assert value is not None and header[1] in (None, value)
        assert b.recorder.notes[-1].startswith(f"refuses {method}")

    play(scenario)


async def invite(a: Phone, headers: list[Header], body: bytes = b"") -> int:
    """The final status of an INVITE that A makes up."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    class Listener:
        def response_received(self, transaction: object, response: Response) -> None:
            if response.status >= 200 and not future.done():
                future.set_result(response.status)

        def timed_out(self, transaction: object) -> None:
            future.set_exception(AssertionError("no answer"))

        def transport_failed(self, transaction: object, error: Exception) -> None:
            future.set_exception(error)

    request = a.agent.build(
        "INVITE", "sip:b", to="<sip:b>", call_id="c2", tag="t2", number=1, headers=headers, body=body
    )
    a.agent.stack.request(request, a.agent.server_flow, Listener())
    return await future


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ([], b"", 400),
        ([("Contact", "<sip:a@10.0.0.1>"), ("Content-Type", "text/plain")], b"hello", 415),
        ([("Contact", "<sip:a@10.0.0.1>"), ("Content-Type", "application/sdp")], b"nonsense", 488),
        ([("Contact", "<sip:a@10.0.0.1>"), ("Require", "precondition")], b"", 420),
    ],
)
def test_invites_that_lead_nowhere(headers: list[Header], body: bytes, status: int) -> None:
    async def scenario(a: Phone, b: Phone) -> None:
        assert await invite(a, headers, body) == status
        assert b.active_call is None

    play(scenario)


def test_info_reaches_the_other_side() -> None:
    async def scenario(a: Phone, b: Phone) -> None:
        call = a.call("1")
        await call.wait_answered()
        response = await call.ask("INFO", [("Content-Type", "application/dtmf-relay")], b"Signal=5\r\n")
        assert response.status == 200
        assert [info.body for info in b.calls[0].infos] == [b"Signal=5\r\n"]
        response = await call.ask("INFO", [("Info-Package", "unknown")])
        # RFC 6086 §4.2.1.
        assert response.status == 469 and "Recv-Info" in response
        call.hang_up()

    play(scenario)


def test_a_request_that_is_out_of_order_gets_500() -> None:
    async def scenario(a: Phone, b: Phone) -> None:
        call = a.call("1")
        await call.wait_answered()
        assert call.dialog is not None
        call.dialog.local_cseq = 10
        assert (await call.ask("INFO")).status == 200
        call.dialog.local_cseq = 4
        assert (await call.ask("INFO")).status == 500
        call.dialog.local_cseq = 20
        call.hang_up()

    play(scenario)


def test_an_invite_without_offer_is_offered_one_and_the_ack_answers_it() -> None:
    async def scenario(a: Phone, b: Phone) -> None:
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        class Listener:
            def response_received(self, transaction: object, response: Response) -> None:
                if response.status == 200 and not answered.done():
                    answered.set_result(response)

            def timed_out(self, transaction: object) -> None:
                raise AssertionError("no answer")

            def transport_failed(self, transaction: object, error: Exception) -> None:
                raise error

        contact: list[Header] = [("Contact", a.agent.contact())]
        request = a.agent.build(
            "INVITE", "sip:b", to="<sip:b>", call_id="c3", tag="t3", number=1, headers=contact
        )
        a.agent.stack.request(request, a.agent.server_flow, Listener())
        response = await answered
        assert b"m=audio" in response.body
        answer = a._media().offered(response.body)
        headers: list[Header] = [
            ("From", str(request.from_)),
            ("To", str(response.to)),
            ("Call-ID", "c3"),
            ("CSeq", "1 ACK"),
            ("Max-Forwards", "70"),
            ("Content-Type", "application/sdp"),
        ]
        ack = Request.build("ACK", response.contacts[0].uri_text, headers, answer)
        a.agent.stack.send(ack, a.agent.server_flow)
        await asyncio.sleep(1)
        assert b.calls[0].is_established
        assert b.calls[0].counts["audio"].packets_sent == pytest.approx(50, abs=3)

    play(scenario)


def test_what_is_no_sip_is_noted() -> None:
    async def scenario(a: Phone, b: Phone) -> None:
        a.agent.send(b"this is not SIP at all\r\n\r\n", a.agent.server_flow)
        await asyncio.sleep(1)
        assert "not SIP" in b.recorder.notes[-1]

    play(scenario)


def test_nobody_calls() -> None:
    async def scenario(a: Phone, b: Phone) -> None:
        with pytest.raises(PhoneError, match="no call came in within 5 s"):
            await b.incoming(5)

    play(scenario)


def test_requests_in_a_dialog_follow_its_route_and_target() -> None:
    async def scenario(a: Phone, b: Phone) -> None:
        def flow(uri: str, *routes: str) -> Flow:
            headers = [("Route", route) for route in routes]
            return a.agent.flow_for(Request.build("BYE", uri, headers))

        assert flow("sip:b@10.0.0.7:5070").remote == ("10.0.0.7", 5070)
        assert flow("sip:b@10.0.0.7", "<sip:10.0.0.8:5080;lr>").remote == ("10.0.0.8", 5080)
        assert flow("sip:b@10.0.0.7;transport=tcp").transport == "TCP"
        assert flow("sip:b@name.test").remote == a.config.server
        assert flow("tel:1").remote == a.config.server
        assert flow("sip:b@[fd00::1]").remote == a.config.server

    play(scenario)


def test_a_phone_that_runs_long_can_forget() -> None:
    async def scenario(a: Phone, b: Phone) -> None:
        b.answer_mode = RING
        call = a.call("1")
        await asyncio.sleep(1)
        a.forget_ended()
        assert a.calls == [call]
        call.hang_up()
        await call.wait_ended()
        a.forget_ended()
        assert a.calls == [] and a.active_call is None

    play(scenario)
