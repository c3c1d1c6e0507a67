"""OPTIONS: what the server can do (RFC 3261 §11)."""

from __future__ import annotations

from libreims.config.store import ConfigStore
from libreims.cscf.answer import Answer
from libreims.cscf.options import supported
from libreims.cscf.user_agent import ALLOW, UserAgent
from libreims.proto.sip.server_transaction import ServerTransaction

ACCEPT = "application/sdp, application/reginfo+xml, application/vnd.3gpp.sms, text/plain"


class Capabilities:
    """Serves OPTIONS outside dialogs; also what monitoring tools and load balancers ping with."""

    def __init__(self, agent: UserAgent, config: ConfigStore) -> None:
        self._agent = agent
        self._config = config

    def options(self, transaction: ServerTransaction) -> None:
        """Answer 200 with the methods, bodies and extensions that are understood."""
        settings = self._config.current
        options = supported(reliable=settings.rel100, precondition=settings.precondition == "on")
        headers = (("Allow", ALLOW), ("Accept", ACCEPT), ("Supported", options))
        self._agent.respond(transaction, Answer(200, headers=headers))
