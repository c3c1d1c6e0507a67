"""The hook that every SIP message passes exactly once on its way in and once on its way out.

It sits above the transactions (a retransmission is not a message) and below the procedures.  The
message log and the statistics are here and nowhere else; callflow modifiers and custom headers join
them here.  Called by `cscf.router` (in) and `cscf.user_agent` (out).
"""

from __future__ import annotations

from libreims.base.clock import Clock
from libreims.base.counters import Counters
from libreims.base.log import LayerLog
from libreims.net.address import text
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.message import Message, Request, Response
from libreims.proto.sip.parser import KNOWN_METHODS

_NAMES = {method: "sip_" + method.lower() for method in KNOWN_METHODS}
REMEMBERED_CALL_IDS = 16384
"""Call-IDs whose log number is remembered; the oldest are forgotten first."""

EVENTS_KEPT = 1000
"""Most events of one dialog; what comes later is not listed."""

Followed = list[float | str]
"""Clock time, direction and name of each message in turn: flat, as a tuple for each would feed the GC."""


class DialogNumbers:
    """The number that stands in the SIP log for a dialog: one for each Call-ID, in order of appearance."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._last = 0

    def of(self, call_id: str) -> int:
        """The number of this Call-ID, a new one at first sight."""
        number = self._numbers.get(call_id)
        if number is None:
            self._last = number = (self._last + 1) & 0xFFFF
            if len(self._numbers) >= REMEMBERED_CALL_IDS:
                del self._numbers[next(iter(self._numbers))]
            self._numbers[call_id] = number
        return number


class Callflow:
    """Sees every message: writes the SIP log and counts."""

    def __init__(self, log: LayerLog, counters: Counters, clock: Clock) -> None:
        self._log = log
        self._counters = counters
        self._numbers = DialogNumbers()
        self._time = clock.time
        self._followed: dict[str, Followed] = {}

    def follow(self, call_id: str, events: Followed) -> None:
        """List every message with this Call-ID from now on (clock time, `send` or `recv`, `message_name`)."""
        self._followed[call_id] = events

    def unfollow(self, call_id: str, events: Followed) -> None:
        """Stop; harmless where another dialog with the same Call-ID is followed meanwhile."""
        if self._followed.get(call_id) is events:
            del self._followed[call_id]

    def received(self, message: Message, flow: Flow) -> None:
        """A request or response has come in."""
        name = message_name(message)
        self._counters.count(name)
        if self._followed:
            self._list("recv", message, name)
        if self._log.info_on:
            self._write("FROM", message, flow)

    def sent(self, message: Message, flow: Flow) -> None:
        """A request or response has gone out."""
        name = message_name(message)
        self._counters.count(name)
        if self._followed:
            self._list("send", message, name)
        if self._log.info_on:
            self._write("TO", message, flow)

    def _list(self, direction: str, message: Message, name: str) -> None:
        lines = message.fields.get("Call-ID")
        events = self._followed.get(lines[0]) if lines else None
        if events is not None and len(events) < 3 * EVENTS_KEPT:
            events += (self._time(), direction, name)

    def unanswered(self, request: Request, flow: Flow) -> None:
        """A request of ours got no final response in time."""
        self._counters.error("sip_timeout")
        self._log.warn(
            f"no answer from {text(flow.remote)} ({flow.transport}) to {request.method} {request.uri}",
            id=self._numbers.of(request.call_id),
        )

    def stray(self, response: Response, flow: Flow) -> None:
        """A response that belongs to no transaction: late, or not for us."""
        self._counters.error("sip_stray_response")
        self._log.info(
            f"{response.status} ({response.cseq.method}) from {text(flow.remote)} answers no request of ours",
            id=self._numbers.of(response.call_id),
        )

    def unfit(self, response: Response, flow: Flow, fault: str) -> None:
        """A response to a request of ours that is dropped for what is in it."""
        self._counters.error("sip_bad_response")
        self._log.warn(
            f"a response from {text(flow.remote)} ({flow.transport}) to {response.cseq.method} is dropped: "
            f"{fault}",
            id=self._numbers.of(response.call_id),
        )

    def outside(self, message: Message, flow: Flow) -> None:
        """A message outside of the IPsec that what it belongs to began in."""
        self._counters.error("sip_unprotected")
        what = message.status if isinstance(message, Response) else message_name(message)[4:].upper()
        self._log.warn(
            f"{what} from {text(flow.remote)} ({flow.transport}) is refused: it belongs to "
            "what the phone began through IPsec and did not come through the same phone's IPsec",
            id=self._numbers.of(message.call_id),
        )

    def wants_octets(self) -> bool:
        """Whether messages are shown in the log, which has to be as they came."""
        return self._log.debug_on

    def number(self, call_id: str) -> int:
        """The log number of a dialog."""
        return self._numbers.of(call_id)

    def _write(self, direction: str, message: Message, flow: Flow) -> None:
        log = self._log
        place = text(flow.remote)
        # An answer to a malformed request has only the lines of that request, as they came.
        if isinstance(message, Response):
            method = (message.get("CSeq") or "?").rpartition(" ")[2]
            head = f"{place} {message.status} {message.reason} ({method})"
        elif isinstance(message, Request):
            head = f"{place} {message.method} {message.uri}"
        dump = None
        if log.debug_on:
            dump = message.octets or message.encode()
            message.octets = b""  # or the message would be in memory twice for as long as its transaction
        call_id = message.get("Call-ID")
        log.message(direction, self._numbers.of(call_id) if call_id else None, head, dump)


def message_name(message: Message) -> str:
    """The name under which a message is counted: `sip_register`, `sip_200`."""
    if isinstance(message, Request):
        return _NAMES.get(message.method) or "sip_" + message.method.lower()
    assert isinstance(message, Response)
    return f"sip_{message.status}"
