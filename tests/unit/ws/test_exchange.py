from __future__ import annotations

from typing import Any

import pytest

from libreims.ws.address import parse_address
from libreims.ws.connection import Connection, Tls, Unreachable
from libreims.ws.exchange import Exchange, LateError, Wishes
from libreims.ws.messages import Frame
from support.ws_server import WsServer, ws_server

Message = dict[str, Any]


class Talk:
    def __init__(self) -> None:
        self.shown: list[Message] = []
        self.server = WsServer()
        self.failed = False

    async def run(self, *frames: Frame, **wishes: Any) -> list[Any]:
        exchange = Exchange(frames, Wishes(**wishes), self.shown.append)
        async with (
            ws_server(self.server) as server,
            Connection(parse_address(server.address), Tls(), lambda: None) as connection,
        ):
            try:
                await exchange.run(connection)
            finally:
                self.failed = exchange.failed
        return [each.get("message_id", each.get("number")) for each in self.shown]


async def test_answers_are_shown_as_they_come() -> None:
    talk = Talk()
    assert await talk.run({"message": "a", "message_id": 1}, [{"message": "b", "message_id": 2}]) == [1, 2]
    assert not talk.failed
    assert talk.shown[0] == {"message": "a", "message_id": 1, "time": 1.5}


async def test_an_error_is_a_failure_and_the_others_are_answered() -> None:
    talk = Talk()
    assert await talk.run({"message": "bad", "message_id": 1}, {"message": "b", "message_id": 2}) == [1, 2]
    assert talk.failed


async def test_repetitions_are_waited_for() -> None:
    talk = Talk()
    await talk.run({"message": "repeated", "loop_count": 2, "loop_delay": 1})
    assert [each["loop_index"] for each in talk.shown] == [0, 1, 2]


async def test_events_are_registered_for_and_counted() -> None:
    talk = Talk()
    ids = await talk.run({"message": "events", "message_id": "e"}, events=("dialog", "sms"), count=2)
    assert talk.server.received[0]["register"] == ["dialog", "sms"]
    assert ids == [0, 1, 2, "e"], "the answer to register is not shown"


async def test_events_that_do_not_come() -> None:
    talk = Talk()
    with pytest.raises(LateError, match=r"3 of 5 events came within 0\.2 s"):
        await talk.run({"message": "events"}, count=5, timeout=0.2)


async def test_listening_for_a_while_is_no_failure() -> None:
    talk = Talk()
    assert await talk.run({"message": "events", "message_id": "e"}, listen=True, timeout=0.2) == [
        0,
        1,
        2,
        "e",
    ]


async def test_an_answer_that_does_not_come() -> None:
    talk = Talk()
    with pytest.raises(LateError, match=r"1 answers did not come within 0\.2 s"):
        await talk.run({"message": "silence"}, timeout=0.2)


async def test_a_server_that_hangs_up() -> None:
    with pytest.raises(Unreachable, match="closed the connection, 1 answers had still to come"):
        await Talk().run({"message": "hangup"})


async def test_a_server_that_goes_while_one_listens() -> None:
    talk = Talk()
    exchange = Exchange([], Wishes(listen=True), talk.shown.append)
    async with (
        ws_server(talk.server) as server,
        Connection(parse_address(server.address), Tls(), lambda: None) as connection,
    ):
        await connection.send({"message": "hangup"})
        with pytest.raises(Unreachable, match=r"closed the connection$"):
            await exchange.run(connection)
