"""`api.settings` and `api.log_settings`: `config_get`, `config_set`."""

from typing import Any

import pytest

from libreims.base.log_options import DEBUG, INFO
from libreims.config import surface
from support.api import ask, error
from support.lab import CONFIG, Lab, play


def test_what_is_shown_can_be_set_again_and_changes_nothing() -> None:
    async def scenario(lab: Lab) -> None:
        await ask(lab, "config_set", custom_headers=[{"name": "X-A", "value": "1", "codes": [200]}])
        await ask(lab, "config_set", logs={"rotate": 1000, "rotate_count": 7, "path": "/tmp"})
        before = await ask(lab, "config_get")
        options, settings = lab.log.options, lab.config.current
        response = await ask(
            lab, "config_set", **{k: v for k, v in before.items() if k not in ("message", "type")}
        )
        assert "domain" in response.get("error", "domain")
        changes = {name: before[name] for name in surface.CONFIG_SET if name in before}
        assert "error" not in await ask(lab, "config_set", **changes)
        assert lab.config.current == settings
        assert lab.log.options == options
        assert before["logs"]["rotate"] == 1000

    play(scenario)


def test_every_name_of_config_set_is_shown() -> None:
    async def scenario(lab: Lab) -> None:
        await ask(lab, "config_set", sms_retry_delay=3)
        shown = await ask(lab, "config_get")
        assert set(surface.CONFIG_SET) <= set(shown)

    play(scenario)


CHANGES = [
    ({"layers": {"SIP": {"level": "info"}}}, {"sip"}),
    ({"layers": {"sip": {"level": "info", "max_size": 5, "key": 1}}}, {"sip"}),
    ({"sip": {"level": "info"}}, {"sip"}),
    ({"layers": {"all": {"level": "info"}}}, None),
    ({"layers": {"ALL": {"level": "info"}, "sip": {"level": "info"}}}, None),
]


@pytest.mark.parametrize(("logs", "names"), CHANGES)
def test_layers_are_named_in_every_way_that_clients_do(logs: Any, names: set[str] | None) -> None:
    async def scenario(lab: Lab) -> None:
        assert "error" not in await ask(lab, "config_set", logs=logs)
        layers = lab.log.options.layers
        for name, options in layers.items():
            assert options.level == (INFO if names is None or name in names else DEBUG)
        assert lab.log.layer("sip").level == INFO

    play(scenario)


def test_all_of_the_changes_or_none() -> None:
    async def scenario(lab: Lab) -> None:
        settings, options = lab.config.current, lab.log.options
        text = await error(
            lab,
            "config_set",
            tcp_threshold=5,
            dialog_timeout="long",
            domain="other",
            logs={"layers": {"sip": {"level": "loud"}, "phy": {"level": "info"}}, "count": 1, "rotate": -1},
        )
        for part in (
            "dialog_timeout: integer expected",
            "domain: cannot be changed while the program runs",
            "logs.layers.sip.level: ",
            "logs.layers.phy: unknown layer",
            "logs.count: cannot be changed while the program runs",
            "logs.rotate: ",
        ):
            assert part in text
        assert lab.config.current is settings
        assert lab.log.options is options
        await error(lab, "config_set", tcp_threshold=5, logs={"layers": []})
        await error(lab, "config_set", tcp_threshold=5, logs=3)
        await error(lab, "config_set", tcp_threshold="5", logs={"layers": {"sip": {"level": "none"}}})
        assert lab.config.current is settings
        assert lab.log.options is options

    play(scenario)


def test_unknown_names_are_passed_over_with_a_line() -> None:
    async def scenario(lab: Lab) -> None:
        logs = {"bcch": True, "locked": False, "colour": 1, "layers": {"sip": {"size": 1}}}
        response = await ask(
            lab, "config_set", foo=1, logs=logs, session_expires={"duration": 100, "colour": "red"}
        )
        assert "error" not in response
        for name in ("'foo'", "'logs.colour'", "'logs.layers.sip.size'", "unused property 'colour'"):
            assert name in lab.log_text()
        assert "bcch" not in "".join(line for line in lab.log_text().splitlines() if "ignored" in line)
        assert lab.config.current.session_expires.duration == 100

    play(scenario)


def test_a_locked_log_says_so_and_the_rest_is_changed() -> None:
    async def scenario(lab: Lab) -> None:
        assert (await ask(lab, "config_get"))["logs"]["locked"] is True
        options = lab.log.options
        response = await ask(lab, "config_set", tcp_threshold=9, logs={"layers": {"all": {"level": "none"}}})
        assert response["logs"] == "locked"
        assert "error" not in response
        assert lab.log.options is options
        assert lab.config.current.tcp_threshold == 9
        assert "logs" not in await ask(lab, "config_set", tcp_threshold=10)

    play(scenario, CONFIG + "com_log_lock: true,")


def test_null_is_the_same_as_not_given() -> None:
    async def scenario(lab: Lab) -> None:
        before = lab.config.current
        assert "error" not in await ask(lab, "config_set", custom_headers=None, logs=None, tcp_threshold=None)
        assert lab.config.current is before
        assert "error" not in await ask(lab, "impu_set", impu="tel:666", callflow_modifier=None)

    play(scenario)
