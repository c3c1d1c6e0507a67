"""`api.common`: help, stats, license, quit, register."""

import asyncio

from libreims.api.client import Client
from libreims.api.common import Statistics
from support.api import ask, error
from support.lab import Lab, play


def test_help_lists_messages_and_events() -> None:
    async def scenario(lab: Lab) -> None:
        response = await ask(lab, "help")
        assert {"help", "config_get", "quit"} <= set(response["messages"])
        assert response["events"] == ["dialog", "invite", "sms", "users_update"]

    play(scenario)


def test_stats_count_what_has_happened_since_they_were_read() -> None:
    async def scenario(lab: Lab) -> None:
        await lab.registered("alice")
        first = await ask(lab, "stats")
        assert first["counters"]["messages"]["sip_register"] == 1
        assert first["counters"]["messages"]["sip_200"] == 1
        second = await ask(lab, "stats")
        assert second["counters"]["messages"] == {}
        assert second["instance_id"] == first["instance_id"]
        assert second["cpu"]["global"] >= 0

    play(scenario)


def test_cpu_load_is_percent_of_one_core_since_the_last_time() -> None:
    async def scenario(lab: Lab) -> None:
        used = iter((1.0, 2.0, 7.0))
        statistics = Statistics(lab.server.api.services, lambda: next(used))
        await asyncio.sleep(4)
        assert statistics.report(Client("test"))["cpu"] == {"global": 25.0}
        await asyncio.sleep(5)
        assert statistics.report(Client("test"))["cpu"] == {"global": 100.0}

    play(scenario)


def test_a_client_registers_for_events_one_or_several() -> None:
    async def scenario(lab: Lab) -> None:
        client = Client("test")
        await ask(lab, "register", client, register="sms")
        await ask(lab, "register", client, register=["dialog", "invite"], unregister="sms")
        assert client.events == {"dialog", "invite"}
        text = await error(lab, "register", client, register=["sms", "calls"])
        assert "register[1]" in text
        assert "calls" in text
        assert client.events == {"dialog", "invite"}
        assert "error" in await ask(lab, "register", client, unregister=5)

    play(scenario)


def test_license_has_the_fields_of_the_manual() -> None:
    async def scenario(lab: Lab) -> None:
        response = await ask(lab, "license")
        assert all(isinstance(response[name], str) for name in ("products", "user", "validity"))

    play(scenario)


def test_quit_asks_the_program_to_end() -> None:
    async def scenario(lab: Lab) -> None:
        assert "error" not in await ask(lab, "quit")
        assert lab.quits == 1
        assert "test ends the program" in lab.log_text()

    play(scenario)
