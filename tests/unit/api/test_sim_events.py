"""`api.sim_events`: what the server asks of itself when it starts."""

import asyncio

from libreims.users.reading import SLICE
from support.lab import CONFIG, EPOCH, Lab, play


def test_events_go_through_the_same_table_at_their_time() -> None:
    async def scenario(lab: Lab) -> None:
        assert lab.config.current.tcp_threshold == 77
        assert lab.config.current.dialog_timeout == 30
        await asyncio.sleep(10.5)
        assert lab.config.current.dialog_timeout == 5
        await asyncio.sleep(100)
        assert lab.config.current.binding_expires == 99

    play(
        scenario,
        CONFIG
        + """sim_events: [
            {event: "config_set", tcp_threshold: 77},
            {event: "config_set", dialog_timeout: 5, start_time: 10},
            {message: "config_set", binding_expires: 99, start_time: 100, absolute_time: true},
        ],""",
    )


def test_repetitions_are_set_for_all_or_for_one() -> None:
    async def scenario(lab: Lab) -> None:
        await asyncio.sleep(20)
        lines = [(entry.time - EPOCH, entry.message) for entry in lab.log.ring.since(0)[1]]
        assert [time for time, text in lines if text == "all"] == [0.0, 2.0, 4.0, 6.0]
        assert [time for time, text in lines if text == "one"] == [1.0, 6.0]

    play(
        scenario,
        CONFIG
        + """sim_events_loop_count: 3, sim_events_loop_delay: 2, sim_events: [
            {event: "log_set", log: "all", layer: "ims", level: "info"},
            {event: "log_set", log: "one", layer: "ims", level: "info", loop_count: 1, loop_delay: 5,
                start_time: 1},
        ],""",
    )


def test_what_is_wrong_is_told_in_the_log_and_the_rest_is_done() -> None:
    async def scenario(lab: Lab) -> None:
        text = lab.log_text()
        assert "sim_events[0]: Unknown message: bar" in text
        assert "sim_events[1]: an object is expected" in text
        assert "sim_events[2]: message: string expected" in text
        assert "sim_events[3]: tcp_threshold: integer expected" in text
        assert lab.config.current.tcp_threshold == 5

    play(
        scenario,
        CONFIG
        + """sim_events: [{event: "bar"}, "help", {}, {event: "config_set", tcp_threshold: "a"},
            {event: "config_set", tcp_threshold: 5}],""",
    )


def test_an_event_that_takes_several_turns_is_done_before_the_next_one() -> None:
    users = ", ".join(f'{{impi: "n{n}", pwd: "x", impu: "sip:n{n}"}}' for n in range(3 * SLICE))

    async def scenario(lab: Lab) -> None:
        user = lab.server.users.by_impi(f"n{3 * SLICE - 1}")
        assert user is not None and [each.key for each in user.impus][-1] == "tel:+3311"

    play(
        scenario,
        CONFIG
        + f"""sim_events: [
            {{event: "users_add", users: [{users}]}},
            {{event: "impu_add", impi: "n{3 * SLICE - 1}", impu: "tel:+3311"}},
        ],""",
    )
