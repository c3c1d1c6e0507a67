"""RFC 4475: all 49 SIP torture messages, octet for octet, each with its verdict.

A verdict is what a server with the methods and extensions below does with the message: take it, answer it
with a status, or drop it.  The sentences quoted are the RFC's.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from libreims.proto.sip.digest import Credentials
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.framing import FramingError, StreamFramer
from libreims.proto.sip.headers import CSeq
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.parser import parse
from libreims.proto.sip.uri import Uri
from libreims.proto.sip.validation import Refusal, check_request, check_response

DATA = Path(__file__).parent / "data" / "rfc4475"
METHODS = ("ACK", "BYE", "CANCEL", "INVITE", "MESSAGE", "OPTIONS", "REGISTER")
EXTENSIONS = ("path",)


class Verdict(NamedTuple):
    """What became of a message: `status` 0 for taken, -1 for dropped without an answer."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()


TAKEN = Verdict(0)
DROPPED = Verdict(-1)
ALLOW = (("Allow", ", ".join(METHODS)),)
UNSUPPORTED = (
    "nothingSupportsThis, nothingSupportsThisEither, noProxiesSupportThis, norDoAnyProxiesSupportThis"
)
BODIES = "application/sdp, multipart/mixed, multipart/alternative, multipart/related"

VERDICTS: dict[str, Verdict] = {
    # 3.1.1 Valid messages
    "wsinv": TAKEN,  # "All elements should treat this as a well-formed request."
    "intmeth": Verdict(501, ALLOW),  # well formed; the method is one that nobody implements
    "esc01": TAKEN,  # "A parser must accept this as a well-formed message."
    "escnull": TAKEN,  # "parsers must accept this message"
    "esc02": Verdict(501, ALLOW),  # "An endpoint would reject this message with a 501."
    "lwsdisp": TAKEN,  # "Elements should accept this request as well formed."
    "longreq": TAKEN,  # well formed
    "dblreq": TAKEN,  # "handle the REGISTER request normally and ignore the extra bits"
    "semiuri": TAKEN,  # "Receiving elements will accept this as a well-formed message."
    "transports": TAKEN,  # "Parsers must accept this message as well formed."
    "mpart01": TAKEN,  # a multipart body with binary parts
    "unreason": TAKEN,  # "A parser must accept this message."
    "noreason": TAKEN,  # "A parser must accept this message."
    # 3.1.2 Invalid messages
    "badinv01": Verdict(400),  # "should respond with a 400 Bad Request error"
    "clerr": Verdict(400),  # "When sent over UDP ... should respond with a 400"
    "ncl": Verdict(400),  # "should respond with an error"
    "scalar02": Verdict(400),  # "should respond with a 400 Bad Request due to the CSeq error"
    "scalarlg": DROPPED,  # "An element receiving this response will simply discard it."
    "quotbal": Verdict(400),  # "should return a 400 Bad Request error"
    "ltgtruri": Verdict(400),  # "It is reasonable always to reject a request with this error with a 400"
    "lwsruri": Verdict(400),  # "should respond with a 400 Bad Request"
    "lwsstart": TAKEN,  # "An element that is liberal ... may ignore these extra SP characters"
    "trws": TAKEN,  # likewise
    "escruri": Verdict(400),  # "It is acceptable ... to reject this request with a 400 Bad Request."
    "baddate": TAKEN,  # "an element shouldn't [reject] unless the ... Date ... [is] important"
    "regbadct": Verdict(400),  # "It is reasonable ... to respond with a 400 Bad Request."
    "badaspec": Verdict(400),  # "It is reasonable to reject this request with a 400"
    "baddn": Verdict(400),  # "It is reasonable always to reject this kind of error with a 400"
    "badvers": Verdict(505),  # "should respond to the request with a 505 Version Not Supported"
    "mismatch01": Verdict(400),  # "Any element receiving this request will respond with a 400"
    "mismatch02": Verdict(501),  # "should respond with a 501 Not Implemented"
    "bigcode": DROPPED,  # "An element receiving this response should simply drop it."
    # 3.2 Transaction layer semantics
    "badbranch": Verdict(400),  # "could reject the request with a 400 Response (preferably statelessly)"
    # 3.3 Application-layer semantics
    "insuf": Verdict(400),  # "must not break ... Ideally, it will respond with a 400 error."
    "unkscm": Verdict(416),  # a Request-URI scheme that nobody knows
    "novelsc": Verdict(416),  # a Request-URI scheme that exists but that we do not route
    "unksm2": Verdict(400),  # a registrar wants a SIP or SIPS URI as AOR in To
    "bext01": Verdict(420, (("Unsupported", UNSUPPORTED),)),  # 420 with the list
    "invut": Verdict(415, (("Accept", BODIES),)),  # 415, saying what would be accepted
    "regaut01": TAKEN,  # an unknown scheme counts as no credentials: the registrar challenges
    "multi01": Verdict(400),  # single-valued headers several times
    "mcl01": Verdict(400),  # two Content-Lengths that differ
    "bcast": DROPPED,  # a second Via: not meant for us, and never sent on to 255.255.255.255
    "zeromf": Verdict(483),  # Max-Forwards 0
    "cparam01": TAKEN,  # unknownparam is a parameter of the header
    "cparam02": TAKEN,  # unknownparam is a parameter of the URI
    "regescrt": TAKEN,  # headers in a Contact URI are kept, not acted upon
    "sdp01": Verdict(406),  # nothing that we could answer is acceptable
    # 3.4 Backward compatibility
    "inv2543": TAKEN,  # no branch, no tag, no Max-Forwards, no Content-Length
}


