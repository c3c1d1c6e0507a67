"""The configuration, typed: one declaration per property (manual §5.2).

A declaration gives parsing, range check, default, run-time right, documentation and state; to say
that the program now does what a property asks for, drop its `state=LATER`.  Python names are the
manual's names; `100rel` is `rel100`.
"""
# ruff: noqa: RUF009  `prop` makes a dataclass field

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from libreims import __version__
from libreims.config.declare import IGNORED, LATER, Checks, prop
from libreims.config.kinds import (
    Address,
    Anything,
    Boolean,
    Choice,
    FileName,
    Integer,
    IpAddress,
    ListOf,
    LogAssignments,
    Number,
    Secret,
    Struct,
    Text,
)
from libreims.config.schema_common import (
    METHODS,
    CallflowModifier,
    CustomHeader,
    Ecall,
    SessionExpires,
    domain_kind,
    precondition_kind,
)
from libreims.config.schema_users import (
    AUTHENT_TYPES,
    PLACEHOLDER_IMSI,
    ImpuSettings,
    Users,
    UserSettings,
    impu_list,
)

__all__ = [
    "AUTHENT_TYPES",
    "METHODS",
    "N5",
    "PLACEHOLDER_IMSI",
    "CallflowModifier",
    "ComAuth",
    "CustomHeader",
    "Ecall",
    "ImpuSettings",
    "LicenseServer",
    "MessageFilter",
    "SessionExpires",
    "Settings",
    "SipAddr",
    "SmsCentreAddress",
    "SmsMessageFilter",
    "Trunk",
    "UserSettings",
]

DEFAULT_DOMAIN = "ims.mnc001.mcc001.3gppnetwork.org"
IPSEC_AALG = (
    "null",
    "hmac-md5-96",
    "hmac-md5-128",
    "hmac-sha-1-96",
    "hmac-sha-1-160",
    "aes-cmac-96",
    "aes-gmac",
    "aes-gmac-us",
)
IPSEC_EALG = ("null", "aes-cbc", "des-ede3-cbc", "blowfish", "aes-ctr", "aes-gcm", "aes-gcm-us")
_MILLISECONDS = Integer(0, 36_000_000)


@dataclass(frozen=True, slots=True)
class SipAddr(Checks):
    """A pair of SIP sockets, UDP and TCP, and the media ports that go with them."""

    addr: Address = prop(
        ("", 0), IpAddress(5060), "Address and port that phones know; listened on unless `bind_addr` is set."
    )
    bind_addr: Address | None = prop(
        None, IpAddress(-1), "Address and port to listen on instead; the port of `addr` when none is given."
    )
    port_min: int = prop(10000, Integer(1, 65535), "First UDP port for media.")
    port_max: int = prop(20000, Integer(1, 65535), "Last UDP port for media.")
    trunk: bool = prop(False, Boolean(), "Use this address towards the SIP trunk.")

    @classmethod
    def finish(cls, values: dict[str, Any], complain: Callable[[str, str], None]) -> None:
        """Ports in order; one address family."""
        if "addr" not in values:
            complain("addr", "IP address expected")
            return
        bind = values.get("bind_addr")
        if bind is not None:
            if bind[1] < 0:
                values["bind_addr"] = bind = (bind[0], values["addr"][1])
            if (":" in bind[0]) != (":" in values["addr"][0]):
                complain("bind_addr", f"{bind[0]} is not of the same IP version as addr {values['addr'][0]}")
        low, high = values.get("port_min", 10000), values.get("port_max", 20000)
        if high <= low:
            complain(
                "port_max" if "port_max" in values else "port_min",
                f"port_max {high} must be greater than port_min {low}",
            )


@dataclass(frozen=True, slots=True)
class Trunk(Checks):
    """A SIP trunk to another network."""

    addr: Address = prop(("", 0), IpAddress(5060, host_name=True), "Address of the trunk.")
    name: str = prop("", Text(), "User name of the trunk account.")
    domain: str | None = prop(None, domain_kind(), "Domain of SIP URIs; `addr` when not set.")
    tcp_threshold: int = prop(0, Integer(0, 65535), "Overrides the global `tcp_threshold` when not 0.")
    anonymous: bool = prop(False, Boolean(), "Forward anonymous calls.")

    @classmethod
    def finish(cls, values: dict[str, Any], complain: Callable[[str, str], None]) -> None:
        """Address and name are mandatory."""
        for name in ("addr", "name"):
            if not values.get(name):
                complain(name, "expected in a trunk")


