"""What a server looks at before it processes a message: RFC 3261 §8.2, §8.1.3.3, §16.3, RFC 4475.

`check_request` stands before every procedure; a request that it lets pass has header fields that can be read.
Whether a request is merged (482) only the transaction layer can tell, and does.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from libreims.base.tokens import BRANCH_COOKIE
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.parser import KNOWN_METHODS
from libreims.proto.sip.reasons import reason_phrase

SCHEMES: Final = frozenset({"sip", "sips", "tel", "urn"})
"""Request-URI schemes that an IMS routes on."""

SESSION_BODIES: Final = ("application/sdp", "multipart/mixed", "multipart/alternative", "multipart/related")
"""Bodies of requests that carry an offer or answer, in the order of our Accept."""

_SESSION_METHODS: Final = frozenset({"INVITE", "UPDATE", "PRACK"})
_SESSION_ACCEPT: Final = frozenset({"application/sdp", "application/*", "*/*"})
_NO_HEADERS: Final[tuple[tuple[str, str], ...]] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that goes no further: the answer, and one sentence for the log."""

    status: int
    reason: str
    why: str
    headers: tuple[tuple[str, str], ...] = _NO_HEADERS


def check_request(
    request: Request,
    *,
    methods: Collection[str],
    extensions: Collection[str],
    schemes: Collection[str] = SCHEMES,
) -> Refusal | None:
    """The refusal that a parsed request deserves, or None when a procedure may have it.

    `methods` are those that the server handles, `extensions` the option tags (lower case) that it supports,
    `schemes` those of Request-URIs that it can route.  Order: syntax 400, Max-Forwards 483, method 405 or
    501, Request-URI 416, Require 420, body 415, Accept 406.  An ACK is looked at too, but nobody answers it.
    """
    try:
        refusal = _check_syntax(request, schemes)
        if refusal is not None:
            return refusal
        if request.method not in methods:
            return _unknown_method(request.method, methods)
        return _check_extensions(request, extensions) or _check_body(request)
    except SipParseError as error:
        return Refusal(error.status, error.reason, f"{request.method} is malformed: {error.reason.lower()}")


def check_response(response: Response) -> str | None:
    """Why a user agent client has to drop a response (one sentence for the log), or None.

    RFC 3261 §8.1.3.3: more than one Via means that it was meant for somebody else (RFC 4475 §3.3.10).
    """
    try:
        fields = response.fields
        vias = fields["Via"]
        if len(vias) > 1 or ("," in vias[0] and len(response.elements("Via")) > 1):
            return f"{response.status} has more than one Via, so it was not meant for us"
        if "Contact" in fields:
            if response.contacts_star:
                return f"{response.status} has the Contact *"
            for contact in response.contacts:
                contact.uri  # noqa: B018  (read now, so that no procedure meets a malformed one)
        if "Record-Route" in fields:
            for route in response.record_routes:
                route.uri  # noqa: B018
    except SipParseError as error:
        return f"{response.status} is malformed: {error.reason.lower()}"
    return None


def _check_syntax(request: Request, schemes: Collection[str]) -> Refusal | None:
    """RFC 3261 §16.3 steps 1 to 3; raises SipParseError for a header that cannot be read."""
    scheme = request.uri.partition(":")[0].lower()
    method = request.method
    target = request.target  # what is no URI at all is malformed, whatever its scheme
    if scheme not in schemes:
        return Refusal(416, reason_phrase(416), f"{method} to {request.uri}: nobody here serves this scheme")
    if target.headers:
        raise SipParseError(400, "Headers In Request-URI")
    if request.via.branch == BRANCH_COOKIE:
        raise SipParseError(400, "Malformed Branch")
    if method == "REGISTER" and request.to.uri.scheme not in ("sip", "sips", "tel"):
        raise SipParseError(400, "To Is No Address-of-Record")
    fields = request.fields
    if "Contact" in fields:
        contacts = request.contacts
        if not contacts and request.contacts_star and method != "REGISTER":
            raise SipParseError(400, "Contact Is No Address")
        for contact in contacts:
            contact.uri  # noqa: B018  (read now, so that no procedure meets a malformed one)
    if "Route" in fields:
        for route in request.routes:
            route.uri  # noqa: B018
    if "Record-Route" in fields:
        for route in request.record_routes:
            route.uri  # noqa: B018
    if request.max_forwards == 0:
        return Refusal(483, reason_phrase(483), f"{method} has gone through too many hops (Max-Forwards 0)")
    return None


def _unknown_method(method: str, methods: Collection[str]) -> Refusal:
    """RFC 3261 §8.2.1 and §21.5.2: 405 for a method of some RFC, 501 for one that nobody knows."""
    allow = (("Allow", ", ".join(sorted(methods))),)
    if method in KNOWN_METHODS:
        return Refusal(405, reason_phrase(405), f"{method} is not handled here", allow)
    return Refusal(501, reason_phrase(501), f"the method {method} is unknown", allow)


def _check_extensions(request: Request, extensions: Collection[str]) -> Refusal | None:
    """RFC 3261 §8.2.2.3 and §16.3 step 5: the tags of Require and Proxy-Require that nobody here supports."""
    fields = request.fields
    if ("Require" not in fields and "Proxy-Require" not in fields) or request.method in ("ACK", "CANCEL"):
        return None
    wanted = request.elements("Require") + request.elements("Proxy-Require")
    missing = [tag for tag in dict.fromkeys(wanted) if tag.lower() not in extensions]
    if not missing:
        return None
    unsupported = ", ".join(missing)
    why = f"{request.method} requires extensions that are not supported: {unsupported}"
    return Refusal(420, reason_phrase(420), why, (("Unsupported", unsupported),))


def _check_body(request: Request) -> Refusal | None:
    """RFC 3261 §8.2.3: body types and encodings; for sessions also what the sender would accept (406)."""
    method = request.method
    if request.body and not _optional_body(request):
        encodings = [each for each in request.elements("Content-Encoding") if each.lower() != "identity"]
        if encodings:
            why = f"the body of {method} is encoded as {', '.join(encodings)}"
            return Refusal(415, reason_phrase(415), why, (("Accept-Encoding", "identity"),))
        if method in _SESSION_METHODS and request.content_type not in SESSION_BODIES:
            if not request.content_type:
                raise SipParseError(400, "Body Without Content-Type")
            why = f"the body of {method} is {request.content_type}, not a session description"
            return Refusal(415, reason_phrase(415), why, (("Accept", ", ".join(SESSION_BODIES)),))
    if method == "INVITE" and "Accept" in request.fields:
        accepted = {each.partition(";")[0].strip().lower() for each in request.elements("Accept")}
        if accepted and accepted.isdisjoint(_SESSION_ACCEPT):
            why = f"INVITE accepts no session description, only {', '.join(sorted(accepted))}"
            return Refusal(406, reason_phrase(406), why)
    return None


def _optional_body(request: Request) -> bool:
    """RFC 3261 §20.11: `handling=optional` lets a receiver ignore a body that it does not know."""
    disposition = request.get("Content-Disposition")
    return disposition is not None and "handling=optional" in disposition.replace(" ", "").lower()
