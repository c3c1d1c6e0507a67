"""The user database: `ue_db`, its users and their public identities (manual §5.2.1).

The file is shared with an MME, whose properties pass in silence.
"""
# ruff: noqa: RUF009  `prop` makes a dataclass field

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from libreims.config.declare import LATER, Checks, Invalid, Reader, Skip, prop
from libreims.config.kinds import (
    Boolean,
    Choice,
    FileName,
    Hex,
    HexNumber,
    Integer,
    ListOf,
    Number,
    Secret,
    Struct,
    Text,
)
from libreims.config.schema_common import (
    METHODS,
    CallflowModifier,
    SessionExpires,
    domain_kind,
    precondition_kind,
)
from libreims.config.tree import Value

SCHEMES = ("sip", "sips", "tel", "urn")
PLACEHOLDER_IMSI = "000000000000000"
"""IMSI of users without a SIM; any number of them may have it."""
AUTHENT_TYPES = ("none", "MD5", "AKAv1", "AKAv2", "AKAv2-SHA-256")
"""Authentication schemes, from the weakest to the strongest."""


class ImpuText(Text):
    """A public identity; the part before the first `:` must be a scheme that the server knows."""

    def range(self) -> str:
        """Examples."""
        return "`sip:user`, `user`, `tel:+33123456789`, `urn:service:sos`"

    def read(self, value: Value, reader: Reader, path: str) -> str:
        """The identity as the file says it."""
        text = super().read(value, reader, path).strip()
        scheme, colon, rest = text.partition(":")
        if not text or (colon and not rest):
            raise Skip(f"IMPU '{text}' is empty and left out")
        if not text.isprintable():
            raise Invalid(f"an IMPU without control characters expected, not {text!r}")
        if colon and scheme.lower() not in SCHEMES:
            raise Skip(f"IMPU '{text}' is left out: its scheme is none of {', '.join(SCHEMES)}")
        return text


@dataclass(frozen=True, slots=True)
class ImpuSettings(Checks):
    """A public identity and what is special about it; None where the user or the server decides."""

    ESSENTIAL: ClassVar[str] = "impu"

    impu: str = prop(
        "", ImpuText(), "The identity: `sip:user`, `user`, `tel:+33123456789` or `urn:service:sos`."
    )
    imei: str | None = prop(
        None, Text(), "IMEI of the phone that has this identity, where several share a SIM."
    )
    anonymous: bool = prop(
        False, Boolean(), "Hide the identity from the other side; anonymous emergency calls will follow."
    )
    anonymous_callback: float = prop(
        0.0, Number(0), "Seconds during which an anonymous caller can be called back.", state=LATER
    )
    authentication: bool = prop(True, Boolean(), "Authenticate requests for this identity.")
    ring_only: bool = prop(False, Boolean(), "Let it ring, but never answer.")
    precondition: str | None = prop(None, precondition_kind(), "Resource reservation before alerting.")
    rel100: bool | None = prop(None, Boolean(), "Reliable provisional responses (RFC 3262).", name="100rel")
    use183: bool | None = prop(None, Boolean(), "Send 183 Session Progress.")
    preferred: bool = prop(
        False,
        Boolean(),
        "Preferred identity of the user; Request-URI of its INVITEs.",
        aliases=("prefered",),
    )
    asserted: bool = prop(False, Boolean(), "Asserted identity of the user.")
    verstat: str | None = prop(
        None,
        Text(r"[\w.!~*'-]*", "a token such as TN-Validation-Passed"),
        "Caller verification result added to P-Asserted-Identity.",
    )
    phone: bool = prop(False, Boolean(), "Add `user=phone` to the URI.")
    associated: bool = prop(True, Boolean(), "List the identity in P-Associated-URI.")
    early_media: bool | None = prop(None, Boolean(), "Handle media before the answer.")
    display_name: str | None = prop(None, Text(r"[^\r\n]*", "a single line"), "Display name in SIP headers.")
    domain: str | None = prop(None, domain_kind(), "Domain, instead of the user's or the server's.")
    p_called_party_id: str | None = prop(
        None,
        Text(r"[^\r\n]*", "a single line"),
        "Value of P-Called-Party-ID in INVITE and MESSAGE requests.",
    )
    answer_delay: float | None = prop(None, Number(0), "Seconds before an echo call is answered.")
    sms_delay: float | None = prop(None, Number(0), "Seconds before an SMS is sent to it.")
    media_delay: float | None = prop(None, Number(0), "Delay of media packets, in seconds.")
    remote_control: bool = prop(False, Boolean(), "An echo call is answered by the remote API.")
    sdp_file: str | None = prop(None, FileName(), "SDP with which an echo call is answered.")
    session_expires: SessionExpires | None = prop(
        None, Struct(SessionExpires, short="duration"), "Session timer of its calls."
    )
    bitrate_factor: float = prop(
        1.0, Number(0), "Factor for the bit rates asked for dedicated bearers.", state=LATER
    )
    audio: bool = prop(True, Boolean(), "Accept audio.")
    video: bool = prop(True, Boolean(), "Accept video.")
    text: bool = prop(True, Boolean(), "Accept real-time text.")
    rtp: bool = prop(True, Boolean(), "Forward RTP packets to the phone.")
    rtcp: bool = prop(True, Boolean(), "Forward RTCP packets to the phone.")
    sms: bool = prop(True, Boolean(), "SMS over IMS, to it and from it.")
    reauthenticate: bool = prop(False, Boolean(), "Ask for authentication at every registration.")
    match: str | None = prop(
        None, Text(), "POSIX extended regular expression of the identities that it stands for."
    )
    callflow_modifier: tuple[CallflowModifier, ...] = prop(
        (),
        ListOf(Struct(CallflowModifier), single=True),
        "Changes of the normal course of messages.",
    )
    code: int | None = prop(None, Integer(100, 699, also=(-1, -2)), "Older form of a callflow modifier.")
    method: str | None = prop(None, Choice(*METHODS), "Older form of a callflow modifier.")
    content: str | None = prop("", FileName(null=True), "Older form of a callflow modifier.")
    content_type: str | None = prop(
        None, Text(r"[^\r\n]*", "a single line"), "Older form of a callflow modifier."
    )
    transparent: bool | None = prop(None, Boolean(), "Older form of a callflow modifier.")

    @classmethod
    def finish(cls, values: dict[str, Any], complain: Callable[[str, str], None]) -> None:
        """The older form of a modifier becomes a modifier."""
        if "impu" not in values and "match" not in values:
            complain("impu", "an IMPU expected")
        names = ("code", "method", "content", "content_type", "transparent")
        legacy = {name: values.pop(name) for name in names if name in values}
        if any(value is not None or name == "content" for name, value in legacy.items()):
            CallflowModifier.finish(legacy, complain)
            modifiers: tuple[CallflowModifier, ...] = values.get("callflow_modifier", ())
            values["callflow_modifier"] = (CallflowModifier(**legacy), *modifiers)