@dataclass(frozen=True, slots=True)
class N5(Checks):
    """The interface to a PCF (TS 29.514)."""

    api_root: str = prop("", Text(r"https?://\S+", "http(s)://host:port"), "Where the PCF is.")
    transaction_timeout: int = prop(4000, Integer(1, 15000), "Timeout of a request, in milliseconds.")
    bind_addr: Address | None = prop(None, IpAddress(), "Local address; `cx_bind_addr` when not set.")


@dataclass(frozen=True, slots=True)
class ComAuth(Checks):
    """Who may use the remote API."""

    passfile: str | None = prop(None, FileName(), "File with the password.")
    password: str | None = prop(None, Secret(), "The password.", secret=True)
    unsecure: bool = prop(False, Boolean(), "Allow the password in plain text.")

    @classmethod
    def finish(cls, values: dict[str, Any], complain: Callable[[str, str], None]) -> None:
        """There must be a password."""
        if values.get("passfile") is None and values.get("password") is None:
            complain("password", "passfile or password expected")
        elif values.get("password") == "":
            complain("password", "it is empty, everybody could use the remote API")


@dataclass(frozen=True, slots=True)
class LicenseServer(Checks):
    """Accepted so that existing files load; no license is needed."""

    server_addr: str = prop("", Text(), "Address of the license server.")
    name: str | None = prop(None, Text(), "Text shown for the license.")
    tag: str | None = prop(None, Text(), "Tag of the license.")


@dataclass(frozen=True, slots=True)
class SmsCentreAddress(Checks):
    """Address of the SMS centre in RP messages (TS 24.011)."""

    type_of_number: str = prop("unknown", Choice("unknown", "international", "national"), "Type of number.")
    numbering_plan: str = prop("unknown", Choice("unknown", "national", "private"), "Numbering plan.")
    number: str = prop("", Text(r"\+?\d{1,20}", "up to 20 digits with an optional +"), "The number.")


@dataclass(frozen=True, slots=True)
class MessageFilter(Checks):
    """What happens to one kind of SMS protocol message."""

    action: str = prop("treat", Choice("treat", "ignore", "reject"), "Process, ignore or reject it.")
    ttl: int | None = prop(None, Integer(1), "How many times; without end when not set.")


@dataclass(frozen=True, slots=True)
class SmsMessageFilter(Checks):
    """Faults to be made in the SMS protocols, to test phones."""

    cp_data: MessageFilter = prop(MessageFilter(), Struct(MessageFilter), "CP-DATA.", state=LATER)
    cp_ack: MessageFilter = prop(MessageFilter(), Struct(MessageFilter), "CP-ACK.", state=LATER)
    rp_data: MessageFilter = prop(MessageFilter(), Struct(MessageFilter), "RP-DATA.")
    rp_ack: MessageFilter = prop(MessageFilter(), Struct(MessageFilter), "RP-ACK.")


