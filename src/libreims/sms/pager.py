"""Plain text between users: pager mode of RFC 3428.

A message to a phone without SMS over IP is passed on while that phone is there, and its answer is the
sender's answer.  Text for a phone with SMS over IP becomes a short message; so does text for a phone that is
off, or that has others waiting: it is kept and answered 202.
"""

from __future__ import annotations

from functools import partial
from typing import Final, NamedTuple

from libreims.base.bus import Bus
from libreims.base.clock import Cancellable, Clock
from libreims.base.errors import Reject
from libreims.base.log import LayerLog
from libreims.base.tokens import Tokens
from libreims.config.store import ConfigStore
from libreims.cscf.answer import Answer
from libreims.cscf.user_agent import UserAgent
from libreims.proto.sip.message import Request
from libreims.proto.sip.multipart import media_type
from libreims.proto.sip.server_transaction import ServerTransaction
from libreims.sms.centre import SmsCentre
from libreims.sms.conversion import deliveries
from libreims.sms.destination import Destinations, Receiver
from libreims.sms.errors import SmsRefused
from libreims.sms.events import SmsReceived
from libreims.sms.messages import Letter, Messages, Reply
from libreims.sms.over_ip import OverIp, place_of
from libreims.sms.parties import Sender
from libreims.sms.pending import Origin, Pending
from libreims.sms.port import Delivered
from libreims.sms.sender import originator
from libreims.sms.submission import Submissions
from libreims.sms.to_trunk import ToTrunk
from libreims.users.bindings import Binding, Bindings
from libreims.users.database import Found
from libreims.users.identity import called_address, called_party

TEXT: Final = "text/plain"
ACCEPT: Final = (("Accept", "text/plain, application/vnd.3gpp.sms"),)
PASSED: Final = (
    "Subject",
    "Date",
    "Reply-To",
    "In-Reply-To",
    "Content-Language",
    "Content-Disposition",
    "Content-Encoding",
)
"""Headers that go with a message that is passed on."""
KEPT_ANSWERS: Final = frozenset({404, 408, 410, 430, 480, 481, 500, 502, 503, 504})
"""Answers of a phone after which its text is kept: it is off, or has moved."""
PATIENCE: Final = 20.0
"""Seconds until text for a phone that does not answer is kept: its sender gives up after 32 (64*T1)."""
CHARSETS: Final = frozenset({"utf-8", "us-ascii", "ascii", "iso-8859-1", "latin1", "utf-16"})


class Page(NamedTuple):
    """One MESSAGE to be served."""

    transaction: ServerTransaction
    sender: Sender
    text: str | None
    """None for what is no plain text."""

    @property
    def request(self) -> Request:
        """The MESSAGE."""
        return self.transaction.request

    @property
    def origin(self) -> Origin:
        """Of what is kept."""
        entry, request = self.sender.entry, self.request
        impu = entry.key if entry is not None else ""
        return Origin(self.sender.phone, impu, request.call_id, request.cseq.number)


