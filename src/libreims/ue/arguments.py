"""The command line of `libreims ue`: options, and the phone that they describe.  Used by `ue.cli`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from libreims.net import address
from libreims.proto.sip.digest import AKAV1_MD5, AKAV2_MD5, AKAV2_SHA256, MD5
from libreims.ue.audio import CODECS
from libreims.ue.config import CODECS as PREFERRED
from libreims.ue.config import (
    EXPIRES,
    IMEI,
    SMSC,
    PhoneConfig,
    PhoneConfigError,
    SimCard,
    SimFile,
    load_sim,
    sim_card,
)
from libreims.ue.incoming import ANSWER, BUSY, DECLINE, RING, AnswerMode
from libreims.ue.ipsec import Evidence
from libreims.ue.script import steps_help
from libreims.ue.security_offer import AALG, EALG, Pair, pairs

_SCHEMES = {
    "none": None,
    "md5": MD5,
    "akav1": AKAV1_MD5,
    "akav2": AKAV2_MD5,
    "akav2-sha-256": AKAV2_SHA256,
}

_MODES = {"auto": ANSWER, "ring": RING, "busy": BUSY, "decline": DECLINE}

_EPILOG = f"""\
steps, done one after the other until one fails:
{steps_help()}

A TARGET of digits is a number of the home domain, +33... a global one, a word a user name of the home domain,
anything with a colon a URI.
At the end the phone hangs up and de-registers by itself.

SIM file: a JSON object, or lines `name = value`; names: sim_algo, K, opc, op, sqn, res_len, impi, impu, pwd.

examples:
  libreims ue --imsi 001010000000001 --sim sim1 register call 1002 expect-audio 100 hangup
  libreims ue --impi alice --domain ims.test --password secret register listen expect-hangup
  libreims ue --imsi 001010000000001 --sim sim1 register sms 1002 "See you at 8" report expect-report
  libreims ue --ipsec --imsi 001010000000001 --sim sim1 --ladder register reregister fresh deregister
  libreims ue --imsi 001010000000001 --sim sim1 --count 100 --rate 50 register wait 10

