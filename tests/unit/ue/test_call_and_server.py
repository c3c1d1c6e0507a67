"""Calls through a server that challenges, forks, answers late or oddly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from libreims.base.tokens import Tokens
from libreims.net.port import Flow
from libreims.net.simulated import SimulatedNetwork
from libreims.proto.sip import digest
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.stack import ServerTransaction
from libreims.ue.errors import CallError
from libreims.ue.phone import Phone
from support.phones import MILENAGE, RegistrarStub, phone_config
from support.virtual import run

ANSWER = (
    b"v=0\r\no=- 1 1 IN IP4 10.0.0.100\r\ns=-\r\nc=IN IP4 10.0.0.100\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
)
CONTACT = ("Contact", "<sip:10.0.0.100:5060>")
SDP = [CONTACT, ("Content-Type", "application/sdp")]


class Server(RegistrarStub):
    """Answers calls as a test says; counts ACK and BYE."""

    def __init__(self, network: SimulatedNetwork, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(network, loop)
        self.invites: list[Request] = []
        self.acks: list[Request] = []
        self.byes: list[Request] = []
        self.on_invite: Callable[[ServerTransaction], None] = lambda transaction: None
        self.on_bye: Callable[[ServerTransaction], None] = lambda transaction: self.answer(transaction, 200)
        self.other = self.dispatch

    def dispatch(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        if request.method == "INVITE":
            self.invites.append(request)
            self.on_invite(transaction)
        elif request.method == "BYE":
            self.byes.append(request)
            self.on_bye(transaction)
        else:
            self.answer(transaction, 200)

    def answer(
        self,
        transaction: ServerTransaction,
        status: int,
        headers: list[tuple[str, str]] | None = None,
        body: bytes = b"",
        tag: str = "",
    ) -> None:
        transaction.respond(
            Response.to_request(
                transaction.request,
                status,
                tag=tag or transaction.local_tag,
                headers=headers or [],
                body=body,
            )
        )

    def ack_received(self, request: Request, flow: Flow, transaction: ServerTransaction | None) -> None:
        self.acks.append(request)
        if transaction is not None:
            transaction.acknowledged()


def play(scenario: Callable[[Phone, Server], Awaitable[None]], **changes: object) -> None:
    async def whole() -> None:
        loop = asyncio.get_running_loop()
        network = SimulatedNetwork(loop)
        server = Server(network, loop)
        await server.start()
        phone = Phone(network, loop, Tokens(1), phone_config(1, server.address, **changes))
        await phone.start()
        await scenario(phone, server)
        await asyncio.sleep(200)
        assert all(call.is_over for call in phone.calls)
        assert phone.agent.stack.transactions == 0

    run(whole)


CHALLENGE = digest.Challenge("ims.test", "nonce1", algorithm="MD5", qop=("auth",))


@pytest.mark.parametrize("status", [401, 407])
def test_a_challenged_call_is_made_again_with_credentials(status: int) -> None:
    name = "Proxy-Authenticate" if status == 407 else "WWW-Authenticate"
    header = "Proxy-Authorization" if status == 407 else "Authorization"

    async def scenario(phone: Phone, server: Server) -> None:
        def challenge(transaction: ServerTransaction) -> None:
            text = transaction.request.get(header)
            if text is None:
                server.answer(transaction, status, [(name, str(CHALLENGE))])
                return
            credentials = digest.Credentials.parse(text)
            request = transaction.request
            good = credentials.expected(request.method, request.body, password=b"secret")
            assert credentials.response == good
            if request.method == "INVITE":
                server.answer(transaction, 200, SDP, ANSWER)
            else:
                server.answer(transaction, 200)

        server.on_invite = server.on_bye = challenge
        call = phone.call("1002")
        await call.wait_answered()
        first, second = server.invites
        assert second.cseq.number == first.cseq.number + 1
        assert second.call_id == first.call_id and second.from_.tag == first.from_.tag
        call.hang_up()
        assert (await call.wait_ended()).by == "us"
        # The BYE used the nonce again, with the next count.
        credentials = digest.Credentials.parse(server.byes[0].get(header) or "")
        assert credentials.nc == "00000002"

    play(scenario, password="secret")


def test_a_server_that_is_never_satisfied() -> None:
    async def scenario(phone: Phone, server: Server) -> None:
        server.on_invite = lambda transaction: server.answer(
            transaction, 407, [("Proxy-Authenticate", str(CHALLENGE))]
        )
        with pytest.raises(CallError) as raised:
            await phone.call("1002").wait_answered()
        assert raised.value.status == 407
        assert len(server.invites) == 3

    play(scenario, password="secret")


def test_a_challenge_that_it_cannot_answer() -> None:
    async def scenario(phone: Phone, server: Server) -> None:
        server.on_invite = lambda transaction: server.answer(
            transaction, 407, [("Proxy-Authenticate", str(CHALLENGE))]
        )
        with pytest.raises(CallError, match="this phone has a SIM"):
            await phone.call("1002").wait_answered()

    play(scenario, sim=MILENAGE, scheme="AKAv1-MD5")


def test_a_second_phone_that_answers_too_is_hung_up() -> None:
    async def scenario(phone: Phone, server: Server) -> None:
        def fork(transaction: ServerTransaction) -> None:
            server.answer(transaction, 180, [CONTACT], tag="one")
            server.answer(transaction, 180, [CONTACT], tag="two")
            server.answer(transaction, 200, SDP, ANSWER, tag="one")
            server.answer(transaction, 200, SDP, ANSWER, tag="two")
            server.answer(transaction, 200, SDP, ANSWER, tag="two")

        server.on_invite = fork
        call = phone.call("1002")
        await call.wait_answered()
        await asyncio.sleep(2)
        # RFC 3261 §13.2.2.4: both are acknowledged, the second one is hung up.
        assert {ack.to.tag for ack in server.acks} == {"one", "two"}
        assert [bye.to.tag for bye in server.byes] == ["two"]
        assert call.forks == 1 and call.is_established
        call.hang_up()
        await call.wait_ended()
        assert [bye.to.tag for bye in server.byes] == ["two", "one"]

    play(scenario)


def test_the_sdp_of_a_183_is_the_answer_and_the_200_need_not_repeat_it() -> None:
    async def scenario(phone: Phone, server: Server) -> None:
        def early(transaction: ServerTransaction) -> None:
            server.answer(transaction, 183, SDP, ANSWER)
            server.answer(transaction, 200, [CONTACT])

        server.on_invite = early
        call = phone.call("1002")
        await call.wait_answered()
        assert call.media.codecs == {"audio": "PCMU"}
        call.hang_up()

    play(scenario)


def test_a_200_without_an_answer_is_acknowledged_and_hung_up() -> None:
    async def scenario(phone: Phone, server: Server) -> None:
        server.on_invite = lambda transaction: server.answer(transaction, 200, [CONTACT])
        call = phone.call("1002")
        with pytest.raises(CallError, match="200 without SDP"):
            await call.wait_answered()
        assert len(server.acks) == len(server.byes) == 1

    play(scenario)


def test_a_200_that_comes_again_is_acknowledged_again() -> None:
    async def scenario(phone: Phone, server: Server) -> None:
        transactions: list[ServerTransaction] = []

        def answer(transaction: ServerTransaction) -> None:
            transactions.append(transaction)
            server.answer(transaction, 200, SDP, ANSWER)

        server.on_invite = answer
        call = phone.call("1002")
        await call.wait_answered()
        await asyncio.sleep(0.1)
        server.answer(transactions[0], 200, SDP, ANSWER)
        await asyncio.sleep(0.1)
        assert [ack.cseq.number for ack in server.acks] == [1, 1]
        assert len({ack.via.branch for ack in server.acks}) == 2
        call.hang_up()

    play(scenario)


@pytest.mark.parametrize("status", [408, 481])
def test_a_change_in_a_dialog_that_is_gone_ends_the_call(status: int) -> None:
    async def scenario(phone: Phone, server: Server) -> None:
        server.on_invite = lambda transaction: server.answer(transaction, 200, SDP, ANSWER)
        call = phone.call("1002")
        await call.wait_answered()
        server.on_invite = lambda transaction: server.answer(transaction, status)
        with pytest.raises(CallError) as raised:
            await call.hold()
        assert raised.value.status == status
        await call.wait_ended()
        assert len(server.byes) == 1

    play(scenario)


def test_a_refused_change_leaves_the_call_as_it_was() -> None:
    async def scenario(phone: Phone, server: Server) -> None:
        server.on_invite = lambda transaction: server.answer(transaction, 200, SDP, ANSWER)
        call = phone.call("1002")
        await call.wait_answered()
        server.on_invite = lambda transaction: server.answer(transaction, 488)
        with pytest.raises(CallError, match="488 Not Acceptable Here"):
            await call.hold()
        assert call.is_established and not call.media.held
        before = call.counts["audio"].packets_sent
        await asyncio.sleep(1)
        assert call.counts["audio"].packets_sent == pytest.approx(before + 50, abs=1)
        call.hang_up()

    play(scenario)


def test_requests_in_the_call_use_the_contact_and_record_route() -> None:
    async def scenario(phone: Phone, server: Server) -> None:
        headers = [*SDP, ("Record-Route", "<sip:10.0.0.100:5060;lr;a>, <sip:10.0.0.101;lr;b>")]
        server.on_invite = lambda transaction: server.answer(transaction, 200, headers, ANSWER)
        call = phone.call("1002")
        await call.wait_answered()
        call.hang_up()
        # RFC 3261 §12.1.2: reversed; the first hop is then another host, which nobody answers.
        await asyncio.sleep(100)
        bye = next(each for each in phone.recorder.messages(sent=True) if each.cseq.method == "BYE")
        assert isinstance(bye, Request)
        assert bye.elements("Route") == ["<sip:10.0.0.101;lr;b>", "<sip:10.0.0.100:5060;lr;a>"]
        assert bye.uri == "sip:10.0.0.100:5060"
        assert server.acks == []

    play(scenario)


def test_bye_that_nobody_answers_ends_all_the_same() -> None:
    async def scenario(phone: Phone, server: Server) -> None:
        server.on_invite = lambda transaction: server.answer(transaction, 200, SDP, ANSWER)
        server.on_bye = lambda transaction: None
        call = phone.call("1002")
        await call.wait_answered()
        call.hang_up()
        assert (await call.wait_ended()).text == "hung up"

    play(scenario)