@dataclass(frozen=True, slots=True)
class Settings(Checks):
    """The whole configuration, immutable."""

    # Logging
    log_filename: str | None = prop(None, FileName(), "Log file.")
    log_options: str = prop("", LogAssignments(), "Levels and form of the log, a list of assignments.")
    log_sync: bool = prop(False, Boolean(), "Write every log line at once; slow.")

    # SIP
    sip_addr: tuple[SipAddr, ...] = prop(
        (), ListOf(Struct(SipAddr, short="addr"), single=True), "Addresses to listen on for SIP."
    )
    domain: str = prop(
        DEFAULT_DOMAIN, Text(r"\S+", "a domain"), "SIP domain of users, and realm of the authentication."
    )
    tcp_threshold: int = prop(
        1300, Integer(0, 65535), "Requests longer than this, in bytes, go over TCP.", runtime=True
    )
    tcp_keepalive: int = prop(
        900,
        Integer(0, 32767),
        "Idle seconds before the first keepalive on a TCP connection; 0 for none.",
        runtime=True,
    )
    tcp_keepcount: int = prop(
        2, Integer(1, 127), "Keepalives without answer before a TCP connection is closed.", runtime=True
    )
    timer_t1: float = prop(2.0, Number(0, 60, above=True), "SIP timer T1, in seconds (RFC 3261 §17).")
    timer_t2: float = prop(16.0, Number(0, 600, above=True), "SIP timer T2, in seconds.")
    timer_t4: float = prop(17.0, Number(0, 600, above=True), "SIP timer T4, in seconds.")
    user_agent: str = prop(
        f"LibreIMS-{__version__}",
        Text(r"[^\r\n]*", "a single line"),
        "User-Agent and Server of our messages.",
    )
    force_user_agent: bool = prop(True, Boolean(), "Replace the User-Agent of the other phone by ours.")
    path: str = prop(
        f"sip:{DEFAULT_DOMAIN}",
        Text(r"[^\s<>]*", "a SIP URI"),
        "URI of the Path header of registration responses; empty for none.",
    )
    custom_headers: tuple[CustomHeader, ...] = prop(
        (),
        ListOf(Struct(CustomHeader)),
        "Headers to add to or remove from our messages.",
        runtime=True,
    )

    # Registration
    binding_expires: int = prop(
        3600,
        Integer(1, 864000),
        "Duration of a registration that asks for none, and the longest, in seconds.",
        runtime=True,
    )
    subscribe_expires: int = prop(
        0,
        Integer(0, 864000),
        "Duration of a subscription, in seconds; 0 for what the phone asks.",
        runtime=True,
    )
    auth_on_register_only: bool = prop(
        True, Boolean(), "Authenticate registrations only, no other request.", runtime=True
    )
    proxy_auth: bool = prop(False, Boolean(), "Challenge with 407 and Proxy-Authenticate.")

    # Calls
    session_expires: SessionExpires = prop(
        SessionExpires(),
        Struct(SessionExpires, short="duration"),
        "Session timer (RFC 4028).",
        runtime=True,
    )
    rel100: bool = prop(
        True,
        Boolean(),
        "Reliable provisional responses (RFC 3262).",
        name="100rel",
        runtime=True,
    )
    use183: bool = prop(True, Boolean(), "Send 183 Session Progress.")
    allow_hold_invite: bool = prop(
        True,
        Boolean(),
        "Allow calls that begin on hold; else the hold is taken away.",
        aliases=("allow_held_invite",),
    )
    precondition: str = prop(
        "on",
        precondition_kind(),
        "Resource reservation before alerting (RFC 3312).",
        runtime=True,
    )
    p_called_party_id: bool = prop(
        False, Boolean(), "Add P-Called-Party-ID to INVITE and MESSAGE requests.", runtime=True
    )
    dialog_timeout: int = prop(
        30, Integer(0, 864000), "Seconds without activity that end a call.", runtime=True
    )
    early_media: bool = prop(True, Boolean(), "Handle media before the answer.")
    echo: tuple[ImpuSettings, ...] = prop((), impu_list(), "Numbers that answer and send the media back.")
    mt_call_sdp_file: str | None = prop(None, FileName(), "SDP for calls made by the server.")
    trunk: Trunk | None = prop(
        None, Struct(Trunk), "Another network: calls from it are accepted, calls to unknown numbers go there."
    )

    # IPsec
    ipsec: bool = prop(
        True,
        Boolean(),
        "Protect SIP with IPsec (TS 33.203). False lets phones that require it register without.",
    )
    ipsec_tun_setup_script_filename: str = prop(
        "/tmp/.ipsec_tun_setup_script",
        FileName(),
        "Script that is written to set up the TUN interface.",
    )
    ipsec_aalg_list: tuple[str, ...] = prop(
        (), ListOf(Choice(*IPSEC_AALG)), "Authentication algorithms of IPsec."
    )
    ipsec_ealg_list: tuple[str, ...] = prop(
        (),
        ListOf(Choice(*IPSEC_EALG, ignored=("des-cbc",))),
        "Encryption algorithms of IPsec.",
    )
    ipsec_mtu: int = prop(1400, Integer(68, 65535), "MTU of the IPsec interface.")
    ipsec_ifname: str | None = prop(None, Text(), "Existing TUN interface to use.")
    ipsec_netns: str | None = prop(
        None, Text(), "Network namespace of `ipsec_ifname`; without that one, of the interface that is made."
    )
    ipsec_pcap_filename: str | None = prop(
        None, FileName(), "pcapng file of what goes through IPsec, in clear; not in lteims (docs/ipsec.md)."
    )
    ipsec_esp_sa_filename: str | None = prop(
        None, FileName(), "`esp_sa` file with the keys of IPsec for Wireshark; not in lteims (docs/ipsec.md)."
    )

    # SGs, Cx, Rx, N5
    sctp_addr: Address | None = prop(
        None, IpAddress(10042), "Address for the connection from the MME (SMS over SGs).", state=LATER
    )
    cx_server_addr: Address | None = prop(None, IpAddress(3868), "Address of the HSS.", state=LATER)
    cx_bind_addr: Address | None = prop(
        None, IpAddress(), "Local address of Cx; `sctp_addr` when not set.", state=LATER
    )
    cx_origin_realm: str = prop("amarisoft.com", Text(), "Origin-Realm of Cx.", state=LATER)
    cx_origin_host: str = prop("ims.amarisoft.com", Text(), "Origin-Host of Cx.", state=LATER)
    cx_watchdog_duration: int = prop(
        0, _MILLISECONDS, "Diameter watchdog of Cx, in milliseconds; 0 for none.", state=LATER
    )
    rx_server_addr: Address | None = prop(
        None, IpAddress(3868), "Address of the PCRF; `cx_server_addr` when not set.", state=LATER
    )
    rx_bind_addr: Address | None = prop(
        None, IpAddress(), "Local address of Rx; `cx_bind_addr` when not set.", state=LATER
    )
    rx_origin_realm: str = prop("amarisoft.com", Text(), "Origin-Realm of Rx.", state=LATER)
    rx_origin_host: str = prop("ims.amarisoft.com", Text(), "Origin-Host of Rx.", state=LATER)
    rx_watchdog_duration: int = prop(
        0, _MILLISECONDS, "Diameter watchdog of Rx, in milliseconds; 0 for none.", state=LATER
    )
    use_n5: bool = prop(False, Boolean(), "Use N5 instead of Rx.", state=LATER)
    n5: N5 | None = prop(None, Struct(N5), "Interface to the PCF.", state=LATER)

    # Remote API
    com_addr: Address | None = prop(None, IpAddress(9003), "Address of the remote API.")
    com_name: str = prop("IMS", Text(), "Name of the server in the remote API.")
    com_ssl_certificate: str | None = prop(None, FileName(), "Certificate of the remote API.")
    com_ssl_key: str | None = prop(None, FileName(), "Key of that certificate.")
    com_ssl_peer_verify: bool = prop(False, Boolean(), "Check the certificates of clients.")
    com_ssl_ca: str | None = prop(None, FileName(), "Certificate authority of clients.")
    com_log_lock: bool = prop(
        False,
        Boolean(),
        "The remote API cannot change log options.",
        aliases=("com_logs_lock",),
    )
    com_log_us: bool = prop(False, Boolean(), "Log times in microseconds in the remote API.")
    com_auth: ComAuth | None = prop(None, Struct(ComAuth), "Password of the remote API.")
    com_log_count: int = prop(8192, Integer(4096, 2097152), "Log entries kept in memory.")
    sim_events: tuple[Any, ...] = prop((), ListOf(Anything()), "Remote API requests to make at the start.")
    sim_events_loop_count: int | None = prop(
        None, Integer(0, 1_000_000), "`loop_count` of each of `sim_events`."
    )
    sim_events_loop_delay: float | None = prop(
        None, Number(0.1, 86400), "`loop_delay` of each of `sim_events`, in seconds."
    )
    com_metrics: bool = prop(
        False,
        Boolean(),
        "Numbers for Prometheus at /metrics of `com_addr`; not in lteims.",
    )
    license_server: LicenseServer | None = prop(
        None, Struct(LicenseServer), "No license is needed.", state=IGNORED
    )

    # SMS, MMS
    sms_expires: int = prop(
        86400,
        Integer(0),
        "Seconds before an SMS is given up; a validity period of its own comes first.",
        runtime=True,
    )
    sms_hook_only: bool = prop(False, Boolean(), "Leave SMS to clients of the remote API.", runtime=True)
    sms_centre_address: SmsCentreAddress | None = prop(
        None, Struct(SmsCentreAddress), "Address of the SMS centre."
    )
    sms_retry_delay: float | None = prop(
        None,
        Number(0),
        "Seconds before an SMS is sent again; not set: 30, doubled each time up to 900.",
        runtime=True,
    )
    sms_message_filter: SmsMessageFilter = prop(
        SmsMessageFilter(),
        Struct(SmsMessageFilter),
        "Messages of the SMS protocols to ignore or reject.",
        runtime=True,
    )
    sms_forced_cp_cause: int = prop(
        0, Integer(0, 255), "CP cause to send instead of ours; 0 for none.", runtime=True, state=LATER
    )
    sms_forced_rp_cause: int = prop(
        0, Integer(0, 255), "RP cause to send instead of ours; 0 for none.", runtime=True
    )
    mms_server_bind_addr: Address | None = prop(None, IpAddress(80), "Address of the MMSC.", state=LATER)
    mms_expires: int = prop(
        86400, Integer(0), "Seconds before an MMS is given up.", runtime=True, state=LATER
    )

    # Users
    ue_db: tuple[UserSettings, ...] = prop((), Users(), "The users.")
    ue_db_filename: str | None = prop(
        None, FileName(), "File that keeps registrations and SMS over a restart (docs/persistence.md)."
    )

    @classmethod
    def finish(cls, values: dict[str, Any], complain: Callable[[str, str], None]) -> None:
        """What the server cannot do without, and what belongs together."""
        if values.get("ipsec_ifname") is not None and values.get("ipsec_netns") is None:
            complain("ipsec_netns", "expected because ipsec_ifname is set")
        if values.get("com_ssl_certificate") is not None and values.get("com_ssl_key") is None:
            complain("com_ssl_key", "expected because com_ssl_certificate is set")
