"""`api.dispatch`: the envelope of requests and responses, answers that come later, faults."""

import asyncio
from typing import Any

from libreims.api.client import Client, Frame
from libreims.api.schedule import PENDING_PER_CLIENT
from libreims.api.table import Command, Deferred, Members, Parameter
from libreims.base.errors import LibreImsError, Reject
from libreims.config.declare import Reader
from libreims.config.kinds import Text
from libreims.config.tree import Value
from support.api import ask
from support.lab import EPOCH, Lab, play


def test_a_response_repeats_name_and_identifier_of_any_type() -> None:
    async def scenario(lab: Lab) -> None:
        await asyncio.sleep(2)
        for identifier in (1, "one", None, [1, {"a": 2}], {"x": 0.5}, False):
            response = await ask(lab, "license", message_id=identifier)
            assert response["message"] == "license"
            assert response["message_id"] == identifier
            assert response["time"] == 2.0
            assert response["utc"] == EPOCH + 2
        assert "message_id" not in await ask(lab, "license")

    play(scenario)


def test_mistakes_are_answered_in_the_words_of_the_manual_where_it_has_some() -> None:
    async def scenario(lab: Lab) -> None:
        dispatcher = lab.server.api.dispatcher
        client = Client("test")
        response = await ask(lab, "bar", message_id="foo")
        assert {name: response[name] for name in ("message_id", "message", "error")} == {
            "message_id": "foo",
            "message": "bar",
            "error": "Unknown message: bar",
        }
        got: list[Frame] = []
        for message in (1, "help", None, [[]], {}, {"message": 1}, {"message": None}):
            dispatcher.submit(client, message, got.append)
        assert all("error" in each for each in got)
        assert len(got) == 7

    play(scenario)


class Commands:
    """Handlers that end in every way there is."""

    def __init__(self) -> None:
        self.cancelled: list[str] = []
        self.left: Deferred | None = None

    def table(self) -> list[Command]:
        return [
            Command("refuse", "", self.refuse),
            Command("reject", "", self.reject),
            Command("break", "", self.broken),
            Command("wait", "", self.wait, (Parameter("how", Text(), ""),)),
            Command("defer", "", self.defer),
        ]

    def refuse(self, client: Client) -> Members:
        raise LibreImsError("not today\ntry tomorrow")

    def reject(self, client: Client) -> Members:
        raise Reject(404, "nobody is called so")

    def broken(self, client: Client) -> Members:
        return {"a": 1 // 0}

    async def wait(self, client: Client, how: str = "") -> Members:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            self.cancelled.append("wait")
            raise
        if how == "refuse":
            raise LibreImsError("no")
        if how == "break":
            raise ValueError("secret detail")
        return {"waited": True}

    def defer(self, client: Client) -> Deferred:
        self.left = Deferred(lambda: self.cancelled.append("defer"))
        return self.left


def playing(lab: Lab) -> Commands:
    commands = Commands()
    lab.server.api.table.add(commands.table())
    return commands


def test_refusals_and_faults_are_errors_and_a_fault_is_logged_and_counted() -> None:
    async def scenario(lab: Lab) -> None:
        playing(lab)
        assert (await ask(lab, "refuse"))["error"] == "not today; try tomorrow"
        assert (await ask(lab, "reject"))["error"] == "nobody is called so"
        assert (await ask(lab, "wait", how="refuse"))["error"] == "no"
        for response in (await ask(lab, "break"), await ask(lab, "wait", how="break")):
            assert response["error"].startswith("internal error: ")
            assert "secret" not in response["error"]
        assert lab.server.counters.errors["internal"] == 2
        assert "fault in the command break: ZeroDivisionError" in lab.log_text()
        assert (await ask(lab, "wait"))["waited"] is True

    play(scenario)


def test_what_waits_is_given_up_with_its_client_unless_it_is_standalone() -> None:
    async def scenario(lab: Lab) -> None:
        commands = playing(lab)
        dispatcher = lab.server.api.dispatcher
        client = Client("test")
        got: list[Frame] = []
        for message in (
            {"message": "wait"},
            {"message": "defer"},
            {"message": "license", "start_time": 3},
            {"message": "license", "start_time": 4, "standalone": True, "message_id": "kept"},
            {"message": "license", "loop_count": 1000, "loop_delay": 1},
        ):
            dispatcher.submit(client, message, got.append)
        await asyncio.sleep(1.5)
        assert len(dispatcher.schedule) == 5
        assert [each["loop_index"] for each in got] == [0, 1]
        dispatcher.leave(client)
        await asyncio.sleep(10)
        assert [each.get("message_id") for each in got[2:]] == ["kept"]
        assert sorted(commands.cancelled) == ["defer", "wait"]
        assert len(dispatcher.schedule) == 0

    play(scenario)


def test_a_deferred_answer_keeps_the_time_of_its_beginning() -> None:
    async def scenario(lab: Lab) -> None:
        commands = playing(lab)
        got: list[Frame] = []
        lab.server.api.dispatcher.submit(Client("test"), {"message": "defer", "message_id": 1}, got.append)
        await asyncio.sleep(3)
        assert not got
        assert commands.left is not None
        commands.left.complete({"done": True})
        expected: dict[str, Any] = {"message": "defer", "message_id": 1, "time": 0.0, "done": True}
        assert got == [{**expected, "utc": EPOCH + 3}]
        assert len(lab.server.api.dispatcher.schedule) == 0

    play(scenario)


def test_ignored_members_leave_a_line_and_secrets_none() -> None:
    async def scenario(lab: Lab) -> None:
        await ask(lab, "license", colour="red")
        assert "test: license has no parameter 'colour', it is ignored" in lab.log_text()
        await ask(
            lab, "license", res="topsecret", users=[{"K": "topsecret", "pwd": "topsecret", "impi": "a"}]
        )
        assert "topsecret" not in lab.log_text()
        assert '"K":"<hidden>"' in lab.log_text()

    play(scenario)


class Broken(Text):
    """A kind of value with a fault."""

    def read(self, value: Value, reader: Reader, path: str) -> str:
        raise ZeroDivisionError


def test_a_fault_before_the_handler_costs_one_response_too() -> None:
    async def scenario(lab: Lab) -> None:
        lab.server.api.table.add([Command("odd", "", Commands().refuse, (Parameter("a", Broken(), ""),))])
        assert (await ask(lab, "odd", a="x"))["error"].startswith("internal error: ZeroDivisionError")
        assert lab.server.counters.errors["internal"] == 1

    play(scenario)


def test_answers_that_are_to_come_are_limited_and_what_is_refused_is_given_up() -> None:
    async def scenario(lab: Lab) -> None:
        commands = playing(lab)
        client = Client("test")
        got: list[Frame] = []
        for _ in range(PENDING_PER_CLIENT):
            lab.server.api.dispatcher.submit(client, {"message": "defer"}, got.append)
        assert not got
        for name in ("defer", "wait"):
            assert "too many messages wait" in (await ask(lab, name, client))["error"]
        assert commands.cancelled == ["defer"]
        lab.server.api.dispatcher.leave(client)
        assert len(commands.cancelled) == PENDING_PER_CLIENT + 1

    play(scenario)
