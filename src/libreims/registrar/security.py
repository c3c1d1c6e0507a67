"""IPsec's part in a REGISTER (RFC 3329 §2.3.1, TS 24.229 §5.2.2, TS 33.203 §7.2).

The first REGISTER is challenged and its 401 carries Security-Server, the second one comes through the
agreement and says with Security-Verify and Security-Client that nobody has changed either.  A phone that
does not ask for IPsec registers without, as soft phones do.  Used by `registrar.register` alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from libreims.base.errors import Reject
from libreims.base.log import LayerLog
from libreims.config.store import ConfigStore
from libreims.ipsec.admission import VERIFY, check_verify, disagreement
from libreims.ipsec.agreement import Agreement, State
from libreims.ipsec.agreements import Agreements, Challenge
from libreims.net.address import text
from libreims.net.port import Flow
from libreims.proto.sip.digest import Credentials, aka_nonce
from libreims.proto.sip.message import Request
from libreims.proto.sip.security_agreement import OPTION_TAG, is_required, mechanisms, same
from libreims.registrar.authentication import Challenged

CLIENT = "Security-Client"
LONGEST_CLIENT = 8192
"""Octets of it: a mechanism has some 120, and what is offered is kept until the phone comes back."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one REGISTER wants of IPsec."""

    request: Request
    flow: Flow
    impi: str
    required: bool = False
    """`sec-agree` in Require or Proxy-Require."""
    client: tuple[str, ...] = ()
    """Security-Client; empty where there can be no new agreement."""
    fresh: bool = False
    """Only the answer to a new challenge will do: its keys are those of the agreement."""
    agreement: Agreement | None = None
    """What it came through."""


