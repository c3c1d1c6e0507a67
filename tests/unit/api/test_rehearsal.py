"""`api.rehearsal`: what of `sim_events` would be refused is known before the server starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from libreims import cli
from libreims.api.client import Client, Frame
from libreims.api.rehearsal import declared, problems
from libreims.api.sim_events import request
from libreims.config.load import loads
from support.lab import Lab, play


def test_the_table_is_the_one_of_the_server() -> None:
    async def scenario(lab: Lab) -> None:
        served, known = lab.server.api.table, declared()
        assert [each.name for each in known] == [each.name for each in served]
        for one, other in zip(known, served, strict=True):
            assert [each.name for each in one.parameters] == [each.name for each in other.parameters]
            assert (one.rest, one.later) == (other.rest, other.later)
        assert known.events == served.events

    play(scenario)


def test_it_is_what_the_server_says_too() -> None:
    wrong: list[dict[str, object]] = [
        {"event": "smss"},
        {"event": "sms_flush"},
        {"event": "sms", "pid": 300},
        {"event": "quit", "loop_count": 2},
    ]

    async def scenario(lab: Lab) -> None:
        settings = lab.config.current
        for event in wrong:
            answers: list[Frame] = []
            lab.server.api.dispatcher.submit(Client("test"), request(event, settings), answers.append)
            assert problems(declared(), event, settings) == [answers[0]["error"]]

    play(scenario)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"event": "config_set", "dialog_timeout": 5, "start_time": 10}, []),
        ({"event": "sms", "impi": "a", "text": "x", "loop_count": 3, "loop_delay": 1}, []),
        (7, ["an object is expected, the element is left out"]),
        ({"text": "x"}, ["event: string expected, the name of a message"]),
        ({"event": "smss"}, ["Unknown message: smss"]),
        ({"event": "sms_flush"}, ["impi: string expected, the parameter is missing"]),
        ({"event": "sms", "pid": 300}, ["pid: 300 is out of range: 0 to 255"]),
        ({"event": "quit", "start_time": -1}, ["start_time: -1 is out of range: 0 or more"]),
        (
            {"event": "quit", "loop_count": 2},
            ["loop_delay: number expected, the parameter is missing and loop_count is set"],
        ),
        ({"event": "quit", "colour": 1}, ["quit has no parameter 'colour', it is ignored"]),
    ],
)
def test_what_the_server_would_say(event: object, said: list[str]) -> None:
    assert problems(declared(), event, loads('domain: "d"').settings) == said


def test_repetitions_for_all_of_them_count() -> None:
    settings = loads('domain: "d", sim_events_loop_count: 2').settings
    assert len(problems(declared(), {"event": "quit"}, settings)) == 1


def test_check_names_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ims.cfg"
    path.write_text(
        'domain: "d", sip_addr: "::1",\nsim_events: [\n{event: "quit", start_time: 9},\n{event: "qiut"},\n],'
    )
    assert cli.main(["--check", str(path)]) == 0
    shown = capsys.readouterr().out
    assert f"Warning: {path}:4: sim_events[1]: Unknown message: qiut\n" in shown
    assert "0 users, 1 warning" in shown
