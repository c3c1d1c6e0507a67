"""How a user is shown to others: From, P-Asserted-Identity, P-Preferred-Identity, Privacy, P-Called-Party-ID.

Pure functions of settings, user and IMPU, for calls and messages alike (manual §5.2.1; RFC 3323, RFC 3325,
TS 24.229 §5.2.6.3 and §5.4.3).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from libreims.config.schema import Settings
from libreims.proto.sip.grammar import quote
from libreims.proto.sip.uri import Uri
from libreims.users.impu import candidates
from libreims.users.profile import domain_of, public_uri
from libreims.users.subscriber import ImpuEntry, Subscriber

Headers = tuple[tuple[str, str], ...]

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'
"""From of who does not want to be known (RFC 3323 §4.1.1.3)."""
ANONYMOUS_HOST = "anonymous.invalid"
_HIDING = frozenset({"id", "user", "header"})
"""Privacy values after which a phone gets to see no identity: `id` takes P-Asserted-Identity away (RFC 3325
§7), `user` and `header` what else tells who calls (RFC 3323 §5); who asks for one wants to be unknown."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls or writes, as the other side gets to see it."""

    from_: str
    """From, without tag."""
    asserted: tuple[str, ...] = ()
    """Values of P-Asserted-Identity, at most one SIP URI and one tel URI (RFC 3325 §9.1)."""
    preferred: str = ""
    """Value of P-Preferred-Identity; empty without one."""
    privacy: str = ""
    """Value of Privacy; empty without one."""
    hidden: bool = False
    """`from_` is anonymous; `asserted` is for those in the network only."""
    display_name: str = ""

    @property
    def headers(self) -> Headers:
        """What stands beside From in a request to a phone."""
        privacy = (("Privacy", self.privacy),) if self.privacy else ()
        if self.hidden:
            return privacy
        headers = tuple([("P-Asserted-Identity", value) for value in self.asserted])
        if self.preferred:
            headers += (("P-Preferred-Identity", self.preferred),)
        return headers + privacy


def identity_of(
    settings: Settings,
    subscriber: Subscriber,
    entry: ImpuEntry,
    *,
    imei: str = "",
    claimed: Uri | None = None,
    name: str = "",
    privacy: str = "",
) -> Identity:
    """The identity of a user that calls or writes with `entry` from the phone with this IMEI.

    `claimed` is the URI by which the user named the IMPU, `name` the display name of its own choice and
    `privacy` the value of its Privacy header.
    """
    asserted, preferred = _chosen(subscriber, imei) if subscriber.marked else ([], None)
    shown = preferred or entry
    uri = _uri(settings, subscriber, shown, claimed)
    address = _address(shown, uri, name)
    kinds: dict[str, str] = {}
    if not asserted:
        if preferred is not None:
            uri = _uri(settings, subscriber, entry, claimed)
        kinds[uri[:4]] = _address(entry, with_verstat(uri, entry.settings.verstat))
    for each in asserted or subscriber.registered_with(imei):
        if each.key[:4] not in kinds:
            uri = _uri(settings, subscriber, each, claimed)
            kinds.setdefault(uri[:4], _address(each, with_verstat(uri, each.settings.verstat)))
    hidden = shown.settings.anonymous or (privacy != "" and hides(privacy))
    return Identity(
        from_=ANONYMOUS if hidden else address,
        asserted=tuple(kinds.values()),
        preferred=address if preferred is not None else "",
        privacy=privacy if not hidden or (privacy and hides(privacy)) else "id",
        hidden=hidden,
        display_name=shown.settings.display_name or name,
    )


def hides(privacy: str) -> bool:
    """Whether a Privacy value (`id;critical`) asks not to show who calls; `none` asks for the contrary."""
    values = {value.strip().lower() for value in privacy.replace(",", ";").split(";")}
    return "none" not in values and not _HIDING.isdisjoint(values)


