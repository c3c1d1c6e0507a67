"""`api.schedule`: `start_time`, `absolute_time`, `loop_count` (manual §6.1)."""

import asyncio

from libreims.api.client import Client, Frame
from libreims.api.schedule import PENDING_PER_CLIENT
from support.api import ask, error
from support.lab import Lab, play


def test_start_time_is_a_delay_or_a_moment() -> None:
    async def scenario(lab: Lab) -> None:
        await asyncio.sleep(10)
        assert (await ask(lab, "license", start_time=2.5))["time"] == 12.5
        response = await ask(lab, "license", start_time=20, absolute_time=True)
        assert response["time"] == 20.0
        assert "absolute_time" not in response
        late = await ask(lab, "license", start_time=19.5, absolute_time=True)
        assert late["absolute_time"] == "late"
        assert late["time"] == 20.0

    play(scenario)


def test_repetitions_keep_their_distance_and_are_numbered() -> None:
    async def scenario(lab: Lab) -> None:
        got: list[Frame] = []
        message = {"message": "license", "start_time": 1, "loop_count": 3, "loop_delay": 0.1}
        lab.server.api.dispatcher.submit(Client("test"), message, got.append)
        await asyncio.sleep(5)
        assert [(each["time"], each["loop_index"]) for each in got] == [
            (1.0, 0),
            (1.1, 1),
            (1.2, 2),
            (1.3, 3),
        ]
        assert len(lab.server.api.dispatcher.schedule) == 0

    play(scenario)


def test_only_the_first_of_late_repetitions_is_late() -> None:
    async def scenario(lab: Lab) -> None:
        await asyncio.sleep(5)
        got: list[Frame] = []
        message = {
            "message": "license",
            "start_time": 1,
            "absolute_time": True,
            "loop_count": 1,
            "loop_delay": 1,
        }
        lab.server.api.dispatcher.submit(Client("test"), message, got.append)
        await asyncio.sleep(5)
        assert [each.get("absolute_time") for each in got] == ["late", None]

    play(scenario)


def test_wrong_times_are_errors() -> None:
    async def scenario(lab: Lab) -> None:
        assert "loop_delay" in await error(lab, "license", loop_count=2)
        assert "loop_delay: 0.01 is out of range" in await error(
            lab, "license", loop_count=2, loop_delay=0.01
        )
        assert "loop_count" in await error(lab, "license", loop_count=1_000_001, loop_delay=1)
        assert "start_time" in await error(lab, "license", start_time="now")
        assert "start_time" in await error(lab, "license", start_time=-1)
        assert "standalone" in await error(lab, "license", standalone="yes")

    play(scenario)


def test_a_client_cannot_make_the_server_wait_for_any_number_of_messages() -> None:
    async def scenario(lab: Lab) -> None:
        dispatcher = lab.server.api.dispatcher
        client = Client("test")
        got: list[Frame] = []
        for _ in range(PENDING_PER_CLIENT):
            dispatcher.submit(client, {"message": "license", "start_time": 60}, got.append)
        assert not got
        assert "too many messages wait" in await error(lab, "license", client, start_time=60)
        assert "error" not in await ask(lab, "license", client)
        dispatcher.leave(client)
        assert len(dispatcher.schedule) == 0

    play(scenario)


def test_repetitions_count_as_messages_that_wait() -> None:
    async def scenario(lab: Lab) -> None:
        client = Client("test")
        got: list[Frame] = []
        for _ in range(PENDING_PER_CLIENT + 5):
            message = {"message": "license", "loop_count": 1, "loop_delay": 50}
            lab.server.api.dispatcher.submit(client, message, got.append)
        assert sum("too many" in each.get("error", "") for each in got) == 5
        lab.server.api.dispatcher.leave(client)

    play(scenario)
