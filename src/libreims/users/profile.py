"""The one place where a property of the server, of a user and of an IMPU become one: impu before user before
global (manual §5.2.1)."""

from __future__ import annotations

from dataclasses import dataclass

from libreims.config.schema import ImpuSettings, SessionExpires, Settings, UserSettings
from libreims.proto.sip.grammar import quote
from libreims.users.subscriber import ImpuEntry, Subscriber


@dataclass(frozen=True, slots=True)
class Profile:
    """What is in force for one IMPU of one user; `user` is None for echo numbers."""

    settings: Settings
    user: UserSettings | None
    impu: ImpuSettings | None

    @property
    def domain(self) -> str:
        """SIP domain, and realm of the authentication."""
        return domain_of(self.settings, self.user, self.impu)

    @property
    def auth_on_register_only(self) -> bool:
        """Whether requests other than REGISTER go unauthenticated."""
        own = self.user.auth_on_register_only if self.user else None
        return self.settings.auth_on_register_only if own is None else own

    @property
    def proxy_auth(self) -> bool:
        """Whether to challenge with 407."""
        own = self.user.proxy_auth if self.user else None
        return self.settings.proxy_auth if own is None else own

    @property
    def mt_call_sdp_file(self) -> str | None:
        """SDP of calls that the server makes."""
        return (self.user.mt_call_sdp_file if self.user else None) or self.settings.mt_call_sdp_file

    @property
    def rel100(self) -> bool:
        """Reliable provisional responses."""
        own = self.impu.rel100 if self.impu else None
        return self.settings.rel100 if own is None else own

    @property
    def use183(self) -> bool:
        """183 Session Progress."""
        own = self.impu.use183 if self.impu else None
        return self.settings.use183 if own is None else own

    @property
    def early_media(self) -> bool:
        """Media before the answer."""
        own = self.impu.early_media if self.impu else None
        return self.settings.early_media if own is None else own

    @property
    def precondition(self) -> str:
        """`on`, `off` or `silent`."""
        return (self.impu.precondition if self.impu else None) or self.settings.precondition

    @property
    def session_expires(self) -> SessionExpires:
        """Session timer."""
        return (self.impu.session_expires if self.impu else None) or self.settings.session_expires


def effective(settings: Settings, user: Subscriber | None, impu: ImpuEntry | None) -> Profile:
    """The profile of an IMPU, of a user as a whole (without IMPU), or of an echo number (without user)."""
    return Profile(settings, user.settings if user else None, impu.settings if impu else None)


def domain_of(settings: Settings, user: UserSettings | None, impu: ImpuSettings | None) -> str:
    """The SIP domain of an IMPU."""
    return (impu.domain if impu else None) or (user.domain if user else None) or settings.domain


def public_uri(settings: Settings, subscriber: Subscriber | None, entry: ImpuEntry) -> str:
    """The IMPU as others see it: `sip:alice@ims.example`, `tel:+33123456789`."""
    return entry.uri(domain_of(settings, subscriber.settings if subscriber else None, entry.settings))


def public_address(settings: Settings, subscriber: Subscriber | None, entry: ImpuEntry) -> str:
    """`public_uri` as header value, with the display name where there is one."""
    uri = public_uri(settings, subscriber, entry)
    name = entry.settings.display_name
    return f"{quote(name)} <{uri}>" if name else f"<{uri}>"