def octets(name: str) -> bytes:
    return (DATA / f"{name}.dat").read_bytes()


def request(name: str) -> Request:
    message = parse(octets(name))
    assert isinstance(message, Request)
    return message


def refusal(message: Request) -> Refusal | None:
    return check_request(message, methods=METHODS, extensions=EXTENSIONS)


def judge(data: bytes) -> Verdict:
    """What a server does with a datagram; the answer to a refused request can really be built."""
    try:
        message = parse(data)
    except SipParseError as error:
        if error.request is None:
            return DROPPED
        answer = Response.to_request(error.request, error.status, error.reason, tag="here")
        assert answer.encode().startswith(f"SIP/2.0 {error.status} ".encode())
        assert answer.get_all("Via") == error.request.get_all("Via")
        assert error.request.via.host  # what the way back is found by
        return Verdict(error.status)
    if isinstance(message, Response):
        return DROPPED if check_response(message) else TAKEN
    refused = refusal(message)
    if refused is None:
        return TAKEN
    answer = Response.to_request(message, refused.status, tag="here", headers=refused.headers)
    assert parse(answer.encode()).get_all("Via") == message.get_all("Via")
    return Verdict(refused.status, refused.headers)


def test_all_49_messages_are_here() -> None:
    assert {path.stem for path in DATA.glob("*.dat")} == set(VERDICTS)
    assert len(VERDICTS) == 49


@pytest.mark.parametrize("name", VERDICTS)
def test_verdict(name: str) -> None:
    assert judge(octets(name)) == VERDICTS[name]


@pytest.mark.parametrize("name", [name for name, verdict in VERDICTS.items() if verdict == TAKEN])
def test_what_is_taken_survives_a_round_trip(name: str) -> None:
    message = parse(octets(name))
    again = parse(message.encode())
    assert again.body == message.body
    for header, values in message.fields.items():
        if header != "Content-Length":
            assert again.get_all(header) == values


def test_wsinv_folding_compact_forms_and_loose_spaces() -> None:
    message = request("wsinv")
    assert message.to.tag == "1918181833n"
    assert (message.from_.display, message.from_.tag) == ('J Rosenberg \\"', "98asjd8")
    assert (message.max_forwards, message.cseq) == (68, CSeq(9, "INVITE"))
    assert message.get("Subject") == ""
    assert message.get("newfangledheader") == "newfangled value continued newfangled value"
    assert message.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    assert [(via.transport, via.host, via.branch) for via in message.vias] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    contact = message.contacts[0]
    assert contact.display == 'Quoted string ""'
    assert contact.params == {"newparam": "newvalue", "secondparam": None, "q": "0.33"}
    assert message.target.params == {"unknownparam": None}
    assert message.routes[0].uri.params == {"lr": None, "unknownwith": "value", "unknown-no-value": None}
    assert len(message.body) == 150


def test_intmeth_every_character_that_is_allowed() -> None:
    message = request("intmeth")
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert message.target.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert message.target.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert message.to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert message.from_.params["fromparam''~+*_!.-%"] == "работающий"
    assert message.get("extensionHeader-!.%*+_`'~") == "\ufeff大停電"


