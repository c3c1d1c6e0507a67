"""An authenticator with one user, the built-in HSS and a clock turned by hand."""

from __future__ import annotations

import asyncio
from typing import Any

from libreims.base.errors import Reject
from libreims.base.tokens import Tokens
from libreims.config.schema import Settings
from libreims.config.schema_users import UserSettings
from libreims.hss.builtin import BuiltinHss
from libreims.hss.profile import sim_profile
from libreims.net.port import Flow
from libreims.proto.aka.factory import sim_algorithm
from libreims.proto.aka.usim import Usim
from libreims.proto.sip.message import Request
from libreims.registrar.authentication import Authenticator, AuthResult, Challenged
from libreims.registrar.schemes import authentication_profile
from libreims.users.subscriber import Subscriber
from support.manual_clock import ManualClock
from support.sim_phone import SimPhone

DOMAIN = "ims.example"
IMPI = "001010000000001@ims.example"
K = bytes(range(16))
OP = bytes(range(40, 56))
FLOW = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.7", 5060))
ELSEWHERE = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.8", 5060))


def settings_for(sim_algo: str = "milenage", **others: Any) -> UserSettings:
    values: dict[str, Any] = {"impi": IMPI, "imsi": "001010000000001", "sim_algo": sim_algo, "K": K}
    if sim_algo != "xor":
        values["op"] = OP * 2 if sim_algo == "tuak" else OP
    return UserSettings(**(values | others))


def card_for(sim_algo: str = "milenage", *, sqn: int = 0, **values: Any) -> Usim:
    values.setdefault("op", OP * 2 if sim_algo == "tuak" else OP)
    return Usim(sim_algorithm(sim_algo, values.pop("k", K), **values), sqn)


def phone_with(card: Usim, **others: Any) -> SimPhone:
    return SimPhone(IMPI, card=card, **others)


def password_user(**others: Any) -> UserSettings:
    return UserSettings(impi=IMPI, pwd="open sesame", **({"authent_type": "MD5"} | others))


def password_phone(**others: Any) -> SimPhone:
    return SimPhone(IMPI, **({"password": b"open sesame"} | others))


class Server:
    """An authenticator with one user and the built-in HSS, on a clock that the test turns."""

    def __init__(self, user: UserSettings, **others: Any) -> None:
        self.subscriber = Subscriber.of(user)
        self.settings = Settings(domain=DOMAIN, **others)
        self.clock = ManualClock()
        self.hss = BuiltinHss(
            lambda impi: sim_profile(self.subscriber) if impi == IMPI else None, Tokens(seed=1)
        )
        self.authenticator = Authenticator(
            self.hss,
            self.clock,
            Tokens(seed=2),
            lambda subscriber: authentication_profile(self.settings, subscriber),
        )

    def configure(self, user: UserSettings) -> None:
        self.subscriber = Subscriber.of(user)

    def run(
        self,
        authorization: str | None,
        *,
        method: str = "REGISTER",
        body: bytes = b"",
        flow: Flow = FLOW,
        force: bool = False,
        header: str = "Authorization",
        expires: str = "3600",
    ) -> AuthResult | Reject:
        request = request_with(authorization, method=method, body=body, header=header, expires=expires)
        try:
            return asyncio.run(self.authenticator.authenticate(request, self.subscriber, flow, force=force))
        except Reject as refusal:
            return refusal

    def accept(self, authorization: str | None, **others: Any) -> AuthResult:
        result = self.run(authorization, **others)
        assert isinstance(result, AuthResult), getattr(result, "why", "")
        return result

    def challenge(self, authorization: str | None, **others: Any) -> Challenged:
        result = self.run(authorization, **others)
        assert isinstance(result, Challenged), getattr(result, "why", result)
        return result

    def refuse(self, authorization: str | None, status: int = 403, **others: Any) -> Reject:
        result = self.run(authorization, **others)
        assert isinstance(result, Reject) and not isinstance(result, Challenged)
        assert result.status == status
        return result

    def register(self, phone: SimPhone) -> AuthResult:
        return self.accept(phone.answer(self.challenge(phone.first(DOMAIN))))


def request_with(
    authorization: str | None,
    *,
    method: str = "REGISTER",
    body: bytes = b"",
    header: str = "Authorization",
    expires: str = "3600",
    to: str = f"<sip:001010000000001@{DOMAIN}>",
) -> Request:
    headers = [
        ("Via", "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1"),
        ("From", f"<sip:001010000000001@{DOMAIN}>;tag=1"),
        ("To", to),
        ("Call-ID", "1"),
        ("CSeq", f"1 {method}"),
        ("Contact", "<sip:001010000000001@192.0.2.7>"),
        ("Expires", expires),
    ]
    if authorization is not None:
        headers.append((header, authorization))
    return Request.build(method, f"sip:{DOMAIN}", headers, body)