def impu_list() -> ListOf:
    """One IMPU or several, as strings and objects."""
    return ListOf(Struct(ImpuSettings, short="impu", what="IMPU object"), single=True)


_MME_NAMES = frozenset(
    [
        "pdn_list",
        "nssai",
        "cag_info_list",
        "count",
        "imeisv",
        "imei",
        "msisdn",
        "external_id",
        "ue_ambr",
        "ambr",
        "subscribed_nssai",
        "default_nssai",
        "allowed_nssai",
        "snssai_list",
        "allowed_cag_list",
        "cag_only",
        "rfsp",
        "rfsp_index",
        "rat_restriction",
        "allowed_rat",
        "access_restriction",
        "rau_tau_timer",
        "t3412",
        "t3412_extended",
        "t3324",
        "edrx",
        "psm",
        "ladn_list",
        "hplmn",
        "plmn",
        "home_plmn",
        "routing_indicator",
        "protection_scheme_id",
        "home_network_public_key_id",
        "default_apn",
        "apn_list",
        "pdn_id",
        "barred",
        "service_area_restriction",
        "forbidden_areas",
        "core_network_type",
        "dcnr_restricted",
        "mps",
        "mcs_subscribed",
        "ims_vops",
        "homogeneous_ims_voice",
        "csg_list",
        "closed_subscriber_group",
        "emergency",
        "attach_pdn_type",
        "cp_ciot",
        "up_ciot",
        "mico_mode",
        "steering_of_roaming",
        "aerial_ue",
        "v2x",
        "prose",
        "tuak_iterations",
        "nb_keccak",
        "op_file",
        "n3gpp_access",
        "usim_version",
        "sqn_array",
        "auth_param",
        "profile",
        "ue_category",
        "subscription_expiry",
        "location_services",
        "lcs",
        "default_qos",
        "pcc_rules_id",
    ]
)
"""Properties of a user that concern the MME or AMF only."""


