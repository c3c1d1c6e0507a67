"""RFC 4028, session timers: the sentences that bind a user agent."""

from __future__ import annotations

import pytest

from libreims.base.errors import Reject
from libreims.config.schema_common import SessionExpires as Settings
from libreims.proto.sip.message import Request, Response
from libreims.proto.sip.session_timer import FLOOR, AgreedTimer, TimerRequest, answer_timer
from support.reliable import invite


def asks(session_expires: str = "", *, supported: bool = True, least: str = "") -> Request:
    headers = [("Supported", "timer")] if supported else []
    if session_expires:
        headers.append(("Session-Expires", session_expires))
    if least:
        headers.append(("Min-SE", least))
    return invite(headers)


def says(status: int, *headers: tuple[str, str]) -> Response:
    return Response.to_request(invite(), status, headers=headers)


# --- §5, §6: too small


def test_s5_without_min_se_90_seconds_are_the_least() -> None:
    """§5: the default of Min-SE is 90 seconds: nobody shortens a session below it."""
    assert FLOOR == 90
    answer = answer_timer(asks("1800"), Settings(duration=60, min=90))
    assert answer.timer is not None
    assert answer.timer.interval == 90


def test_s6_too_small_is_answered_422_with_min_se() -> None:
    """§6, §9: an interval below the minimum of the UAS is rejected with 422, which MUST have a Min-SE."""
    with pytest.raises(Reject) as caught:
        answer_timer(asks("100"), Settings(min=120))
    assert (caught.value.status, caught.value.headers) == (422, (("Min-SE", "120"),))


def test_s9_no_422_to_a_client_without_timers() -> None:
    """§8.1 and erratum 1687 to §9: 422 would only fail such a call; the interval is raised instead."""
    answer = answer_timer(asks("100", supported=False), Settings(min=120))
    assert answer.timer == AgreedTimer(120, True, alone=True)


# --- §7: client


def test_s7_1_a_request_may_ask_for_an_interval_and_a_refresher() -> None:
    assert TimerRequest(Settings(duration=3600)).headers == (("Session-Expires", "3600;refresher=uac"),)


def test_s7_2_no_session_expires_in_the_2xx_means_no_expiry() -> None:
    """§7.2: if the 2xx has no Session-Expires, there is no session expiration, whatever was before."""
    assert TimerRequest(Settings(), AgreedTimer(600, True)).agreed(says(200)) is None


@pytest.mark.parametrize(("refresher", "ours"), [("uac", True), ("uas", False)])
def test_s7_2_the_2xx_names_the_refresher(refresher: str, ours: bool) -> None:
    answer = says(200, ("Session-Expires", f"600;refresher={refresher}"))
    assert TimerRequest(Settings()).agreed(answer) == AgreedTimer(600, ours)


def test_s7_3_after_a_422_the_request_goes_out_again_with_what_it_demands() -> None:
    """§7.3: Min-SE MUST be the largest of all 422 responses, and Session-Expires not below it."""
    request = TimerRequest(Settings(duration=100))
    assert request.too_small(says(422, ("Min-SE", "300")))
    assert request.headers == (("Session-Expires", "300;refresher=uac"), ("Min-SE", "300"))
    assert request.too_small(says(422, ("Min-SE", "500")))
    assert request.headers == (("Session-Expires", "500;refresher=uac"), ("Min-SE", "500"))
    assert not request.too_small(says(422, ("Min-SE", "400")))


def test_s7_4_min_se_of_a_422_stays_for_the_dialog() -> None:
    """§7.4: requests within the dialog repeat the largest Min-SE that was received."""
    request = TimerRequest(Settings(duration=100))
    request.too_small(says(422, ("Min-SE", "300")))
    agreed = request.agreed(says(200, ("Session-Expires", "300;refresher=uac")))
    assert agreed is not None
    assert ("Min-SE", "300") in TimerRequest(Settings(duration=100), agreed).headers


@pytest.mark.parametrize(("refreshing", "value"), [(True, "600;refresher=uac"), (False, "600;refresher=uas")])
def test_s7_4_a_refresh_keeps_the_roles(refreshing: bool, value: str) -> None:
    """§7.4: `uac` when the sender is performing the refreshes, `uas` when its peer is."""
    for forced in ("uac", "uas"):
        request = TimerRequest(Settings(refresher=forced), AgreedTimer(600, refreshing))
        assert request.headers == (("Session-Expires", value),)


# --- §9: server


@pytest.mark.parametrize(
    ("supported", "asked", "ours", "refresher"),
    [
        (False, "", "uac", "uas"),
        (False, "", "uas", "uas"),
        (True, "", "uac", "uac"),
        (True, "", "uas", "uas"),
        (True, ";refresher=uac", "uas", "uac"),
        (True, ";refresher=uas", "uac", "uas"),
    ],
)
def test_s9_table_2(supported: bool, asked: str, ours: str, refresher: str) -> None:
    """§9, table 2: the refresher of the response, by the request and by what we prefer."""
    answer = answer_timer(asks(f"600{asked}", supported=supported), Settings(refresher=ours))
    assert ("Session-Expires", f"600;refresher={refresher}") in answer.headers
    assert answer.timer == AgreedTimer(600, refreshing=refresher == "uas", alone=not supported)


def test_s9_the_interval_is_never_raised() -> None:
    """§9: the UAS MUST NOT increase the value of Session-Expires."""
    answer = answer_timer(asks("120"), Settings(duration=1800))
    assert answer.timer is not None
    assert answer.timer.interval == 120


def test_s9_and_not_lowered_below_the_min_se_of_the_request() -> None:
    """§9: it MUST NOT set it to a duration lower than the Min-SE of the request."""
    answer = answer_timer(asks("1800", least="900"), Settings(duration=120))
    assert answer.timer is not None
    assert answer.timer.interval == 900


def test_s9_a_server_may_begin() -> None:
    """§9: without a Session-Expires in the request the UAS MAY put one into the 2xx."""
    answer = answer_timer(asks(supported=False), Settings())
    assert answer.headers == (("Session-Expires", "1800;refresher=uas"),)
    assert answer.timer == AgreedTimer(1800, True, alone=True)


def test_s9_require_only_for_a_client_that_knows_timers() -> None:
    """§9: Require: timer MUST stand beside refresher=uac, SHOULD beside uas where the client supports it."""
    for refresher in ("uac", "uas"):
        answer = answer_timer(asks(f"600;refresher={refresher}"), Settings())
        assert ("Require", "timer") in answer.headers
    assert ("Require", "timer") not in answer_timer(asks("600", supported=False), Settings()).headers


# --- §10: when somebody acts


@pytest.mark.parametrize(("interval", "end"), [(1800, 1768), (96, 64), (90, 60), (30, 20)])
def test_s10_who_waits_for_a_refresh_ends_a_little_before_the_expiry(interval: int, end: float) -> None:
    """§10: BYE before the expiration, by the lesser of 32 seconds and one third of the interval."""
    timer = AgreedTimer(interval, refreshing=False)
    assert (timer.refresh_after, timer.end_after) == (None, end)


def test_s10_a_refresh_is_sent_after_half_the_interval() -> None:
    """§10: it is RECOMMENDED that the refresh be sent once half the session interval has elapsed."""
    timer = AgreedTimer(1800, refreshing=True)
    assert timer.refresh_after == 900
    assert timer.end_after == 1800
