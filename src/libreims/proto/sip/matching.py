"""Which transaction a message belongs to: RFC 3261 §17.1.3, §17.2.3, §8.2.2.2, §9.2."""

from __future__ import annotations

from libreims.base.tokens import BRANCH_COOKIE
from libreims.proto.sip.headers import Via
from libreims.proto.sip.message import Request
from libreims.proto.sip.transaction import AckKey, MergeKey, ServerKey

CANCELLABLE = (
    "REGISTER",
    "MESSAGE",
    "SUBSCRIBE",
    "NOTIFY",
    "OPTIONS",
    "INFO",
    "UPDATE",
    "PRACK",
    "BYE",
    "PUBLISH",
    "REFER",
)
"""Methods besides INVITE that a CANCEL may mean; it has no effect on them but a 200 (RFC 3261 §9.2)."""


def server_key(request: Request, via: Via, method: str) -> ServerKey:
    """Key of the server transaction that `request` has with this method ("INVITE" for ACK and CANCEL).

    Branch, sent-by and method for clients of RFC 3261.  Older ones have no cookie in the branch: Request-URI,
    From tag, Call-ID, CSeq number and topmost Via for INVITE and its ACK and CANCEL, and the To tag otherwise
    (an ACK's To tag is that of the response, which `server_transaction` knows).  `via` is the topmost as it
    came.
    """
    branch = via.params.get("branch")
    if branch is not None and branch.startswith(BRANCH_COOKIE):
        return branch, via.host, via.port, method
    cseq = request.cseq
    return (
        branch,
        via.host,
        via.port,
        method,
        request.uri,
        request.from_.tag,
        None if method == "INVITE" else request.to.tag,
        request.call_id,
        cseq.number,
    )


def has_cookie(via: Via) -> bool:
    """Whether the client makes branches as RFC 3261 §8.1.1.7 says."""
    branch = via.params.get("branch")
    return branch is not None and branch.startswith(BRANCH_COOKIE)


def merge_key(request: Request) -> MergeKey | None:
    """What the same request has in common when it comes by two paths; None inside a dialog (§8.2.2.2)."""
    params = request.to.params
    if params and "tag" in params:
        return None
    number, method = request.cseq
    return request.call_id, request.from_.tag, number, method


def ack_key(ack: Request) -> AckKey:
    """What an ACK to a 2xx has in common with its INVITE (§13.2.2.4)."""
    return ack.call_id, ack.from_.tag, ack.to.tag, ack.cseq.number