def called_party(
    settings: Settings, subscriber: Subscriber, entry: ImpuEntry, dialled: Uri | None = None
) -> Headers:
    """P-Called-Party-ID of a request to a phone: which of its IMPUs is meant (RFC 7315 §4.2).

    The value of the IMPU's `p_called_party_id` when that is set, the IMPU itself when the server's is.
    """
    forced = entry.settings.p_called_party_id
    if forced:
        return (("P-Called-Party-ID", _forced(forced, settings, subscriber, entry)),)
    if settings.p_called_party_id:
        return (("P-Called-Party-ID", f"<{_uri(settings, subscriber, entry, dialled)}>"),)
    return ()


def _forced(text: str, settings: Settings, subscriber: Subscriber, entry: ImpuEntry) -> str:
    text = text.strip()
    if text[:1] in ("<", '"') or text[-1:] == ">":
        return text
    if text.partition(":")[0].lower() not in ("sip", "sips", "tel", "urn"):
        text = f"sip:{text}"
    if text[:4].lower() == "sip:" and "@" not in text:  # a user part, as in `impu`
        text = f"{text}@{domain_of(settings, subscriber.settings, entry.settings)}"
    return f"<{text}>"


def called_address(
    settings: Settings, subscriber: Subscriber, entry: ImpuEntry, dialled: Uri | None = None
) -> tuple[str, str]:
    """To of a request to a phone, without tag, and P-Asserted-Identity of its answers for the caller.

    The latter is empty when the IMPU is `anonymous`.
    """
    uri = _uri(settings, subscriber, entry, dialled)
    own = entry.settings
    address = _address(entry, uri)
    if own.anonymous:
        return address, ""
    return address, _address(entry, with_verstat(uri, own.verstat)) if own.verstat else address


def preferred_entry(subscriber: Subscriber, imei: str) -> ImpuEntry | None:
    """The IMPU with `preferred` of the phone with this IMEI."""
    return _chosen(subscriber, imei)[1] if subscriber.marked else None


def with_verstat(uri: str, verstat: str | None) -> str:
    """A URI with the result of the verification of the number (TS 24.229 §7.2A.20).

    `verstat` is a parameter of the number: of a tel URI, or in the user part of a SIP URI.
    """
    if not verstat:
        return uri
    user, at, rest = uri.partition("@")
    return f"{user};verstat={verstat}{at}{rest}"


def _chosen(subscriber: Subscriber, imei: str) -> tuple[list[ImpuEntry], ImpuEntry | None]:
    """IMPUs with `asserted`, one SIP and one tel at most, and the first with `preferred`."""
    asserted: list[ImpuEntry] = []
    preferred: ImpuEntry | None = None
    for entry in subscriber.impus:
        settings = entry.settings
        if not (settings.asserted or settings.preferred) or not entry.applies_to(imei):
            continue
        if entry.key[:4] not in ("sip:", "tel:"):
            continue
        if settings.asserted:
            asserted.append(entry)
        if settings.preferred and preferred is None:
            preferred = entry
    return asserted, preferred


def _uri(settings: Settings, subscriber: Subscriber, entry: ImpuEntry, named: Uri | None) -> str:
    """The public URI of an IMPU; one that was found by `match` is the one that was named."""
    if entry.pattern is None or named is None:
        return public_uri(settings, subscriber, entry)
    keys = candidates(named)
    if entry.key in keys or not any(map(entry.matches, keys)):
        return public_uri(settings, subscriber, entry)
    domain = domain_of(settings, subscriber.settings, entry.settings)
    return ImpuEntry(keys[0], entry.settings).uri(domain)


def _address(entry: ImpuEntry, uri: str, name: str = "") -> str:
    """A name-addr with the IMPU's display name, or else the one that the user chose."""
    shown = entry.settings.display_name or name
    return f"{quote(shown)} <{uri}>" if shown else f"<{uri}>"


def privacy_of(values: Iterable[str]) -> str:
    """One Privacy value from all lines of a request (RFC 3323 §4.2)."""
    return ";".join([value.strip() for value in values if value.strip()])