def test_esc01_escapes_are_undone_once() -> None:
    message = request("esc01")
    assert message.target.user == "sips:user@example.com"
    assert message.to.uri == Uri.parse("sip:user@example.com")
    assert message.from_.uri.user == "I have spaces"
    contact = message.contacts[0].uri
    assert (contact.user, contact.params) == ("caller", {"lr": None, "name": "value%41"})


def test_escnull_null_does_not_shorten_a_user() -> None:
    message = request("escnull")
    assert message.to.uri.user == "null-\x00-null"
    assert [contact.uri.user for contact in message.contacts] == ["\x00", "\x00\x00"]


def test_esc02_percent_is_no_escape_elsewhere() -> None:
    message = request("esc02")
    assert message.method == "RE%47IST%45R"
    assert message.from_.display == "%Z%45"
    assert [contact.uri.user for contact in message.contacts] == ["alias1", "alias3"]


def test_longreq_all_spellings_of_via_are_one_header() -> None:
    message = request("longreq")
    assert [via.host for via in message.vias][:2] == ["sip33.example.com", "sip32.example.com"]
    assert len(message.vias) == 34
    assert message.vias[-1].received == "192.0.2.5"


def test_dblreq_octets_beyond_the_body_are_ignored() -> None:
    message = request("dblreq")
    assert (message.method, message.body) == ("REGISTER", b"")


def test_semiuri_semicolons_in_the_user_part() -> None:
    assert request("semiuri").target.user == "user;par=u@example.net"


def test_transports_extension_tokens() -> None:
    assert [via.transport for via in request("transports").vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


def test_mpart01_binary_body() -> None:
    message = request("mpart01")
    assert message.content_type == "multipart/mixed"
    assert len(message.body) == 553


def test_unreason_and_noreason() -> None:
    message = parse(octets("unreason"))
    assert isinstance(message, Response)
    assert message.reason == "= 2**3 * 5**2 но сто девяносто девять - простое"
    message = parse(octets("noreason"))
    assert isinstance(message, Response)
    assert (message.status, message.reason) == (100, "")


@pytest.mark.parametrize("name", ["ncl", "mcl01"])
def test_over_a_stream_a_bad_length_is_not_recoverable(name: str) -> None:
    framer = StreamFramer()
    with pytest.raises(FramingError) as caught:
        framer.feed(octets(name))
    assert caught.value.status == 400
    assert caught.value.request is not None
    with pytest.raises(FramingError):
        framer.feed(octets("zeromf"))


def test_clerr_over_a_stream_waits_for_more() -> None:
    assert StreamFramer().feed(octets("clerr")) == []


def test_scalar02_an_expiry_out_of_range_is_no_error_in_itself() -> None:
    data = octets("scalar02").replace(b"36893488147419103232", b"1").replace(b"300", b"70")
    message = parse(data)
    assert isinstance(message, Request)
    assert refusal(message) is None
    assert message.expires == 2**32 - 1


def test_lwsstart_spaces_are_not_passed_on() -> None:
    assert request("lwsstart").encode().startswith(b"INVITE sip:user@example.com SIP/2.0\r\n")
    assert request("trws").encode().startswith(b"OPTIONS sip:remote-target@example.com SIP/2.0\r\n")


def test_regaut01_unknown_scheme_is_no_credentials() -> None:
    assert Credentials.find(request("regaut01").get_all("Authorization")) is None


def test_cparam01_and_cparam02_whose_parameter_it_is() -> None:
    contact = request("cparam01").contacts[0]
    assert (contact.params, contact.uri.params) == ({"unknownparam": None}, {})
    contact = request("cparam02").contacts[0]
    assert (contact.params, contact.uri.params) == ({}, {"unknownparam": None})


def test_regescrt_headers_stay_in_the_contact() -> None:
    message = request("regescrt")
    assert message.contacts[0].uri.headers == "Route=%3Csip:sip.example.com%3E"
    assert "Route" not in message


def test_inv2543_as_an_old_client_sends_it() -> None:
    message = request("inv2543")
    assert (message.via.branch, message.from_.tag, message.max_forwards) == (None, None, None)
    assert message.body.startswith(b"v=0")
    assert message.to.params == {"user": "phone"}
