"""The Contact header of a REGISTER, read and written (RFC 3261 §10.2.1, RFC 3840, RFC 5626 §4)."""

from __future__ import annotations

from dataclasses import dataclass
from sys import intern

from libreims.base.errors import Reject
from libreims.proto.sip.grammar import LWS, quote, split_quoted
from libreims.proto.sip.headers import NameAddr
from libreims.proto.sip.message import delta_seconds
from libreims.proto.sip.uri import Uri
from libreims.users.bindings import NO_FEATURES, Binding, Features
from libreims.users.impu import imei_key

_OWN = frozenset({"expires", "q", "+sip.instance", "reg-id"})
"""Parameters that a binding keeps as fields of their own."""
_FEATURES = {
    (sms, video, volte): Features(sms, video, volte)
    for sms in (False, True)
    for video in (False, True)
    for volte in (False, True)
}


@dataclass(slots=True, unsafe_hash=True)
class Contact:
    """One contact that a phone wants to bind; a value, never changed once it is made."""

    uri: Uri
    text: str
    """The URI as received."""
    expires: int | None
    """Seconds of the `expires` parameter; None without one."""
    q: float
    params: str
    features: Features
    instance: str
    reg_id: int
    imei: str
    emergency: bool

    def same_uri(self, binding: Binding) -> bool:
        """Whether a binding is of this URI (RFC 3261 §10.3 step 7, §19.1.4).

        Normal and emergency registration of one phone are two (TS 24.229 §5.1.6.2).
        """
        if self.emergency != binding.emergency:
            return False
        return self.text == binding.contact or self.uri == Uri.parse(binding.contact)

    def same_phone(self, binding: Binding) -> bool:
        """Whether a binding is of the same instance (and flow), wherever that is now (RFC 5626 §6)."""
        return (
            self.instance != ""
            and self.instance == binding.instance
            and self.reg_id == binding.reg_id
            and self.emergency == binding.emergency
        )


def read_contact(address: NameAddr) -> Contact:
    """Read one contact. Raises Reject (400) where nobody could be called at its URI."""
    uri = address.uri
    if not uri.is_sip:
        raise Reject(400, f"The contact {uri} is not a SIP URI: a phone registers where it takes SIP.")
    params = address.params
    instance = params.get("+sip.instance") or ""
    expires = params.get("expires", "")
    return Contact(
        uri,
        address.uri_text,
        delta_seconds(expires or "") if "expires" in params else None,
        _read_q(params["q"]) if "q" in params else 1.0,
        _other_params(address) if params else "",
        _read_features(params) if params else NO_FEATURES,
        instance,
        _read_reg_id(params["reg-id"]) if "reg-id" in params else 0,
        imei_key(instance) if instance else "",
        "sos" in uri.params,
    )


def contact_header(binding: Binding, remaining: int) -> str:
    """Write a binding as the Contact of an answer (RFC 3261 §10.3 step 8)."""
    text = f"<{binding.contact}>;expires={remaining}{binding.params}"
    if binding.q != 1.0:
        text += f";q={binding.q:g}"
    if binding.instance:
        text += f";+sip.instance={quote(binding.instance)}"
        if binding.reg_id:
            text += f";reg-id={binding.reg_id}"
    return text


def _read_q(text: str | None) -> float:
    try:
        q = float(text or "1")
    except ValueError:
        return 1.0
    return q if 0.0 <= q <= 1.0 else 1.0


def _read_reg_id(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def _read_features(params: dict[str, str | None]) -> Features:
    services = params.get("+g.3gpp.icsi-ref") or ""
    return _FEATURES["+g.3gpp.smsip" in params, "video" in params, "ims.icsi.mmtel" in services]


def _other_params(address: NameAddr) -> str:
    """What is not kept elsewhere, as received: the quotes of feature tags matter (RFC 3840 §9)."""
    if address.params.keys() <= _OWN:
        return ""
    text = str(address)
    bracketed = f"<{address.uri_text}>"
    start = text.rfind(bracketed)
    tail = text[start + len(bracketed) :] if start >= 0 else text.partition(";")[2]
    kept = [
        part
        for part in split_quoted(tail, ";", False)
        if part and part.partition("=")[0].rstrip(LWS).lower() not in _OWN
    ]
    return intern(";" + ";".join(kept)) if kept else ""
