"""A wild phone with 100rel, UPDATE before the answer, preconditions and session timers, without manners."""

from __future__ import annotations

from collections.abc import Iterable

from libreims.proto.sip.client_transaction import ClientTransaction
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.server_transaction import ServerTransaction
from support.lab import SDP_TYPE, Lab, Outcome
from support.wild_phone import Talk, WildOutcome, WildPhone

OPTIONS = ("100rel", "100rel, precondition", "100rel, timer", "100rel, precondition, timer", "timer", "")
WAYS = ("none", "send", "recv", "sendrecv")
STRENGTHS = ("mandatory", "mandatory", "optional", "none", "failure")
VOLTE = '+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel"'


class WildEarlyPhone(WildPhone):
    """Random things before the answer on top of those after it."""

    def __init__(self, lab: Lab, name: str, host: str, transport: str, seed: int, manners: float) -> None:
        super().__init__(lab, name, host, transport, seed, manners)
        self.acknowledged = 0
        """PRACKs that found what they acknowledge."""

    def describe(self, kinds: list[str]) -> bytes:
        return super().describe(kinds) + self.status_lines()

    def status_lines(self) -> bytes:
        """Precondition lines for the last m-line."""
        if self.random.random() < 0.4:
            return b""
        met = "sendrecv" if self.polite() else self.random.choice(WAYS)
        strength = "mandatory" if self.polite() else self.random.choice(STRENGTHS)
        lines = [f"curr:qos local {met}", "curr:qos remote none", f"des:qos {strength} local sendrecv"]
        lines.append("des:qos mandatory remote sendrecv")
        if self.random.random() < 0.4:
            lines.append("conf:qos remote sendrecv")
        return "".join(f"a={line}\r\n" for line in lines).encode()

    def build(self, method: str, uri: str, headers: object = (), body: bytes = b"", to: str = "") -> Request:
        request = super().build(method, uri, headers, body, to)  # type: ignore[arg-type]
        if method == "INVITE":
            options = self.random.choice(OPTIONS)
            if options:
                request.add("Supported" if self.polite() else "Require", options)
            if "timer" in options and self.random.random() < 0.5:
                request.add("Session-Expires", self.random.choice(("90", "1800;refresher=uac", "5", "x")))
            request.add("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE, PRACK")
        return request

    def in_dialog(
        self, dialog: Dialog, method: str, body: bytes = b"", headers: Iterable[tuple[str, str]] = ()
    ) -> Outcome:
        dialog.local_cseq += 1000  # after whatever went out before the answer
        return super().in_dialog(dialog, method, body, headers)

    # -- called --------------------------------------------------------------------------------------

    def _called(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        if request.body and "100rel" in request.tokens("Supported"):
            number = self.random.randrange(1, 1000)
            when = 0.0
            for _ in range(self.random.randrange(4)):
                when += self.pause()
                self.later(when, self.reliably, transaction, number)
                number += 1 if self.polite() else self.random.randrange(-1, 3)
        super()._called(transaction)

    def reliably(self, transaction: ServerTransaction, number: int) -> None:
        if transaction.answered:
            return
        body = b""
        if self.random.random() < 0.6:
            body = self.answer_to(transaction.request.body)
            body += self.status_lines() if body.startswith(b"v=0\r\no=") else b""
        headers = (("Require", "100rel"), ("RSeq", str(max(number, 0))), ("Allow", "INVITE, UPDATE"))
        self.respond(transaction, self.random.choice((180, 183, 183)), body, headers)
        if self.random.random() < 0.4:
            dialog = Dialog.from_request(transaction.request, transaction.local_tag)
            dialog.local_cseq = self.random.randrange(1, 10)
            self.later(self.pause(), self.update, dialog)

    def update(self, dialog: Dialog) -> None:
        if not self.closing:
            method = "UPDATE" if self.polite() else self.random.choice(("UPDATE", "INVITE", "BYE", "PRACK"))
            body = (
                b"" if method in ("BYE", "PRACK") or self.random.random() < 0.2 else self.describe(["audio"])
            )
            headers = (("Content-Type", SDP_TYPE),) if body else ()
            request = dialog.new_request(method, (("Contact", f"<{self.uri}>"), *headers), body)
            outcome = WildEarlyOutcome(self, ["audio"], Talk(dialog))
            outcome.transaction = self.stack.request(request, self.flow, outcome)

    # -- calling -------------------------------------------------------------------------------------

    def call(self) -> None:
        before = len(self.calls)
        super().call()
        if len(self.calls) > before:
            made = self.calls[-1].transaction
            assert made is not None
            made.listener = WildEarlyOutcome.instead_of(self, self.calls[-1])
            self.calls[-1] = self.outcomes[-1] = made.listener


class WildEarlyOutcome(WildOutcome):
    """Acknowledges provisional responses: mostly, wrongly, twice, or never; and sends UPDATE meanwhile."""

    def __init__(self, phone: WildEarlyPhone, kinds: list[str], talk: Talk | None = None) -> None:
        super().__init__(phone, kinds, talk)
        self.early_phone = phone
        self.dialogs: dict[str, Dialog] = {}

    @classmethod
    def instead_of(cls, phone: WildEarlyPhone, outcome: object) -> WildEarlyOutcome:
        assert isinstance(outcome, WildOutcome)
        own = cls(phone, outcome.kinds)
        own.transaction = outcome.transaction
        return own

    def response_received(self, transaction: ClientTransaction, response: Response) -> None:
        super().response_received(transaction, response)
        phone, request = self.early_phone, transaction.request
        if request.method == "PRACK" and response.status == 200:
            phone.acknowledged += 1
        if request.method != "INVITE" or not 100 < response.status < 200 or "RSeq" not in response.fields:
            return
        tag = response.to.tag or ""
        dialog = self.dialogs.setdefault(tag, Dialog.from_response(request, response))
        if self.talk is not None:
            dialog = self.talk.dialog
        times = 1 if phone.polite() else phone.random.choice((0, 1, 2))
        for _ in range(times):
            rack = f"{response.get('RSeq')} {response.cseq.number} INVITE"
            if not phone.polite() and phone.random.random() < 0.3:
                rack = phone.random.choice(("1 1 INVITE", "x", "4294967296 1 INVITE"))
            body = phone.describe(["audio"]) if phone.random.random() < 0.1 else b""
            headers = [("RAck", rack)] + ([("Content-Type", SDP_TYPE)] if body else [])
            prack = dialog.new_request("PRACK", headers, body)
            phone.later(phone.pause() if phone.random.random() < 0.3 else 0.0, self.send, prack)
        if phone.random.random() < 0.5:
            phone.later(phone.pause(), phone.update, dialog)

    def send(self, request: Request) -> None:
        own = WildEarlyOutcome(self.early_phone, self.kinds)
        own.transaction = self.early_phone.stack.request(request, self.early_phone.flow, own)
