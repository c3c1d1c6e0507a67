from __future__ import annotations

import pytest

from libreims.base.errors import Reject
from libreims.config.schema_common import SessionExpires as Settings
from libreims.proto.sip.errors import SipParseError
from libreims.proto.sip.message import Response
from libreims.proto.sip.session_timer import (
    AgreedTimer,
    SessionExpires,
    TimerRequest,
    answer_timer,
    min_se,
    supports_timer,
)
from support.reliable import invite

SUPPORTED = ("Supported", "timer")


def response(status: int, *headers: tuple[str, str]) -> Response:
    return Response.to_request(invite(), status, headers=headers)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1800", SessionExpires(1800)),
        ("1800;refresher=uac", SessionExpires(1800, "uac")),
        (" 90 ; Refresher = UAS ;x=y", SessionExpires(90, "uas")),
        ("90;refresher=nobody", SessionExpires(90)),
        ("90;refresher", SessionExpires(90)),
        ("99999999999", SessionExpires(2**32 - 1)),
    ],
)
def test_session_expires_is_read(text: str, value: SessionExpires) -> None:
    assert SessionExpires.parse(text) == value


@pytest.mark.parametrize("text", ["", "x", "-1", "18.5", ";refresher=uac", "1800;;", '90;a="'])
def test_malformed_session_expires(text: str) -> None:
    with pytest.raises(SipParseError) as caught:
        SessionExpires.parse(text)
    assert caught.value.status == 400


def test_written() -> None:
    assert str(SessionExpires(1800)) == "1800"
    assert str(SessionExpires(90, "uas")) == "90;refresher=uas"


def test_min_se_with_parameters() -> None:
    assert min_se(invite([("Min-SE", "120;x=y")])) == 120
    assert min_se(invite()) is None
    with pytest.raises(SipParseError):
        min_se(invite([("Min-SE", "soon")]))


def test_support_is_said_in_two_places() -> None:
    assert supports_timer(invite([("Supported", "path, Timer")]))
    assert supports_timer(invite([("Require", "timer")]))
    assert not supports_timer(invite([("Supported", "100rel")]))


@pytest.mark.parametrize("name", ["Session-Expires", "Min-SE"])
def test_unreadable_headers_are_answered_400(name: str) -> None:
    with pytest.raises(Reject) as caught:
        answer_timer(invite([SUPPORTED, (name, "?")]), Settings())
    assert caught.value.status == 400
    assert name in (caught.value.reason or "")


# asked for, Min-SE of the request, our duration, our min -> interval
@pytest.mark.parametrize(
    ("asked", "lowest", "duration", "least", "interval"),
    [
        (1800, None, 1800, 90, 1800),
        (3600, None, 1800, 90, 1800),
        (600, None, 1800, 90, 600),
        (3600, 2400, 1800, 90, 2400),
        (3600, None, 30, 90, 90),
        (3600, None, 30, 30, 30),
        (3600, 90, 30, 30, 90),
        (3600, 7200, 1800, 90, 3600),
        (600, None, 0, 90, 600),
        (None, None, 1800, 90, 1800),
        (None, 2400, 1800, 90, 2400),
        (1, None, 0, 0, 1),
    ],
)
def test_interval_of_the_answer(
    asked: int | None, lowest: int | None, duration: int, least: int, interval: int
) -> None:
    headers = [SUPPORTED]
    if asked is not None:
        headers.append(("Session-Expires", str(asked)))
    if lowest is not None:
        headers.append(("Min-SE", str(lowest)))
    answer = answer_timer(invite(headers), Settings(duration=duration, min=least))
    assert answer.timer is not None
    assert answer.timer.interval == interval
    assert answer.headers[-1][1].startswith(f"{interval};refresher=")


def test_switched_off_and_not_asked_for() -> None:
    answer = answer_timer(invite([SUPPORTED]), Settings(duration=0))
    assert (answer.headers, answer.timer) == ((), None)


def test_an_interval_of_nothing_is_too_small_even_without_a_minimum() -> None:
    with pytest.raises(Reject) as caught:
        answer_timer(invite([SUPPORTED, ("Session-Expires", "0")]), Settings(min=0))
    assert caught.value.headers == (("Min-SE", "1"),)
    answer = answer_timer(invite([("Session-Expires", "0")]), Settings(min=0))
    assert answer.timer == AgreedTimer(1, True, alone=True)


def test_who_refreshes_does_not_change_by_the_way() -> None:
    request = invite([SUPPORTED, ("Session-Expires", "600")])
    for refreshing in (True, False):
        for preferred in ("uac", "uas"):
            current = AgreedTimer(600, refreshing, least=100)
            answer = answer_timer(request, Settings(refresher=preferred), current)
            assert answer.timer == current


def test_first_request_by_settings() -> None:
    assert TimerRequest(Settings()).headers == (("Session-Expires", "1800;refresher=uac"),)
    assert TimerRequest(Settings(force=False)).headers == (("Session-Expires", "1800"),)
    assert TimerRequest(Settings(refresher="uas", duration=300, min=120)).headers == (
        ("Session-Expires", "300;refresher=uas"),
        ("Min-SE", "120"),
    )
    assert TimerRequest(Settings(duration=60, min=90)).headers == (("Session-Expires", "90;refresher=uac"),)
    assert TimerRequest(Settings(duration=0, min=120)).headers == ()


def test_request_of_a_dialog_keeps_its_timer() -> None:
    current = AgreedTimer(600, refreshing=False, least=300)
    assert TimerRequest(Settings(), current).headers == (
        ("Session-Expires", "600;refresher=uas"),
        ("Min-SE", "300"),
    )


@pytest.mark.parametrize("headers", [[], [("Min-SE", "?")], [("Min-SE", "1800")], [("Min-SE", "90")]])
def test_a_422_that_makes_no_sense_is_not_tried_again(headers: list[tuple[str, str]]) -> None:
    request = TimerRequest(Settings())
    before = request.headers
    assert not request.too_small(response(422, *headers))
    assert request.headers == before


def test_a_422_without_a_timer_of_ours_is_not_tried_again() -> None:
    assert not TimerRequest(Settings(duration=0)).too_small(response(422, ("Min-SE", "90")))


@pytest.mark.parametrize("text", ["?", "0", "0;refresher=uas"])
def test_an_unusable_session_expires_in_a_2xx_ends_no_call(text: str) -> None:
    assert TimerRequest(Settings()).agreed(response(200, ("Session-Expires", text))) is None


def test_a_peer_without_timers_is_refreshed_on() -> None:
    """The 200 to our refresh says nothing about timers, as that to the INVITE could not."""
    alone = answer_timer(invite(), Settings()).timer
    assert alone == AgreedTimer(1800, True, alone=True)
    assert TimerRequest(Settings(), alone).agreed(response(200)) == alone
    learnt = TimerRequest(Settings(), alone).agreed(response(200, ("Session-Expires", "600;refresher=uas")))
    assert learnt == AgreedTimer(600, False)


def test_compact_form() -> None:
    answer = answer_timer(invite([("k", "timer"), ("x", "600;refresher=uac")]), Settings())
    assert answer.timer == AgreedTimer(600, False)
