"""A program for a guest: the home network behind a P-CSCF of somebody else.

It sends CK and IK with the challenge (TS 24.229 §5.4.1.2.2), and each text back to who wrote it, by way of
the P-CSCF.

    python pcscf_stub.py HOST     # the address of the P-CSCF; listens on ADDRESS
"""

from __future__ import annotations

import asyncio
import sys

from libreims.net.sockets import SocketNetwork
from libreims.proto.sip.client_transaction import ClientTransaction
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.security_agreement import mechanisms
from libreims.proto.sip.stack import ServerTransaction
from libreims.run import LoopClock
from support.phones import RegistrarStub

ADDRESS = ("127.0.0.1", 4060)


class HomeNetwork(RegistrarStub):
    """Registers who comes, and talks back."""

    def __init__(self, pcscf: str) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(SocketNetwork(loop), LoopClock(loop), ADDRESS)
        self.algorithm, self.keys, self.qop = "AKAv1-MD5", True, ()
        self.other = self.talk_back
        self._way = Flow("UDP", ADDRESS, (pcscf, 5060))

    def talk_back(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        transaction.respond(Response.to_request(request, 200, tag=transaction.local_tag))
        writer = request.from_.uri_text
        register = next(each for each in reversed(self.registers) if each.to.uri_text == writer)
        (agreed,) = mechanisms(register.get_all("Security-Verify"))
        fields = [
            ("Max-Forwards", "70"),
            ("From", "<sip:home@ims.test>;tag=1"),
            ("To", f"<{writer}>"),
            ("Call-ID", self.tokens.call_id()),
            ("CSeq", "1 MESSAGE"),
            ("Content-Type", "text/plain"),
            ("X-Client-Port", dict(agreed.params)["port-c"]),  # of the P-CSCF, to send from
        ]
        answer = Request.build("MESSAGE", register.contacts[0].uri_text, fields, request.body)
        self.stack.request(answer, self._way, self)

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        print(f"{transaction.request.to.uri.user} {response.status}", flush=True)

    def timed_out(self, transaction: ClientTransaction) -> None:
        print(f"{transaction.request.to.uri.user} nothing", flush=True)

    def transport_failed(self, transaction: ClientTransaction, error: Exception) -> None:
        self.timed_out(transaction)


async def main(pcscf: str) -> None:
    await HomeNetwork(pcscf).start()
    print("up", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
