"""Reliable provisional responses (RFC 3262): both sides, without timers, sockets or messages of their own.

`negotiate` tells whether an INVITE is answered reliably.  `ReliableProvisionals` is the server's side of
one INVITE, `ProvisionalAcknowledger` the client's.  Time comes as an argument; `due` says when the owner
has to call `timeout`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, NamedTuple

from libreims.base.errors import Reject
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.grammar import LWS, decimal
from libreims.proto.sip.headers import RAck
from libreims.proto.sip.message import Request, Response

OPTION_TAG: Final = "100rel"

FIRST_RSEQ_LIMIT: Final = 2**31 - 1
"""Largest first RSeq (§3), so that no call ever gets to the end of the 32 bits."""
_RSEQ_LIMIT: Final = 2**32

DIALOG_LIMIT: Final = 64
"""Early dialogs of one INVITE whose reliable responses are acknowledged; no fork has that many."""

Policy = Literal["off", "supported", "required"]
"""What we think of 100rel: not at all, where the peer wants it, or never without it."""

Headers = tuple[tuple[str, str], ...]


# --- negotiation --------------------------------------------------------------------------------------


def negotiate(invite: Request, policy: Policy) -> bool:
    """Whether provisional responses to this INVITE are sent reliably (§3).

    Raises Reject: 420 when the peer requires what is switched off, 421 when we require what the peer lacks.
    """
    required = OPTION_TAG in invite.tokens("Require")
    if policy == "off":
        if required:
            raise Reject(
                420,
                f"INVITE {invite.call_id} requires {OPTION_TAG}, which is switched off here (100rel: false)",
                headers=(("Unsupported", OPTION_TAG),),
            )
        return False
    if required or OPTION_TAG in invite.tokens("Supported"):
        return True
    if policy == "required":
        raise Reject(
            421,
            f"INVITE {invite.call_id} does not support {OPTION_TAG}, without which no call is taken",
            headers=(("Require", OPTION_TAG),),
        )
    return False


def invite_option(policy: Policy) -> Headers:
    """The header of our own INVITE that says so (§4); Supported joins the other option tags there."""
    if policy == "off":
        return ()
    return (("Require" if policy == "required" else "Supported", OPTION_TAG),)


# --- server -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Provisional:
    """A provisional response that is to be sent reliably; headers without Require and RSeq."""

    status: int
    """101 to 199."""
    headers: Headers = ()
    body: bytes = b""
    """A session description, or nothing."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A provisional response as it goes out now."""

    provisional: Provisional
    rseq: int

    @property
    def headers(self) -> Headers:
        """All headers of the response, Require and RSeq among them."""
        return (*self.provisional.headers, ("Require", OPTION_TAG), ("RSeq", str(self.rseq)))


class Due(Enum):
    """What the time asks for."""

    NOTHING = "nothing"
    REPEAT = "repeat"
    """Send the last response again, octet for octet."""
    EXPIRED = "expired"
    """64*T1 without PRACK: refuse the INVITE with `UNACKNOWLEDGED` (§3)."""


UNACKNOWLEDGED: Final = 504
"""§3: "reject the original request with a 5xx response"."""


class Sdp(Enum):
    """What the session description of a PRACK is (§5)."""

    NONE = "none"
    ANSWER = "answer"
    """To the offer in our provisional response."""
    OFFER = "offer"
    """A further one: its answer goes into the 200 to the PRACK."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What a matching PRACK does."""

    numbered: Numbered
    """The response that it acknowledges."""
    sdp: Sdp
    refusal: Reject | None
    """What answers the PRACK instead of 200; the response counts as acknowledged all the same."""
    send: Numbered | None
    """Goes out next, after the answer to the PRACK."""
    success: bool
    """The 2xx that was held back goes out now, after the answer to the PRACK."""


_Exchange = Literal["none", "theirs", "ours", "done"]
"""Offer and answer: not begun, whose offer waits for its answer, or complete."""