@dataclass(frozen=True, slots=True)
class UserSettings(Checks):
    """A user: the SIM, the private identity and the public identities."""

    SILENT: ClassVar[frozenset[str]] = _MME_NAMES

    imsi: str | None = prop(None, Text(r"\d{5,15}", "an IMSI of 5 to 15 digits"), "IMSI of the SIM.")
    nai: str | None = prop(None, Text(), "Network specific identifier (SUPI) of a user without IMSI.")
    sim_algo: str = prop(
        "xor",
        Choice("xor", "milenage", "tuak"),
        "Authentication algorithm of the SIM (TS 35.205, TS 35.231).",
    )
    K: bytes | None = prop(None, Hex(16, 32), "Secret key of the SIM.", secret=True)
    op: bytes | None = prop(
        None, Hex(16, 32), "Operator key (Milenage OP, TUAK TOP); `opc` or `op` is needed.", secret=True
    )
    opc: bytes | None = prop(
        None, Hex(16, 32), "Operator key of this SIM (Milenage OPc, TUAK TOPc).", secret=True
    )
    amf: int = prop(0x9001, Integer(0, 0xFFFF), "Authentication management field.")
    sqn: int = prop(0, HexNumber(6), "Sequence number at the start, 6 bytes.")
    res_len: int = prop(8, Integer(4, 32), "Length of RES in bytes.")
    multi_sim: bool = prop(False, Boolean(), "Several phones have this SIM; their IMEI tells them apart.")
    impi: str | None = prop(
        None, Text(), "Private identity: the `username` of the phone's Authorization header."
    )
    impu: tuple[ImpuSettings, ...] = prop((), impu_list(), "Public identities.")
    authent_type: str = prop("AKAv1", Choice(*AUTHENT_TYPES), "Weakest authentication that is accepted.")
    authent_qop: str = prop(
        "none",
        Choice(
            "none",
            "auth",
            "auth-int",
            "auth,auth-int",
            also={"aut,auth-int": "auth,auth-int", "auth, auth-int": "auth,auth-int"},
        ),
        "Quality of protection offered in the challenge.",
    )
    pwd: str | None = prop(
        None, Secret(), "Password for MD5; sets `authent_type` to MD5 when that is not set.", secret=True
    )
    mt_call_sdp_file: str | None = prop(None, FileName(), "SDP for calls made by the server.")
    domain: str | None = prop(None, domain_kind(), "SIP domain, instead of the server's.")
    auth_on_register_only: bool | None = prop(
        None, Boolean(), "Authenticate registrations only, instead of what the server says."
    )
    proxy_auth: bool | None = prop(
        None, Boolean(), "Challenge with 407 and Proxy-Authenticate, instead of what the server says."
    )
    force_sms_over_sg: bool = prop(False, Boolean(), "Send SMS over SGs to the MME.", state=LATER)

    @classmethod
    def finish(cls, values: dict[str, Any], complain: Callable[[str, str], None]) -> None:
        """Identity and keys must suit one another."""
        if "imsi" not in values and "nai" not in values and "impi" not in values:
            complain("imsi", "imsi or nai expected, the user has neither")
        if "pwd" in values and "authent_type" not in values:
            values["authent_type"] = "MD5"
        algorithm = values.get("sim_algo", "xor")
        if "impi" in values or "impu" in values or "K" in values:
            _check_keys(algorithm, values, complain)


def _check_keys(algorithm: str, values: dict[str, Any], complain: Callable[[str, str], None]) -> None:
    """The lengths that the algorithm wants (TS 35.206 §3, TS 35.231 §5, TS 34.108 §8.1.2)."""
    key = values.get("K")
    if algorithm != "tuak" and key is not None and len(key) != 16:
        complain("K", f"32 hexadecimal digits expected for {algorithm}, there are {2 * len(key)}")
    if algorithm == "xor" or key is None:
        return
    wanted = 16 if algorithm == "milenage" else 32
    if "op" not in values and "opc" not in values:
        complain("opc", f"op or opc expected: {algorithm} does not work without")
    for name in ("op", "opc"):
        value = values.get(name)
        if value is not None and len(value) != wanted:
            complain(
                name, f"{2 * wanted} hexadecimal digits expected for {algorithm}, there are {2 * len(value)}"
            )
    length = values.get("res_len", 8)
    if algorithm == "tuak" and length not in (4, 8, 16, 32):
        complain("res_len", f"{length} is out of range: 4, 8, 16 or 32 for tuak")
    elif algorithm == "milenage" and length > 8:
        complain("res_len", f"{length} is out of range: 4 to 8 for milenage")


class Users(ListOf):
    """The users; of two with the same IMSI the first counts."""

    def __init__(self) -> None:
        super().__init__(Struct(UserSettings, what="user"))

    def read(self, value: Value, reader: Reader, path: str) -> Any:
        """The users as a tuple."""
        seen: set[str] = set()
        kept: list[UserSettings] = []
        if isinstance(value, dict):
            raise Invalid("array of users expected, not an object")
        for user, mark in self.elements(value, reader, path):
            imsi = user.imsi
            if imsi is not None and imsi != PLACEHOLDER_IMSI:
                if imsi in seen:
                    reader.diagnosis.warn(mark, f"IMSI {imsi} is there already: this user is left out")
                    continue
                seen.add(imsi)
            kept.append(user)
        return tuple(kept)
