"""Authentication of a request as a procedure needs it, which may not know `registrar.authentication`."""

from __future__ import annotations

from typing import Protocol

from libreims.proto.sip.flow import Flow
from libreims.proto.sip.message import Request
from libreims.users.subscriber import Subscriber


class Authenticates(Protocol):
    """Challenges requests and checks the answers (`auth_on_register_only: false`)."""

    def needed(self, request: Request, subscriber: Subscriber) -> bool:
        """Whether the request is to be authenticated."""

    async def authenticate(self, request: Request, subscriber: Subscriber, flow: Flow) -> object:
        """Returns when the credentials are right; raises Reject with a challenge or a refusal."""