class ReliableProvisionals:
    """The server's side of one INVITE: one unacknowledged response at a time, the others queue (§3).

    `due` is the time of the next `timeout`, None when there is nothing to wait for: look at it after each
    call.  Offers and answers are followed as far as they travel in provisional responses and PRACKs.
    """

    __slots__ = (
        "_began",
        "_cseq",
        "_exchange",
        "_interval",
        "_queue",
        "_rseq",
        "_state",
        "_t1",
        "_unacknowledged",
        "due",
    )

    def __init__(self, invite: Request, first_rseq: int, t1: float) -> None:
        """`first_rseq`: random, 1 to 2**31-1 (§3); `t1`: seconds."""
        if not 1 <= first_rseq <= FIRST_RSEQ_LIMIT:
            raise ValueError(f"first RSeq {first_rseq} is not from 1 to 2**31-1")
        self._cseq = invite.cseq.number
        self._t1 = t1
        self._rseq = first_rseq
        self._queue: deque[Provisional] = deque()
        self._unacknowledged: Numbered | None = None
        self._exchange: _Exchange = "theirs" if invite.body else "none"
        self._state: Literal["open", "held", "closed"] = "open"
        self._began = 0.0
        self._interval = 0.0
        self.due: float | None = None

    @property
    def unacknowledged(self) -> Numbered | None:
        """The response whose PRACK is missing."""
        return self._unacknowledged

    @property
    def waiting(self) -> int:
        """Responses that have not been sent yet."""
        return len(self._queue)

    @property
    def needs_offer(self) -> bool:
        """Whether the next response has to bring our offer: the INVITE had none (§5)."""
        return self._exchange == "none" and not any(each.body for each in self._queue)

    def submit(self, provisional: Provisional, now: float) -> Numbered | None:
        """Send this reliably; returns it when it goes out now, None when it queues or comes too late.

        Raises ValueError for 100 and final responses, and for one without a body where `needs_offer`.
        """
        if not 101 <= provisional.status <= 199:
            raise ValueError(f"{provisional.status} cannot be sent reliably")
        if self._state != "open":
            return None
        if self.needs_offer and not provisional.body:
            raise ValueError("the first reliable response to an INVITE without offer has to make one")
        self._queue.append(provisional)
        return self._next(now)

    def _next(self, now: float) -> Numbered | None:
        if self._unacknowledged is not None or not self._queue:
            return None
        provisional = self._queue.popleft()
        numbered = self._unacknowledged = Numbered(provisional, self._rseq)
        self._rseq += 1
        if provisional.body:
            if self._exchange == "none":
                self._exchange = "ours"
            elif self._exchange == "theirs":
                self._exchange = "done"
        self._began = now
        self._interval = self._t1
        self.due = now + self._t1
        return numbered

    def prack(self, prack: Request, now: float) -> Acknowledged:
        """A PRACK of this dialog.

        Raises Reject: 400 for a missing or malformed RAck, 481 when it matches no unacknowledged response.
        """
        numbered = self._match(prack)
        self._unacknowledged = None
        self.due = None
        sdp, refusal = self._received_sdp(bool(prack.body), prack)
        send = self._next(now) if self._state != "closed" else None
        success = self._state == "held" and self._unacknowledged is None
        if success:
            self._state = "closed"
        return Acknowledged(numbered, sdp, refusal, send, success)

    def _match(self, prack: Request) -> Numbered:
        text = prack.get("RAck")
        if text is None:
            raise Reject(400, f"PRACK {prack.call_id} has no RAck header", reason="Missing RAck")
        try:
            rack = RAck.parse(text)
        except SipParseError as error:
            why = f"PRACK {prack.call_id} has an unreadable RAck {text[:60]!r}"
            raise Reject(error.status, why, reason=error.reason) from error
        numbered = self._unacknowledged
        if numbered is None:
            raise Reject(481, f"PRACK {prack.call_id} (RAck {rack}): no response waits for one")
        if rack != (numbered.rseq, self._cseq, "INVITE"):
            wanted = RAck(numbered.rseq, self._cseq, "INVITE")
            raise Reject(481, f"PRACK {prack.call_id} acknowledges {rack}, what waits is {wanted}")
        return numbered

    def _received_sdp(self, present: bool, prack: Request) -> tuple[Sdp, Reject | None]:
        """§5: our offer is answered in the PRACK; a new offer only when none is under way."""
        if self._exchange == "ours":
            if present:
                self._exchange = "done"
                return Sdp.ANSWER, None
            why = f"PRACK {prack.call_id} lacks the answer to the offer in our provisional response"
            return Sdp.NONE, Reject(400, why, reason="Answer Missing")
        if not present:
            return Sdp.NONE, None
        if self._exchange == "done":
            return Sdp.OFFER, None
        why = f"PRACK {prack.call_id} makes an offer before the one of the INVITE is answered"
        return Sdp.NONE, Reject(500, why, reason="Offer Not Answered Yet")  # as RFC 3311 §5.2

    def timeout(self, now: float) -> Due:
        """The time `due` has come: each interval is twice the one before, without the limit of T2 (§3)."""
        if self._unacknowledged is None or self.due is None or now < self.due:
            return Due.NOTHING
        end = self._began + 64 * self._t1
        if now >= end:
            self.close()
            return Due.EXPIRED
        self._interval *= 2
        self.due = min(now + self._interval, end)
        return Due.REPEAT

    def success(self) -> bool:
        """A 2xx is to be sent: True when at once, False when `prack` will say so.

        §3: it waits while a response with a session description is unacknowledged.  Queued responses
        without one are given up, those with one are still sent, since the peer has to know them.
        """
        if self._state != "open":
            return self._state == "closed"
        self._queue = deque(each for each in self._queue if each.body)
        unacknowledged = self._unacknowledged
        if self._queue or (unacknowledged is not None and unacknowledged.provisional.body):
            self._state = "held"
            return False
        self.close()
        return True

    def close(self) -> None:
        """A final response goes out: nothing is repeated or newly sent, a late PRACK still matches (§3)."""
        self._state = "closed"
        self._queue.clear()
        self.due = None


