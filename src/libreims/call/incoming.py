"""An INVITE outside a dialog: who calls, may they, and on to a new call."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from libreims.call.caller import Caller
from libreims.call.calls import Calls
from libreims.call.locate import Locator
from libreims.cscf.authenticates import Authenticates
from libreims.proto.sip.message import Request
from libreims.proto.sip.server_transaction import ServerTransaction
from libreims.users.subscriber import Subscriber


class IncomingCalls:
    """Serves INVITE for the router."""

    def __init__(self, calls: Calls, locator: Locator, authenticator: Authenticates) -> None:
        self._calls = calls
        self._locator = locator
        self._authenticator = authenticator

    def serve(self, transaction: ServerTransaction) -> Coroutine[Any, Any, None] | None:
        """Start the call, or return the procedure that authenticates first. Raises Reject."""
        caller = self._locator.caller(transaction.request, transaction.flow)
        subscriber = caller.subscriber
        if subscriber is not None and self._authenticator.needed(transaction.request, subscriber):
            return self._authenticated(transaction, caller, subscriber)
        self._calls.invite(transaction, caller)
        return None

    async def _authenticated(
        self, transaction: ServerTransaction, caller: Caller, subscriber: Subscriber
    ) -> None:
        """`auth_on_register_only: false`: the INVITE is challenged like a REGISTER."""
        await self._authenticator.authenticate(transaction.request, subscriber, transaction.flow)
        if not transaction.answered:  # the caller may have given up meanwhile
            self._calls.invite(transaction, caller)


def caller_key(request: Request) -> str:
    """INVITEs of one caller are served one by one."""
    return request.from_.uri_text