class Pager:
    """Serves MESSAGEs from user to user."""

    def __init__(
        self,
        config: ConfigStore,
        agent: UserAgent,
        messages: Messages,
        destinations: Destinations,
        bindings: Bindings,
        bearer: OverIp,
        centre: SmsCentre,
        submissions: Submissions,
        trunk: ToTrunk,
        clock: Clock,
        tokens: Tokens,
        bus: Bus,
        log: LayerLog,
    ) -> None:
        self._config = config
        self._agent = agent
        self._messages = messages
        self._destinations = destinations
        self._bindings = bindings
        self._bearer = bearer
        self._centre = centre
        self._submissions = submissions
        self._trunk = trunk
        self._clock = clock
        self._tokens = tokens
        self._bus = bus
        self._log = log

    def serve(self, transaction: ServerTransaction, sender: Sender) -> None:
        """Serve a MESSAGE that is no RP message. Raises Reject, SipParseError."""
        request = transaction.request
        text = text_of(request)
        page = Page(transaction, sender, text)
        if text is not None and self._submissions.hooked():
            self._tell(request, sender, text)
            self._agent.respond(transaction, Answer(202))
            return
        try:
            receiver = self._destinations.of(request.target, sender)
        except SmsRefused as refused:
            raise Reject(refused.status, refused.why) from refused
        if isinstance(receiver, Request):
            relay = partial(self.relay, page)
            content_type = request.get("Content-Type") or TEXT
            self._trunk.send(receiver, sender, content_type, request.body, relay, passed(request))
        else:
            self._to_user(page, receiver)
        if text is not None:
            self._tell(request, sender, text)

    def _to_user(self, page: Page, receiver: Receiver) -> None:
        subscriber, entry = receiver
        is_text = page.text is not None
        bindings = self._bindings.reachable((Found(subscriber, entry),))
        speaks = self._bearer.speaks
        bindings.sort(key=lambda binding: (-binding.q, not (is_text and speaks(binding))))
        waits = is_text and self._centre.waits(subscriber.impi, entry.key)
        if bindings and not waits and not (is_text and speaks(bindings[0])):
            self._pass_on(page, receiver, bindings[0])
        elif is_text:
            self._keep(page, receiver)
        else:
            raise Reject(
                480,
                f"MESSAGE of {page.sender.phone} to {page.request.uri} refused: no phone of "
                f"{subscriber.impi} is registered, and only text/plain is kept",
            )

    # -- passed on -------------------------------------------------------------------------------------

    def _pass_on(self, page: Page, receiver: Receiver, binding: Binding) -> None:
        settings, request, sender = self._config.current, page.request, page.sender
        subscriber, entry = receiver
        letter = Letter(
            sender.identity.from_,
            called_address(settings, subscriber, entry, request.target)[0],
            request.get("Content-Type") or TEXT,
            request.body,
            (
                *sender.identity.headers,
                *called_party(settings, subscriber, entry, request.target),
                *passed(request),
            ),
        )
        attempt = _Attempt(self, page, receiver, binding)
        if page.text is not None:
            attempt.patience = self._clock.call_later(PATIENCE, attempt.silent)
        self._messages.send(place_of(binding), letter, attempt.answered)

    def relay(self, page: Page, reply: Reply) -> None:
        """The far side's answer is the answer to the sender (RFC 3428 §7: a proxy would pass it)."""
        response = reply.response
        if response is None:
            self._agent.respond(page.transaction, Answer(reply.status))
            return
        headers = [
            (name, value)
            for name in ("Accept", "Warning", "Retry-After", "Reason")
            for value in response.get_all(name)
        ]
        self._agent.respond(page.transaction, Answer(response.status, response.reason, tuple(headers)))

    def keep_after_all(self, page: Page, receiver: Receiver, binding: Binding, why: str) -> list[str]:
        """The phone did not take it: store it and answer; returns the identifiers of the messages."""
        self._log.info(f"{receiver.subscriber.impi} {why} to a MESSAGE of {page.sender.phone}: it is kept")
        try:
            return self._keep(page, receiver, tried=binding.number)
        except Reject as reject:
            self._log.warn(f"{reject.status}: {reject.why}")
            self._agent.respond(page.transaction, Answer(reject.status, reject.reason, reject.headers))
            return []

    def delivered_late(self, ids: list[str]) -> None:
        """The phone took it after all, long after."""
        for id in ids:
            self._centre.go_on(self._centre.outcome(id, Delivered()))

    # -- kept --------------------------------------------------------------------------------------------

    def _keep(self, page: Page, receiver: Receiver, *, tried: int | None = None) -> list[str]:
        """Store it, answer 202. Raises Reject."""
        request, sender, centre = page.request, page.sender, self._centre
        messages: list[Pending] = []
        origin = page.origin
        if not centre.came_in(origin.submission):
            try:
                messages = self._messages_of(page, receiver, origin)
                centre.accept(messages, tried=tried)
            except SmsRefused as refused:
                raise Reject(refused.status, refused.why) from refused
            except ValueError as error:
                why = f"MESSAGE of {sender.phone} to {request.uri} refused: {error}"
                raise Reject(413, why) from error
        self._agent.respond(page.transaction, Answer(202))
        return [each.id for each in messages]

    def _messages_of(self, page: Page, receiver: Receiver, origin: Origin) -> list[Pending]:
        request, sender, centre = page.request, page.sender, self._centre
        reference = self._tokens.integer(0, 255)
        parts = deliveries(page.text or "", originator(sender.identity), centre.now(), reference)
        now, expires = centre.utc(), centre.expires(request.expires)
        return [
            Pending(
                centre.new_id(),
                receiver.subscriber.impi,
                receiver.entry.key,
                part,
                now,
                expires,
                dialled=str(request.target),
                from_=sender.identity.from_,
                origin=origin,
            )
            for part in parts
        ]

    def _tell(self, request: Request, sender: Sender, text: str) -> None:
        if self._bus.wanted(SmsReceived):
            self._bus.publish(
                SmsReceived(
                    originator(sender.identity).number,
                    request.target.user or request.uri,
                    text,
                    text.encode(),
                    0,
                    self._centre.utc(),
                )
            )


class _Attempt:
    """A MESSAGE that has been passed on, until the phone answers."""

    __slots__ = ("_binding", "_kept", "_page", "_pager", "_receiver", "patience")

    def __init__(self, pager: Pager, page: Page, receiver: Receiver, binding: Binding) -> None:
        self._pager = pager
        self._page = page
        self._receiver = receiver
        self._binding = binding
        self._kept: list[str] | None = None
        self.patience: Cancellable | None = None

    def answered(self, reply: Reply) -> None:
        """The phone's answer, or that there is none."""
        if self._kept is not None:
            if reply.good:
                self._pager.delivered_late(self._kept)
            return
        if self.patience is not None:
            self.patience.cancel()
        if self._page.text is not None and reply.status in KEPT_ANSWERS:
            self._kept = self._pager.keep_after_all(self._page, self._receiver, self._binding, reply.why)
        else:
            self._pager.relay(self._page, reply)

    def silent(self) -> None:
        """No answer for long."""
        why = f"has not answered for {PATIENCE:g} s"
        self._kept = self._pager.keep_after_all(self._page, self._receiver, self._binding, why)


def text_of(request: Request) -> str | None:
    """The text of `text/plain`; None for another type. Raises Reject (415) for a character set we lack."""
    content_type = request.get("Content-Type") or TEXT
    if media_type(content_type) != TEXT or request.get("Content-Encoding"):
        return None
    charset = "utf-8"
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip('"').lower()
    if charset not in CHARSETS:
        raise Reject(
            415,
            f"MESSAGE of {request.from_.uri_text} refused: the character set {charset} is not known; use "
            "UTF-8",
            headers=ACCEPT,
        )
    return request.body.decode(charset, "replace")


def passed(request: Request) -> tuple[tuple[str, str], ...]:
    """Headers that go with it."""
    return tuple([(name, value) for name in PASSED for value in request.get_all(name)])
