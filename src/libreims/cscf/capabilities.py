"""OPTIONS: what the server can do (RFC 3261 §11)."""

from __future__ import annotations

from libreims.cscf.answer import Answer
from libreims.cscf.user_agent import ALLOW, SUPPORTED, UserAgent
from libreims.proto.sip.server_transaction import ServerTransaction

ACCEPT = "application/sdp, application/reginfo+xml"


class Capabilities:
    """Serves OPTIONS outside dialogs; also what monitoring tools and load balancers ping with."""

    def __init__(self, agent: UserAgent) -> None:
        self._agent = agent

    def options(self, transaction: ServerTransaction) -> None:
        """Answer 200 with the methods, bodies and extensions that are understood."""
        headers = (("Allow", ALLOW), ("Accept", ACCEPT), ("Supported", SUPPORTED))
        self._agent.respond(transaction, Answer(200, headers=headers))
