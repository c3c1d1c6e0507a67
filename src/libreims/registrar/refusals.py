"""The sentences for the log when authentication goes on or fails: who, what, why, and what to change.

They say what is known and no more: a phone that finds a wrong MAC computes nothing that could be checked,
a wrong response can be compared with other readings of the configured values.
"""

from __future__ import annotations

from libreims.hss.port import DigestSecret, Hss
from libreims.net.port import Flow
from libreims.proto.aka.vector import AkaVector
from libreims.proto.sip.digest import Credentials
from libreims.proto.sip.message import Request
from libreims.registrar.answers import is_right
from libreims.registrar.schemes import ALGORITHMS, SCHEMES, AuthenticationProfile, aka_password, scheme_for


def in_a_row(count: int) -> str:
    """The tally of failures."""
    return "first failure" if count == 1 else f"{count} failures in a row"


def first(profile: AuthenticationProfile, algorithm: str) -> str:
    """An ordinary first challenge."""
    scheme = scheme_for(profile, algorithm)
    if algorithm and ALGORITHMS[scheme].lower() != algorithm.lower():
        return (
            f"{profile.impi} offers {_shown(algorithm)} and is challenged with {scheme}, which authent_type "
            "asks for: if the phone cannot do that, lower authent_type."
        )
    return f"{profile.impi} is challenged with {scheme}."


def without_key(profile: AuthenticationProfile, algorithm: str) -> str:
    """A first challenge weaker than the phone offers, as there are no keys of a SIM for more."""
    return (
        f"{profile.impi} offers {_shown(algorithm)} but has no keys of a SIM in ue_db, and is challenged "
        f"with {profile.authent_type}: if it is a phone with a SIM, set K and opc."
    )


def unknown_nonce(profile: AuthenticationProfile) -> str:
    """An answer to a challenge that is not known any more."""
    return (
        f"{profile.impi} answered a challenge that has expired or is from before a restart: challenged again."
    )


def replayed(profile: AuthenticationProfile, count: int, highest: int) -> str:
    """A nonce-count that has been seen."""
    return (
        f"{profile.impi} used nonce-count {count} after {highest}, a replay or a request that the phone "
        "repeated: challenged again."
    )


def moved(profile: AuthenticationProfile, flow: Flow) -> str:
    """An old answer without nonce-count from another place."""
    host, port = flow.remote
    return (
        f"{profile.impi} repeats an old answer from another address ({host} port {port}) and without "
        "nonce-count: challenged again."
    )


def mac_failure(profile: AuthenticationProfile, count: int) -> str:
    """The phone could not verify AUTN, and there is nothing else to try (TS 24.229 §5.1.1.5.3)."""
    return f"{_wrong_mac(profile)} The phone sends nothing that tells which one ({in_a_row(count)})."


def trying_another_reading(profile: AuthenticationProfile) -> str:
    """The phone could not verify AUTN: a second challenge shows whether another reading fits."""
    return f"{_wrong_mac(profile)} Challenged once more to see whether another reading of them fits."


def _wrong_mac(profile: AuthenticationProfile) -> str:
    return (
        f"The SIM of {profile.impi} says that the MAC of the challenge is wrong: K, opc/op or sim_algo in "
        "ue_db are not those of the SIM."
    )


def trial_failed(profile: AuthenticationProfile, count: int) -> str:
    """Neither reading fits."""
    return (
        f"The SIM of {profile.impi} also refuses the MAC of the other reading (opc as op, op as opc, or the "
        f"other sim_algo): K is wrong, or opc/op belongs to another SIM ({in_a_row(count)})."
    )


def trial_succeeded(profile: AuthenticationProfile, advice: str, count: int) -> str:
    """The other reading fits: nobody is registered with it, but now it is known what to change."""
    return (
        f"The SIM of {profile.impi} refuses the values as they are configured but accepts another reading of "
        f"them. {advice} ({in_a_row(count)})"
    )


def endless_resynchronisation(profile: AuthenticationProfile, count: int) -> str:
    """AUTS again and again."""
    return (
        f"The SIM of {profile.impi} asks for resynchronisation again and again ({in_a_row(count)}): another "
        "server or phone uses the same SIM at the same time, or the SIM's SQN is at its end."
    )


def wrong_response(
    request: Request,
    profile: AuthenticationProfile,
    credentials: Credentials,
    scheme: str,
    secret: DigestSecret,
) -> str:
    """A response that does not fit the password (or the key of an earlier AKA run)."""
    cause = _elsewhere(request, profile, credentials, scheme, secret)
    if not cause:
        cause = (
            "pwd in ue_db is not the password of the phone." if scheme == "MD5" else "the key has changed."
        )
    return f"The response of {profile.impi} is wrong: {cause}"


def wrong_aka_response(
    hss: Hss,
    request: Request,
    profile: AuthenticationProfile,
    credentials: Credentials,
    scheme: str,
    vector: AkaVector,
    count: int,
) -> str:
    """A response that does not fit XRES."""
    head = f"The response of {profile.impi} is wrong ({in_a_row(count)}): "
    cause = _elsewhere(
        request, profile, credentials, scheme, DigestSecret(password=aka_password(scheme, vector))
    )
    if cause:
        return head + cause

    def fits(other: str, candidate: AkaVector) -> bool:
        secret = DigestSecret(password=aka_password(other, candidate))
        return is_right(request, profile, credentials, other, secret)

    for other in SCHEMES[2:]:
        if other != scheme and fits(other, vector):
            return (
                f"{head}the phone answered as in {other}, but was challenged with {scheme}: mend the phone."
            )
    advice = hss.explain(profile.impi, vector.rand, lambda candidate: fits(scheme, candidate))
    if advice:
        return head + advice
    return (
        f"{head}if the phone verifies challenges, its K and opc are right and only RES differs; if not, K or "
        "opc is wrong. Neither another res_len nor another sim_algo nor op for opc would fit."
    )


def _elsewhere(
    request: Request,
    profile: AuthenticationProfile,
    credentials: Credentials,
    scheme: str,
    secret: DigestSecret,
) -> str:
    """A cause other than the secret; empty when none is found."""
    realm = credentials.realm
    if realm != profile.realm:
        if is_right(request, profile, credentials, scheme, secret, realm=realm):
            return f"it is made for the realm {_shown(realm)}, set domain to that or correct the phone."
        return f"the phone used the realm {_shown(realm)} instead of {profile.realm}."
    if credentials.qop == "auth-int" and request.body:
        if is_right(request, profile, credentials, scheme, secret, body=b""):
            return "the phone left the body out of it, which qop auth-int covers: set authent_qop to auth."
        return "either the body was changed on the way, which qop auth-int covers, or the secret is wrong."
    return ""


def _shown(text: str) -> str:
    """A value from the network, safe and short enough for one line of the log."""
    return ascii(text[:64])[1:-1] or "(empty)"
