"""`api.connection`: what one client says and hears, without a socket."""

import asyncio
from pathlib import Path

import pytest

from libreims import __version__
from libreims.api.connection import MOST_MESSAGES, NO_PASSWORD, STRANGER_TEXT
from support.api import Link, hmac_response
from support.lab import CONFIG, Lab, play

AUTH = CONFIG + 'com_name: "Lab", com_auth: {password: "pässword"},'


def test_ready_comes_first_and_every_request_is_answered_by_the_next_frame() -> None:
    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        assert link.frames == [
            {"message": "ready", "type": "IMS", "name": "Gate", "version": __version__, "product": "LibreIMS"}
        ]
        answer = link.say({"message": "license"})
        assert answer is not None
        assert answer["message"] == "license"
        assert len(link.frames) == 2

    play(scenario, CONFIG + 'com_name: "Gate",')


def test_the_answers_to_an_array_come_in_its_order_one_frame_each() -> None:
    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        link.say([{"message": "license", "message_id": 1}, {"message": "nothing"}, 7, {"message": "help"}])
        assert [frame.get("message") for frame in link.frames[1:]] == ["license", "nothing", None, "help"]
        assert ["error" in frame for frame in link.frames[1:]] == [False, True, True, False]

    play(scenario)


@pytest.mark.parametrize(
    "text", ["", "{", "nonsense", "[", "1e999", '{"message": NaN}', "[]", '"help"', "null", "[" * 5000]
)
def test_whatever_is_no_message_gets_an_error_and_the_connection_lives(text: str) -> None:
    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        answer = link.say(text)
        assert answer is not None
        assert isinstance(answer["error"], str)
        assert not link.closed
        assert "error" not in (link.say({"message": "license"}) or {"error": 1})

    play(scenario)


def test_binary_frames_are_text_or_refused() -> None:
    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        link.connection.receive(b'{"message":"license"}')
        link.connection.receive(b"\xff\xfe")
        assert "products" in link.frames[1]
        assert "UTF-8" in link.frames[2]["error"]

    play(scenario)


def test_an_array_of_too_many_messages_is_refused_as_a_whole() -> None:
    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        link.say([{"message": "license"}] * (MOST_MESSAGES + 1))
        assert len(link.frames) == 2
        assert "1001" in link.frames[1]["error"]

    play(scenario)


def test_a_client_that_leaves_in_the_middle_of_an_array_is_left_alone() -> None:
    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        link.say({"message": "license", "start_time": 5})
        link.leave()
        link.leave()
        await asyncio.sleep(10)
        assert len(link.frames) == 1
        assert "192.0.2.1:40000 disconnected" in lab.log_text()
        assert lab.log_text().count("disconnected") == 1

    play(scenario)


def test_authentication_as_the_manual_has_it() -> None:
    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        hello = link.frames[0]
        assert {**hello, "challenge": ""} == {
            "message": "authenticate",
            "type": "IMS",
            "name": "Lab",
            "challenge": "",
        }
        for message in ({"message": "help", "message_id": 3}, [{"message": "quit"}], {"message": "bar"}):
            refused = link.say(message)
            assert refused is not None
            assert refused["error"] == "Authentication not done"
        assert link.frames[1]["message_id"] == 3
        assert lab.quits == 0
        assert "Invalid JSON" in (link.say("{") or {})["error"]

        wrong = link.say({"message": "authenticate", "res": "00" * 32, "message_id": "a"})
        assert wrong is not None
        assert wrong["message"] == "authenticate"
        assert wrong["message_id"] == "a"
        assert wrong["error"] == "Authentication failed"
        assert (wrong["type"], wrong["name"]) == ("IMS", "Lab")
        assert wrong["challenge"] != hello["challenge"]

        link.say({"message": "authenticate", "res": hmac_response(hello, "pässword")})
        await asyncio.sleep(1)
        assert "error" in link.frames[-1]  # the old challenge is no longer good
        link.say(
            {"message": "authenticate", "res": hmac_response(link.frames[-1], "pässword"), "message_id": 9}
        )
        await asyncio.sleep(2)
        assert link.frames[-1]["ready"] is True
        assert link.frames[-1]["message_id"] == 9
        assert "error" not in (link.say({"message": "help"}) or {"error": 1})
        assert (link.say({"message": "authenticate"}) or {})["ready"] is True
        assert "pässword" not in lab.log_text()
        assert lab.server.counters.errors["com_authentication"] == 2

    play(scenario, AUTH)


def test_a_password_in_plain_text_is_for_those_who_allow_it() -> None:
    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        for member, error in (
            ({"password": "pässword"}, "com_auth.unsecure"),
            ({}, "res: string expected"),
            ({"res": 5}, "res: string expected"),
        ):
            link.say({"message": "authenticate", **member})
            await asyncio.sleep(5)
            assert error in link.frames[-1]["error"]
            assert link.frames[-1]["challenge"]

    play(scenario, AUTH)

    async def allowed(lab: Lab) -> None:
        link = Link(lab)
        assert "error" in (link.say({"message": "authenticate", "password": "wrong\ud800"}) or {})
        link.say({"message": "authenticate", "password": "pässword"})
        await asyncio.sleep(1)
        assert link.frames[-1]["ready"] is True
        other = Link(lab)
        answer = other.say({"message": "authenticate", "res": hmac_response(other.frames[0], "pässword")})
        assert (answer or {})["ready"] is True

    play(allowed, AUTH.replace("com_auth: {", "com_auth: {unsecure: true, "))


def test_failed_attempts_are_slowed_down_for_all_connections_of_an_address() -> None:
    async def scenario(lab: Lab) -> None:
        tried = 0
        answered = 0
        links = [Link(lab, port=port) for port in range(10)]
        for _ in range(60):
            for link in links:
                before = len(link.frames)
                link.say({"message": "authenticate", "res": "00"})
                tried += 1
                answered += len(link.frames) > before and "failed" in link.frames[-1]["error"]
            await asyncio.sleep(1)
        failures = lab.server.counters.errors["com_authentication"]
        assert 10 < failures < 30
        assert tried == 600
        # Somebody else is not held up.
        other = Link(lab, "192.0.2.2")
        assert (
            other.say({"message": "authenticate", "res": hmac_response(other.frames[0], "pässword")}) or {}
        )["ready"]

    play(scenario, AUTH)


def test_a_stranger_neither_stays_for_ever_nor_sends_much() -> None:
    async def scenario(lab: Lab) -> None:
        idle, talker = Link(lab), Link(lab)
        talker.say("x" * (STRANGER_TEXT + 1))
        assert len(talker.closed) == 1
        await asyncio.sleep(301)
        assert len(idle.closed) == 1
        assert "300 s" in idle.closed[0]

    play(scenario, AUTH)


def test_strangers_do_not_hear_which_file_cannot_be_read(tmp_path: Path) -> None:
    async def scenario(lab: Lab) -> None:
        link = Link(lab)
        answer = link.say({"message": "authenticate", "res": "0"})
        assert answer is not None
        assert answer["error"] == NO_PASSWORD
        assert str(tmp_path) not in str(answer)
        link.leave()
        assert f"com_auth.passfile {tmp_path}/pass cannot be read" in lab.log_text()

    play(scenario, CONFIG + f'com_auth: {{ passfile: "{tmp_path}/pass" }},')