exit status: 0 when every step succeeded, 1 when one did not, 2 for wrong arguments
"""


def parser() -> argparse.ArgumentParser:
    """The options of `libreims ue`, those of its load mode too."""
    made = argparse.ArgumentParser(
        prog="libreims ue",
        description="A simulated phone.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("steps", nargs="*", metavar="STEP", help="what to do, see below")
    add = made.add_argument_group("server").add_argument
    add("--server", default="127.0.0.1:5060", metavar="HOST:PORT", help="P-CSCF (default %(default)s)")
    add("--transport", choices=("udp", "tcp"), default="udp")
    add("--local", default="", metavar="HOST[:PORT]", help="our address (default: loopback, any port)")
    add("--t1", type=float, default=0.5, metavar="SECONDS", help="SIP timer T1 (default %(default)s)")
    add = made.add_argument_group("identity").add_argument
    add("--imsi", help="IMPI, IMPU and domain are derived from it where not given (TS 23.003 §13)")
    add("--impi", help="private identity")
    add("--impu", help="public identity, a sip URI")
    add("--domain", default="", help="home domain (default: the host of the IMPU)")
    add("--imei", default=IMEI, help="device identity (default %(default)s)")
    add = made.add_argument_group("authentication").add_argument
    add("--sim", type=Path, metavar="FILE", help="keys from a file, not from the command line")
    add("--k", metavar="HEX", help="key of the SIM")
    add("--opc", metavar="HEX", help="operator key of this SIM (TUAK: TOPc)")
    add("--op", metavar="HEX", help="key of the operator instead")
    add("--algo", choices=("xor", "milenage", "tuak"), help="of the SIM (default: milenage with opc or op)")
    add("--sqn", metavar="HEX", help="highest sequence number that the SIM has accepted")
    add("--password", help="of a soft phone")
    add("--md5", action="store_true", help="short for --auth md5")
    add("--auth", choices=tuple(_SCHEMES), help="offered first (default: akav1 with a SIM, else none)")
    add("--expires", type=int, default=EXPIRES, metavar="SECONDS", help="of the registration")
    add("--subscribe", action="store_true", help="subscribe to the registration state when registered")
    add = made.add_argument_group("calls").add_argument
    add("--codecs", default=",".join(PREFERRED), help="voice codecs (default %(default)s)")
    add("--video", action="store_true", help="accept video")
    add("--text", action="store_true", help="accept real-time text")
    add("--audio", type=Path, metavar="FILE", help="play a .wav (PCMU) or raw payload instead of a tone")
    add("--answer", choices=tuple(_MODES), default="auto", help="of calls that come in (default %(default)s)")
    add("--answer-delay", type=float, metavar="SECONDS", help="ring so long first (default 1)")
    add("--100rel", dest="rel100", action="store_true", help="reliable provisional responses (RFC 3262)")
    add("--precondition", action="store_true", help="preconditions (RFC 3312); brings --100rel along")
    add("--session-expires", type=int, default=0, metavar="SECONDS", help="session timer (RFC 4028)")
    add = made.add_argument_group("short messages").add_argument
    add("--smsc", default=SMSC, metavar="NUMBER|URI", help="SMS centre of the SIM (default %(default)s)")
    add("--no-sms", action="store_true", help="do not say that the phone does SMS over IP")
    add = made.add_argument_group("IPsec").add_argument
    add("--ipsec", action="store_true", help="register through IPsec (TS 33.203); needs root")
    add("--aalg", default=",".join(AALG), metavar="LIST", help="integrity, offered (default %(default)s)")
    add("--ealg", default=",".join(EALG), metavar="LIST", help="encryption, offered (default %(default)s)")
    add("--ipsec-pcap", metavar="FILE", help="write what goes through IPsec in clear, as pcapng")
    add("--esp-sa", metavar="FILE", help="write the keys with which Wireshark decrypts a capture")
    add = made.add_argument_group("output").add_argument
    add("--ladder", action="store_true", help="print the messages as a ladder at the end")
    add("--trace", action="store_true", help="print every message whole")
    add("--json", action="store_true", help="JSON lines as things happen, the last one a summary")
    add = made.add_argument_group("load").add_argument
    add("--count", type=int, default=1, metavar="N", help="so many phones, all with the same keys")
    add("--rate", type=float, default=10.0, metavar="R", help="phones per second (default %(default)s)")
    return made


def config(options: argparse.Namespace) -> PhoneConfig:
    """The phone that the options describe. Raises PhoneConfigError, SecurityError."""
    file = load_sim(options.sim) if options.sim else SimFile(None)
    sim = _sim(options) or file.sim
    password = options.password if options.password is not None else file.password
    impi, impu, domain = _identity(options, file)
    name = options.auth or ("md5" if options.md5 else ("akav1" if sim is not None else "none"))
    codecs = tuple(_words(options.codecs))
    for codec in codecs:
        if codec.lower() not in CODECS or CODECS[codec.lower()].media != "audio":
            known = ", ".join(each.name for each in CODECS.values() if each.media == "audio")
            raise PhoneConfigError(f"codec {codec!r}: use {known}")
    if options.count < 1 or options.rate <= 0:
        raise PhoneConfigError("--count and --rate must be greater than 0")
    try:
        server = address.parse(options.server)
        local = address.parse(options.local, 0) if options.local else ("", 0)
    except ValueError as error:
        raise PhoneConfigError(str(error)) from None
    return PhoneConfig(
        impi=impi,
        impu=impu,
        server=server,
        domain=domain,
        transport=options.transport.upper(),
        local=local,
        sim=sim,
        password=password,
        scheme=_SCHEMES[name],
        expires=options.expires,
        imei=options.imei,
        subscribe=options.subscribe,
        codecs=codecs,
        video=options.video,
        text=options.text,
        rel100=options.rel100,
        precondition=options.precondition,
        session_expires=options.session_expires,
        ipsec=_ipsec(options),
        sms=not options.no_sms,
        smsc=options.smsc,
    )


def _sim(options: argparse.Namespace) -> SimCard | None:
    names = {"k": "k", "opc": "opc", "op": "op", "algorithm": "algo", "sqn": "sqn"}
    given = {field: getattr(options, option) for field, option in names.items()}
    given = {field: value for field, value in given.items() if value is not None}
    return sim_card(given) if given else None


def _ipsec(options: argparse.Namespace) -> tuple[Pair, ...]:
    if not options.ipsec:
        for option in ("ipsec_pcap", "esp_sa"):
            if getattr(options, option):
                raise PhoneConfigError(f"--{option.replace('_', '-')} has nothing to write without --ipsec")
        return ()
    return pairs(*(_words(text) for text in (options.aalg, options.ealg)))


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _identity(options: argparse.Namespace, file: SimFile) -> tuple[str, str, str]:
    impi, impu, domain = options.impi or file.impi, options.impu or file.impu, options.domain
    if options.imsi:
        if not options.imsi.isdigit() or not 6 <= len(options.imsi) <= 15:
            raise PhoneConfigError(f"IMSI {options.imsi!r}: up to 15 digits are expected")
        domain = domain or f"ims.mnc0{options.imsi[3:5]}.mcc{options.imsi[:3]}.3gppnetwork.org"
        impi = impi or f"{options.imsi}@{domain}"
        impu = impu or f"sip:{options.imsi}@{domain}"
    if not impi:
        raise PhoneConfigError("who is the phone? Give --imsi, or --impi and --impu")
    if not impu:
        host = domain or impi.partition("@")[2]
        if not host:
            raise PhoneConfigError("which public identity does the phone have? Give --impu or --domain")
        impu = f"sip:{impi.partition('@')[0]}@{host}"
    if not impu.startswith("sip:"):
        raise PhoneConfigError(f"IMPU {impu!r}: a phone registers a sip: URI")
    if "@" not in impu:
        if not domain:
            raise PhoneConfigError(f"IMPU {impu!r} has no host: give --domain")
        impu = f"{impu}@{domain}"
    return impi, impu, domain


def answer_mode(options: argparse.Namespace) -> AnswerMode:
    """What it does with calls that come in."""
    mode = _MODES[options.answer]
    return mode if options.answer_delay is None else replace(mode, delay=options.answer_delay)


def evidence(options: argparse.Namespace) -> Evidence:
    """The files of IPsec that it writes."""
    return Evidence(options.ipsec_pcap, options.esp_sa)
