"""REGISTER and SUBSCRIBE as the router hands them over: transactions in, answers out."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from libreims.cscf.answer import Answer
from libreims.cscf.user_agent import UserAgent
from libreims.proto.sip.server_transaction import ServerTransaction
from libreims.registrar.authentication import Authenticator
from libreims.registrar.reg_event import RegEvent
from libreims.registrar.register import Registrar
from libreims.users.subscriber import Subscriber


class Registration:
    """What phones do with their registration."""

    def __init__(
        self, registrar: Registrar, reg_event: RegEvent, authenticator: Authenticator, agent: UserAgent
    ) -> None:
        self._registrar = registrar
        self._reg_event = reg_event
        self._authenticator = authenticator
        self._agent = agent

    def register(self, transaction: ServerTransaction) -> Coroutine[Any, Any, Answer]:
        """Serve REGISTER. The coroutine raises Reject, SipParseError."""
        return self._registrar.register(transaction.request, transaction.flow)

    def subscribe(self, transaction: ServerTransaction) -> Coroutine[Any, Any, None] | None:
        """Serve the first SUBSCRIBE, authenticated where configured. Raises Reject, SipParseError."""
        subscriber = self._reg_event.subscriber(transaction.request)
        if self._authenticator.needed(transaction.request, subscriber):
            return self._authenticated(transaction, subscriber)
        self._subscribe(transaction)
        return None

    async def _authenticated(self, transaction: ServerTransaction, subscriber: Subscriber) -> None:
        """`auth_on_register_only: false`."""
        await self._authenticator.authenticate(transaction.request, subscriber, transaction.flow)
        self._subscribe(transaction)

    def _subscribe(self, transaction: ServerTransaction) -> None:
        answer = self._reg_event.subscribe(transaction.request, transaction.flow, transaction.local_tag)
        self._agent.respond(transaction, answer)

    def in_dialog(self, transaction: ServerTransaction) -> bool:
        """A SUBSCRIBE that refreshes or ends; nothing else is sent in the dialog of a subscription."""
        if transaction.request.method != "SUBSCRIBE":
            return False
        self._subscribe(transaction)
        return True
