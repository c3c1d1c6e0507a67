"""A phone's subscription to its own registration state (RFC 3680, TS 24.229 §5.1.1.3)."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from libreims.base.clock import Cancellable
from libreims.base.errors import LibreImsError, Reject
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.message import Request, Response, delta_seconds
from libreims.proto.sip.uri import Uri
from libreims.ue.agent import Agent, Header, NoAnswer, explain
from libreims.ue.changes import Changes
from libreims.ue.registration import Registration

_NAMESPACE = "{urn:ietf:params:xml:ns:reginfo}"
_EXPIRES = 600_000
_GONE = ("deactivated", "rejected", "unregistered", "expired")
"""Contact events after which a binding is no more (RFC 3680 §5.2); probation too, with a time to retry."""


class SubscriptionError(LibreImsError):
    """The server does not notify us; the text says why."""


@dataclass(frozen=True, slots=True)
class ContactState:
    """One `<contact>` of a notification."""

    aor: str
    uri: str
    state: str
    event: str


class Subscription:
    """SUBSCRIBE for the reg event, and what its NOTIFY requests say."""

    def __init__(self, agent: Agent, registration: Registration) -> None:
        self._agent = agent
        self._registration = registration
        self._call_id = agent.tokens.call_id()
        self._tag = agent.tokens.tag()
        self._dialog: Dialog | None = None
        self._timer: Cancellable | None = None
        self.changes = Changes()
        self.active = False
        self.notified = 0
        """NOTIFY requests so far."""
        self.contacts: dict[tuple[str, str], ContactState] = {}
        """What is known of all bindings of our identities, by identity and contact URI."""

    def owns(self, request: Request) -> bool:
        """Whether a NOTIFY is ours; it may come before the answer to SUBSCRIBE (RFC 6665 §4.4.1)."""
        return request.call_id == self._call_id and request.to.tag == self._tag

    async def subscribe(self, expires: int = _EXPIRES) -> Response:
        """Subscribe, renew, or with 0 end it. Raises SubscriptionError."""
        agent = self._agent
        dialog = self._dialog
        uri = self._registration.associated[0] if self._registration.associated else agent.config.impu
        target = uri.partition("<")[2].partition(">")[0] if "<" in uri else uri
        number = 0

        def build(credentials: list[Header]) -> Request:
            nonlocal number
            number += 1
            headers: list[Header] = [
                ("Event", "reg"),
                ("Accept", "application/reginfo+xml"),
                ("Expires", str(expires)),
                ("Contact", agent.contact()),
                *credentials,
            ]
            if dialog is not None:
                return dialog.new_request("SUBSCRIBE", [*agent.common(), *headers])
            if agent.is_volte:
                headers.append(("P-Preferred-Identity", f"<{agent.config.impu}>"))
            return agent.build(
                "SUBSCRIBE",
                target,
                to=f"<{target}>",
                call_id=self._call_id,
                tag=self._tag,
                number=number,
                routes=agent.initial_routes(),
                headers=headers,
            )

        try:
            request, response = await agent.ask_with_credentials(build, in_dialog=dialog is not None)
        except NoAnswer as error:
            raise SubscriptionError(str(error)) from None
        if response.status >= 300:
            self._end()
            raise SubscriptionError(explain(response))
        if self._dialog is None:
            self._dialog = Dialog.from_response(request, response)
        self.active = expires > 0
        granted = response.expires if response.expires is not None else expires
        self._schedule(granted)
        return response

    def _schedule(self, granted: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.active and granted > 0:
            delay = granted - 600 if granted > 1200 else granted / 2
            self._timer = self._agent.clock.call_later(delay, self._renew)

    def _renew(self) -> None:
        self._agent.spawn(self._renewed())

    async def _renewed(self) -> None:
        try:
            await self.subscribe()
        except SubscriptionError as error:
            self._agent.recorder.note(f"could not renew the subscription: {error}")

    def notified_by(self, request: Request) -> None:
        """Take a NOTIFY. Raises Reject."""
        if self._dialog is None:
            # It came before the 2xx to SUBSCRIBE: it makes the dialog (RFC 6665 §4.4.1).
            self._dialog = Dialog.from_request(request, self._tag)
            self._dialog.local_cseq = 1
        else:
            if self._dialog.remote_tag == request.from_.tag:
                self._dialog.accepts(request)
            self._dialog.refresh_target(request)
        if request.get("Event") is None or not request.elements("Event")[0].startswith("reg"):
            raise Reject(489, "NOTIFY of another event than reg")
        self.notified += 1
        state = request.get("Subscription-State") or ""
        if request.body:
            self._read(request.body)
        if state.lower().startswith("terminated"):
            self._end()
        else:
            self.active = True
            _, found, seconds = state.partition("expires=")
            if found:
                self._schedule(delta_seconds(seconds.partition(";")[0]))
        self.changes.notify()

    def _read(self, body: bytes) -> None:
        if b"<!DOCTYPE" in body:
            raise Reject(400, "reginfo with a document type")
        try:
            root = ElementTree.fromstring(body)
        except ElementTree.ParseError as error:
            raise Reject(400, f"reginfo is not XML: {error}") from None
        if root.get("state") == "full":
            self.contacts.clear()
        ours = self._agent.contact().partition(">")[0].lstrip("<")
        for registration in root.iter(f"{_NAMESPACE}registration"):
            aor = registration.get("aor", "")
            for contact in registration.iter(f"{_NAMESPACE}contact"):
                uri = (contact.findtext(f"{_NAMESPACE}uri") or "").strip()
                state = ContactState(aor, uri, contact.get("state", ""), contact.get("event", ""))
                self.contacts[aor, uri] = state
                if _same_contact(uri, ours):
                    self._ours_changed(state)

    def _ours_changed(self, state: ContactState) -> None:
        if state.state == "terminated" and state.event in _GONE and self._registration.is_registered:
            self._registration.lost(f"the server says so ({state.event})")
        elif state.event == "shortened":
            # TS 24.229 §5.1.1.5A: the network wants us to authenticate anew.
            self._registration.refresh()

    def _end(self) -> None:
        self.active = False
        self._dialog = None
        self._call_id, self._tag = self._agent.tokens.call_id(), self._agent.tokens.tag()
        self.close()

    def close(self) -> None:
        """Stop the timer without a word to the server."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _same_contact(one: str, other: str) -> bool:
    try:
        first, second = Uri.parse(one), Uri.parse(other)
    except ValueError:
        return False
    return first.is_sip and first.user == second.user and first.host_port() == second.host_port()