class Security:
    """The rules for REGISTER."""

    def __init__(self, config: ConfigStore, log: LayerLog) -> None:
        self._config = config
        self._log = log
        self._agreements: Agreements | None = None
        self._absent = "it was started without a tunnel"

    def begin(self, agreements: Agreements) -> None:
        """From now on there is IPsec."""
        self._agreements = agreements

    def without(self, why: str) -> None:
        """There is no IPsec, for this reason: a sentence that also says what to do."""
        self._absent = why

    def protects(self, flow: Flow) -> bool:
        """Whether a REGISTER came through IPsec."""
        return self._agreements is not None and self._agreements.protects(flow.local)

    def origin(self, flow: Flow) -> Flow:
        """What tells who sent a REGISTER: through IPsec the associations, whether over UDP or TCP."""
        return Flow("UDP", flow.local, flow.remote) if self.protects(flow) else flow

    def check(self, request: Request, flow: Flow, impi: str, *, authenticated: bool) -> Attempt:
        """See what a REGISTER wants, before its credentials are looked at.

        `authenticated`: whether they will be.  Raises Reject (400, 403, 420, 494), SipParseError (400).
        """
        if not self._config.current.ipsec:
            return Attempt(request, flow, impi)
        required = is_required(request)
        if not authenticated and not self.protects(flow):
            # No challenge, no keys: an IMPU with `authentication: false` is for all who want it.
            return Attempt(request, flow, impi, required)
        absent = self._why_not(flow.local[0])
        if self._agreements is None or absent:
            if required:
                raise self._refusal(request, absent)
            return Attempt(request, flow, impi)
        agreement = self._agreements.at(flow)
        offered = self._offered(request, impi, agreement)
        client = tuple(request.get_all(CLIENT))
        if sum(map(len, client)) > LONGEST_CLIENT:
            raise Reject(
                400, f"{impi} sent {sum(map(len, client))} octets of {CLIENT}: no phone has so many."
            )
        if agreement is None:
            if offered is not None:
                raise disagreement(offered, _outside(offered, flow, "outside of the security agreement"))
            return Attempt(request, flow, impi, required, client, fresh=bool(client))
        self._check_protected(request, flow, impi, agreement, offered)
        fresh = agreement.state is State.OFFERED and not agreement.proven
        return Attempt(request, flow, impi, required, client, fresh, agreement)

    def _why_not(self, host: str) -> str:
        """Why a phone cannot have IPsec with this address of ours; empty where it can."""
        if self._agreements is None:
            return f"which does not work here: {self._absent}; {SWITCH}"
        if not self._agreements.offer.pairs:
            return NO_ALGORITHMS
        if host not in self._agreements.hosts:
            return f"which {host} does not have (the log says at the start why): {SWITCH}"
        return ""

    def _offered(self, request: Request, impi: str, through: Agreement | None) -> Agreement | None:
        """The agreement that was offered with the challenge which this REGISTER answers with a response."""
        assert self._agreements is not None
        header = request.get("Authorization") or request.get("Proxy-Authorization")
        if header is None or not self._agreements.expecting:
            return None
        credentials = Credentials.parse(header)
        agreement = self._agreements.answered_with(credentials.nonce)
        if agreement is None or agreement.impi != impi:
            return None
        if credentials.auts is not None or not credentials.response:
            # TS 24.229 §5.1.1.5.3: a SIM that refuses the challenge has no keys to come back with.
            if agreement is not through:
                self._agreements.withdraw(agreement)
            return None
        return agreement

    def _check_protected(
        self, request: Request, flow: Flow, impi: str, agreement: Agreement, offered: Agreement | None
    ) -> None:
        """The rules for a REGISTER that came through an agreement."""
        assert self._agreements is not None
        if agreement.impi != impi:
            raise Reject(
                403,
                f"REGISTER of {impi} from {text(flow.remote)} came through the security agreement of "
                f"{agreement.impi}: a phone registers one SIM through one agreement.",
            )
        agreement.reached = True
        if agreement.state is not State.OFFERED:
            if offered is not None:
                raise disagreement(offered, _outside(offered, flow, "through the agreement before it"))
            if VERIFY in request.fields:
                check_verify(request, self._agreements.said(agreement), agreement)
            return
        if offered is not agreement:
            raise disagreement(
                agreement,
                f"REGISTER of {impi} does not answer the challenge that its security agreement came with.",
            )
        for name in (CLIENT, VERIFY):
            if name not in request.fields:
                raise disagreement(
                    agreement,
                    f"REGISTER of {impi} came through the security agreement without {name}: the phone has "
                    "to repeat what was said before (TS 24.229 §5.1.1.5.1).",
                )
        if not same(agreement.offered, request.get_all(CLIENT)):
            raise disagreement(
                agreement,
                f"REGISTER of {impi}: {CLIENT} is not what it was in the REGISTER that was challenged: "
                "somebody has changed that to have weaker algorithms, or the phone is at fault.",
            )
        check_verify(request, (agreement.said,), agreement)

    async def challenge(self, challenged: Challenged, attempt: Attempt) -> Reject:
        """The challenge to send: with an agreement where the phone asked for one and there are keys.

        Raises Reject (503), SipParseError (400).
        """
        vector, client = challenged.vector, attempt.client
        if self._agreements is None or not (client or attempt.required):
            return challenged
        if vector is None:
            return self._refusal(attempt.request, NO_KEYS) if attempt.required else challenged
        if not client and attempt.agreement is None:
            return self._demand(f"{attempt.impi} requires IPsec ({OPTION_TAG}) without naming algorithms")
        request = attempt.request
        agreement = await self._agreements.propose(
            Challenge(
                attempt.impi,
                attempt.flow,
                client,
                mechanisms(client),
                aka_nonce(vector.rand, vector.autn),
                vector.ck,
                vector.ik,
                emergency=any("sos" in contact.uri.params for contact in request.contacts),
            )
        )
        if agreement is not None:
            challenged.headers += (("Security-Server", agreement.said),)
            return challenged
        return self._nothing_in_common(challenged, attempt, self._agreements)

    def _nothing_in_common(self, challenged: Challenged, attempt: Attempt, agreements: Agreements) -> Reject:
        why = f"{attempt.impi} {agreements.offer.misses(mechanisms(attempt.client))}"
        if attempt.agreement is not None:
            # The agreement that it came through goes on: TS 33.203 does not ask for a new one each time.
            self._log.warn(f"{why}; it stays with the agreement that it has.")
        elif attempt.required:
            return self._demand(f"{why}; change ipsec_aalg_list and ipsec_ealg_list, or the phone")
        else:
            self._log.warn(f"{why}; it may register without.")
        return challenged

    def accept(self, attempt: Attempt, scheme: str) -> None:
        """The credentials were right: whether the phone may register like that. Raises Reject (420, 494)."""
        if attempt.agreement is not None:
            attempt.agreement.proven = True
            return
        if not attempt.required:
            return
        if scheme == "none":
            self._log.info(
                f"{attempt.impi} registers without IPsec: without authentication there are no keys"
            )
        elif scheme == "MD5":
            raise self._refusal(attempt.request, NO_KEYS)
        else:
            raise self._demand(f"{attempt.impi} requires IPsec and answers a challenge that came without")

    def registered(self, flow: Flow) -> None:
        """The bindings are made, the 200 follows: what came through an agreement makes it the one in use."""
        if self._agreements is not None:
            self._agreements.registered(flow)

    def _demand(self, why: str) -> Reject:
        """494 with what the server can do; no ports are set aside for it."""
        assert self._agreements is not None
        return Reject(494, f"{why}.", headers=(("Security-Server", self._agreements.offer.header),))

    def _refusal(self, request: Request, why: str) -> Reject:
        return Reject(
            420,
            f"{request.to.uri_text} requires IPsec ({OPTION_TAG}), {why}",
            headers=(("Unsupported", OPTION_TAG),),
        )


SWITCH = "set 'ipsec: false' to let such phones register without."
NO_ALGORITHMS = f"but ipsec_aalg_list and ipsec_ealg_list leave nothing to offer: add algorithms, or {SWITCH}"
NO_KEYS = f"for which only AKA has keys: give the user K, opc and authent_type AKAv1, or {SWITCH}"


def _outside(offered: Agreement, flow: Flow, where: str) -> str:
    return (
        f"{offered.impi} at {text(flow.remote)} answers the challenge {where} that was offered with it: ESP "
        "(IP protocol 50) does not get through from the phone, or somebody wants to have the registration "
        "unprotected."
    )
