"""CPU microseconds to parse and serialise a REGISTER of 0.8 kB and an INVITE with SDP of 1.8 kB.

    python bench/codec.py [--profile]

Each figure is the best of several runs, since everything that disturbs a run makes it slower.
"""

from __future__ import annotations

import cProfile
import platform
import sys
import time
import timeit
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.parser import parse
from libreims.proto.sip.validation import check_request

RUNS = 7
LOOPS = 4000
HOME = "ims.mnc001.mcc001.3gppnetwork.org"
METHODS = frozenset({"REGISTER", "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"})
EXTENSIONS = frozenset({"path", "sec-agree", "100rel"})

REGISTER = (
    f"REGISTER sip:{HOME} SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.0.2.4:5060;branch=z9hG4bK776asdhds;rport\r\n"
    "Max-Forwards: 70\r\n"
    f"From: <sip:001010123456789@{HOME}>;tag=456248\r\n"
    f"To: <sip:001010123456789@{HOME}>\r\n"
    "Call-ID: 843817637684230998sdasdh09@192.0.2.4\r\n"
    "CSeq: 1826 REGISTER\r\n"
    "Contact: <sip:192.0.2.4:5060>;expires=600000;+g.3gpp.smsip;audio;"
    '+sip.instance="<urn:gsma:imei:35622410-483840-0>"\r\n'
    f'Authorization: Digest username="001010123456789@{HOME}",realm="{HOME}",nonce="",'
    f'uri="sip:{HOME}",response="",algorithm=AKAv1-MD5\r\n'
    "Supported: path,sec-agree\r\n"
    "P-Access-Network-Info: 3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=0010100010019B01\r\n"
    "Content-Length: 0\r\n\r\n"
).encode()

SDP = "".join(
    line + "\r\n"
    for line in (
        "v=0",
        "o=- 3895172837 3895172837 IN IP4 192.0.2.4",
        "s=-",
        "c=IN IP4 192.0.2.4",
        "b=AS:41",
        "t=0 0",
        "m=audio 50010 RTP/AVP 107 106 105 104 101 102",
        "b=AS:41",
        "b=RS:512",
        "b=RR:1537",
        "a=rtpmap:107 EVS/16000/1",
        "a=fmtp:107 br=5.9-24.4;bw=nb-swb;max-red=0",
        "a=rtpmap:106 AMR-WB/16000/1",
        "a=fmtp:106 octet-align=1;mode-change-capability=2;max-red=0",
        "a=rtpmap:105 AMR-WB/16000/1",
        "a=fmtp:105 mode-change-capability=2;max-red=0",
        "a=rtpmap:104 AMR/8000/1",
        "a=fmtp:104 mode-change-capability=2;max-red=0",
        "a=rtpmap:101 telephone-event/16000",
        "a=fmtp:101 0-15",
        "a=rtpmap:102 telephone-event/8000",
        "a=fmtp:102 0-15",
        "a=ptime:20",
        "a=maxptime:240",
        "a=sendrecv",
    )
).encode()

INVITE = (
    "INVITE tel:+33600000124;phone-context=ims.mnc001.mcc001.3gppnetwork.org SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 192.0.2.4:5060;branch=z9hG4bK2147483647smg;rport\r\n"
    "Max-Forwards: 70\r\n"
    "Route: <sip:192.0.2.1:5060;lr>,<sip:orig@scscf.ims.mnc001.mcc001.3gppnetwork.org:5060;lr>\r\n"
    f'From: "Alice" <sip:+33600000123@{HOME}>;tag=87263527\r\n'
    "To: <tel:+33600000124>\r\n"
    "Call-ID: 6XQ1o3t8SeZd4F@192.0.2.4\r\n"
    "CSeq: 1 INVITE\r\n"
    f"Contact: <sip:001010123456789@192.0.2.4:5060>;+g.3gpp.icsi-ref="
    '"urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel";audio;+sip.instance="<urn:gsma:imei:35622410-483840-0>"\r\n'
    'Accept-Contact: *;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel"\r\n'
    f"P-Preferred-Identity: <sip:+33600000123@{HOME}>\r\n"
    "P-Preferred-Service: urn:urn-7:3gpp-service.ims.icsi.mmtel\r\n"
    "P-Access-Network-Info: 3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=0010100010019B01\r\n"
    "P-Early-Media: supported\r\n"
    "Supported: 100rel,timer,precondition,gruu\r\n"
    "Allow: INVITE,ACK,OPTIONS,CANCEL,BYE,UPDATE,INFO,NOTIFY,MESSAGE,REFER,PRACK\r\n"
    "Accept: application/sdp,application/3gpp-ims+xml\r\n"
    "Session-Expires: 1800\r\n"
    "Min-SE: 90\r\n"
    "User-Agent: phone/1.0\r\n"
    "Content-Type: application/sdp\r\n"
    f"Content-Length: {len(SDP)}\r\n\r\n"
).encode() + SDP


def best(work: Callable[[], object]) -> float:
    """CPU microseconds of one call."""
    return min(timeit.repeat(work, timer=time.process_time, number=LOOPS, repeat=RUNS)) / LOOPS * 1e6


def measure(name: str, data: bytes) -> None:
    message = parse(data)
    assert isinstance(message, Request)
    assert message.encode() == data

    def serve() -> None:
        """The codec's share of a refused request."""
        request = parse(data)
        assert isinstance(request, Request)
        check_request(request, methods=METHODS, extensions=EXTENSIONS)
        Response.to_request(request, 404, tag="87263527").encode()

    print(f"{name} {len(data)} bytes")
    print(f"  parse                       {best(lambda: parse(data)):6.1f} us")
    print(f"  serialise                   {best(message.encode):6.1f} us")
    print(f"  parse, check, answer 404    {best(serve):6.1f} us")


def main() -> None:
    print(f"{platform.python_implementation()} {platform.python_version()}")
    cases = (("REGISTER", REGISTER), ("INVITE", INVITE))
    if "--profile" in sys.argv:
        for _, data in cases:
            cProfile.runctx("for _ in range(20000): parse(data)", globals(), {"data": data}, sort="tottime")
        return
    for name, data in cases:
        measure(name, data)


if __name__ == "__main__":
    main()