# --- client -------------------------------------------------------------------------------------------


class Verdict(Enum):
    """What a provisional response is to its receiver."""

    UNRELIABLE = "unreliable"
    """Not sent reliably: processed without PRACK."""
    NEW = "new"
    """Acknowledged with PRACK and processed."""
    REPEATED = "repeated"
    """A retransmission: dropped, its PRACK is under way (§4)."""
    OUT_OF_ORDER = "out of order"
    """One before it is missing: neither acknowledged nor processed (§4)."""


class Reception(NamedTuple):
    """What to do with a provisional response."""

    verdict: Verdict
    rack: RAck | None
    """The RAck of the PRACK; None unless new."""


_UNRELIABLE: Final = Reception(Verdict.UNRELIABLE, None)
_REPEATED: Final = Reception(Verdict.REPEATED, None)
_OUT_OF_ORDER: Final = Reception(Verdict.OUT_OF_ORDER, None)


class ProvisionalAcknowledger:
    """The client's side of one INVITE: which provisional responses get a PRACK, by early dialog (§4)."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[str, int] = {}  # To tag -> RSeq of the last one in order

    def received(self, response: Response) -> Reception:
        """A provisional response to our INVITE.

        One that claims to be reliable but has no usable RSeq or no To tag is taken as unreliable: the call
        goes on, and whoever sent it will give up or not.
        """
        if response.status == 100 or OPTION_TAG not in response.tokens("Require"):
            return _UNRELIABLE
        tag = response.to.tag
        rseq = _rseq(response)
        if rseq is None or tag is None:
            return _UNRELIABLE
        last = self._last.get(tag)
        if last is None and len(self._last) >= DIALOG_LIMIT:
            return _OUT_OF_ORDER
        if last is not None and rseq != last + 1:
            return _REPEATED if rseq <= last else _OUT_OF_ORDER
        self._last[tag] = rseq
        return Reception(Verdict.NEW, RAck(rseq, response.cseq.number, response.cseq.method))


def _rseq(response: Response) -> int | None:
    text = response.get("RSeq")
    number = None if text is None else decimal(text.strip(LWS))
    return number if number is not None and 0 < number < _RSEQ_LIMIT else None
