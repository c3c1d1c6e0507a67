"""Dialogs: RFC 3261 §12.  What two user agents agree on beyond one transaction.

Pure state: who calls decides which messages belong here (`dialog_key`) and sends what `new_request` builds.
One INVITE may open several dialogs when it was forked: `DialogSet`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from libreims.base.errors import Reject
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.headers import NameAddr
from libreims.proto.sip.message import Message, Request, Response

DialogKey = tuple[str, str, str]
"""Call-ID, local tag, remote tag (RFC 3261 §12: the dialog ID)."""

DialogState = Literal["early", "confirmed", "terminated"]

_FIRST_CSEQ = 1
_NOT_IN_REQUEST_URI = frozenset({"method", "lr"})


def dialog_key(message: Message) -> DialogKey:
    """The dialog that a received message names: a request has our tag in To, a response in From.

    A missing tag counts as "" (RFC 3261 §12.1.1, §12.1.2: clients of RFC 2543).
    """
    to, from_ = message.to.tag or "", message.from_.tag or ""
    if isinstance(message, Request):
        return message.call_id, to, from_
    return message.call_id, from_, to


class Dialog:
    """One dialog as one side sees it.

    `local_uri` and `remote_uri` are From/To header text without tag, `remote_target` the peer's Contact URI,
    `route_set` the Route header values in the order of sending.  `local_cseq` is the number of our last
    request; `remote_cseq` that of the peer's, None before the first one.
    """

    __slots__ = (
        "call_id",
        "initiator",
        "local_cseq",
        "local_tag",
        "local_uri",
        "remote_cseq",
        "remote_tag",
        "remote_target",
        "remote_uri",
        "route_set",
        "state",
    )

    def __init__(
        self,
        *,
        call_id: str,
        local_tag: str,
        remote_tag: str,
        local_uri: str,
        remote_uri: str,
        remote_target: str,
        route_set: list[str],
        local_cseq: int,
        remote_cseq: int | None,
        initiator: bool,
        state: DialogState = "early",
    ) -> None:
        self.call_id = call_id
        self.local_tag = local_tag
        self.remote_tag = remote_tag
        self.local_uri = local_uri
        self.remote_uri = remote_uri
        self.remote_target = remote_target
        self.route_set = route_set
        self.local_cseq = local_cseq
        self.remote_cseq = remote_cseq
        self.initiator = initiator
        self.state: DialogState = state

    @classmethod
    def from_request(cls, request: Request, local_tag: str) -> Dialog:
        """The dialog that our answer to `request` opens (§12.1.1), early until `confirm`.

        Raises Reject (400) when the request has no usable Contact, without which nothing could be sent, or a
        Record-Route that cannot be read.
        """
        try:
            target = _contact(request)
            routes = _record_routes(request)
        except SipParseError as error:
            why = f"{request.method} {request.call_id} has an unreadable Contact or Record-Route: {error}"
            raise Reject(400, why, reason=error.reason) from error
        if target is None:
            raise Reject(
                400,
                f"{request.method} {request.call_id} has no Contact: the peer must send one to open a dialog",
                reason="Missing Contact",
            )
        return cls(
            call_id=request.call_id,
            local_tag=local_tag,
            remote_tag=request.from_.tag or "",
            local_uri=str(request.to.without_params()),
            remote_uri=str(request.from_.without_params()),
            remote_target=target,
            route_set=routes,
            local_cseq=0,
            remote_cseq=request.cseq.number,
            initiator=False,
        )

    @classmethod
    def from_response(cls, request: Request, response: Response) -> Dialog:
        """The dialog that the answer to our `request` opens (§12.1.2): early by a 1xx, confirmed by a 2xx.

        Without a Contact (phones leave it out of 180) the Request-URI stands in until one comes.  Routes of a
        response that cannot be read count as none: the call has to be ended somehow.
        """
        return cls(
            call_id=request.call_id,
            local_tag=request.from_.tag or "",
            remote_tag=response.to.tag or "",
            local_uri=str(request.from_.without_params()),
            remote_uri=str(response.to.without_params()),
            remote_target=_readable_contact(response) or request.uri,
            route_set=_reversed_routes(response),
            local_cseq=request.cseq.number,
            remote_cseq=None,
            initiator=True,
            state="early" if response.status < 200 else "confirmed",
        )

    @property
    def key(self) -> DialogKey:
        """Call-ID, local tag, remote tag."""
        return self.call_id, self.local_tag, self.remote_tag

    @property
    def next_hop(self) -> str:
        """URI of where the next request goes first: the first route, else the remote target (§8.1.2)."""
        return _route_uri(self.route_set[0]) if self.route_set else self.remote_target

    def confirm(self, response: Response | None = None) -> None:
        """A 2xx was sent or received.

        For the initiator the route set is taken anew from it, unlike any later one (§13.2.2.4), and its
        Contact is the target.
        """
        if self.state == "early":
            self.state = "confirmed"
            if response is not None and self.initiator:
                self.route_set = _reversed_routes(response)
        if response is not None and self.initiator:
            self.refresh_target(response)

    def terminate(self) -> None:
        """The dialog is over (BYE, a final failure, 481 or 408 inside it)."""
        self.state = "terminated"

    def refresh_target(self, message: Message) -> None:
        """Take the peer's new Contact: from an INVITE, UPDATE or SUBSCRIBE, or a 2xx to one (§12.2)."""
        self.remote_target = _readable_contact(message) or self.remote_target

    def accepts(self, request: Request) -> None:
        """Check and note the CSeq of a request in this dialog (§12.2.2).

        Raises Reject: 481 for another dialog, 500 for a number lower than the last.  ACK and CANCEL have the
        number of their INVITE and are not checked.
        """
        if dialog_key(request) != self.key:
            raise Reject(481, f"{request.method} {request.call_id} names no dialog of ours")
        if request.method in ("ACK", "CANCEL"):
            return
        number = request.cseq.number
        if self.remote_cseq is not None and number < self.remote_cseq:
            raise Reject(
                500,
                f"{request.method} {request.call_id} is out of order: CSeq {number} after {self.remote_cseq}",
                reason="CSeq Out Of Order",
            )
        self.remote_cseq = number

    def new_request(self, method: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> Request:
        """A request in this dialog with the next CSeq (§12.2.1.1); `headers` follow those of the dialog."""
        self.local_cseq = self.local_cseq + 1 if self.local_cseq else _FIRST_CSEQ
        return self._build(method, self.local_cseq, headers, body)

    def ack(self, cseq_number: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> Request:
        """The ACK to the 2xx of the INVITE with this CSeq number (§13.2.2.4)."""
        return self._build("ACK", cseq_number, headers, body)

    def _build(self, method: str, number: int, headers: Iterable[tuple[str, str]], body: bytes) -> Request:
        uri, routes = self._routing()
        fields = [("Max-Forwards", "70")]
        fields += [("Route", route) for route in routes]
        fields += [
            ("From", _tagged(self.local_uri, self.local_tag)),
            ("To", _tagged(self.remote_uri, self.remote_tag)),
            ("Call-ID", self.call_id),
            ("CSeq", f"{number} {method}"),
        ]
        fields.extend(headers)
        return Request.build(method, uri, fields, body)

    def _routing(self) -> tuple[str, list[str]]:
        """Request-URI and Route: a first route without `lr` is a strict router (§12.2.1.1)."""
        routes = self.route_set
        if not routes:
            return self.remote_target, routes
        first = NameAddr.parse(routes[0]).uri
        if "lr" in first.params:
            return self.remote_target, routes
        uri = NameAddr.parse(routes[0]).uri_text.partition("?")[0]
        head, *params = uri.split(";")
        kept = [param for param in params if param.partition("=")[0].lower() not in _NOT_IN_REQUEST_URI]
        return ";".join([head, *kept]), [*routes[1:], f"<{self.remote_target}>"]


class DialogSet:
    """The dialogs that one INVITE (or SUBSCRIBE) of ours opens, one for each To tag (§12.1.2, §13.2.2.4)."""

    __slots__ = ("_dialogs", "_request")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._dialogs: dict[str, Dialog] = {}

    def __iter__(self) -> Iterator[Dialog]:
        return iter(tuple(self._dialogs.values()))

    def __len__(self) -> int:
        return len(self._dialogs)

    def received(self, response: Response) -> Dialog | None:
        """Note a response; returns its dialog, or None for one that opens none (100, 1xx without a tag).

        A 2xx confirms its dialog; any other final response ends all early ones (§12.3).
        """
        status = response.status
        if status >= 300:
            self.end_early()
            return None
        tag = response.to.tag
        if tag is None and status < 200:
            return None
        dialog = self._dialogs.get(tag or "")
        if dialog is None:
            dialog = self._dialogs[tag or ""] = Dialog.from_response(self._request, response)
        elif status >= 200:
            dialog.confirm(response)
        elif "Contact" in response:
            dialog.refresh_target(response)
        return dialog

    def end_early(self) -> None:
        """No 2xx will come any more for those that are early still."""
        for dialog in self._dialogs.values():
            if dialog.state == "early":
                dialog.terminate()


def _contact(message: Message) -> str | None:
    """URI of the first Contact; raises SipParseError where it is none."""
    contacts = message.contacts
    if not contacts:
        return None
    contacts[0].uri  # noqa: B018  (read now, so that no later request meets a malformed one)
    return contacts[0].uri_text


def _readable_contact(message: Message) -> str | None:
    try:
        return _contact(message)
    except SipParseError:
        return None


def _record_routes(message: Message) -> list[str]:
    """The Record-Route values; raises SipParseError where one is no address."""
    routes = message.elements("Record-Route")
    for route in routes:
        NameAddr.parse(route).uri  # noqa: B018
    return routes


def _reversed_routes(response: Response) -> list[str]:
    try:
        return _record_routes(response)[::-1]
    except SipParseError:
        return []


def _route_uri(route: str) -> str:
    return NameAddr.parse(route).uri_text


def _tagged(address: str, tag: str) -> str:
    return f"{address};tag={tag}" if tag else address
