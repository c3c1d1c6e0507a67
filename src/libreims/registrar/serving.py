"""REGISTER and SUBSCRIBE as the router hands them over: transactions in, answers out."""

from __future__ import annotations

from libreims.cscf.answer import Answer
from libreims.cscf.user_agent import UserAgent
from libreims.proto.sip.server_transaction import ServerTransaction
from libreims.registrar.reg_event import RegEvent
from libreims.registrar.register import Registrar


class Registration:
    """What phones do with their registration."""

    def __init__(self, registrar: Registrar, reg_event: RegEvent, agent: UserAgent) -> None:
        self._registrar = registrar
        self._reg_event = reg_event
        self._agent = agent

    async def register(self, transaction: ServerTransaction) -> Answer:
        """Serve REGISTER. Raises Reject, SipParseError."""
        return await self._registrar.register(transaction.request, transaction.flow)

    def subscribe(self, transaction: ServerTransaction) -> None:
        """Serve SUBSCRIBE, the first one or one in its dialog. Raises Reject, SipParseError."""
        answer = self._reg_event.subscribe(transaction.request, transaction.flow, transaction.local_tag)
        self._agent.respond(transaction, answer)

    def in_dialog(self, transaction: ServerTransaction) -> bool:
        """A SUBSCRIBE that refreshes or ends; nothing else is sent in the dialog of a subscription."""
        if transaction.request.method != "SUBSCRIBE":
            return False
        self.subscribe(transaction)
        return True
