"""`api.log_settings`: the log configuration in both directions; `test_settings` has it in whole messages."""

import pytest

from libreims.api.log_settings import change, shown
from libreims.base.errors import LibreImsError
from libreims.base.log import Log
from libreims.base.log_options import DEBUG, LAYERS, WARN, parse


def made(options: str = "") -> Log:
    return Log(parse(options).options, utc=lambda: 0.0, count=5000)


def test_what_is_shown() -> None:
    logs = shown(
        made("sip.level=debug,sip.max_size=1,ipsec.verbose=1,file.rotate=1K,file.rotate=#5,file.path=/x")
    )
    assert set(logs["layers"]) == {name.upper() for name in LAYERS}
    assert logs["layers"]["SIP"] == {
        "level": "debug",
        "max_size": 1,
        "key": False,
        "crypto": False,
        "payload": False,
    }
    assert logs["layers"]["IPSEC"]["verbose"] is True
    assert (logs["count"], logs["rotate"], logs["rotate_count"], logs["path"]) == (5000, 1024, 5, "/x")
    assert not {"rotate", "rotate_count", "path"} & set(shown(made()))


def test_a_change_is_made_of_what_is_given_and_of_what_was() -> None:
    log = made("ims.level=debug,ims.max_size=9")
    ignored: list[str] = []
    options = change(log, {"layers": {"IMS": {"key": 1}}, "path": "/y", "mib": 1, "odd": 1}, ignored)
    assert options.layers["ims"].level == DEBUG
    assert options.layers["ims"].max_size == 9
    assert options.layers["ims"].key is True
    assert options.layers["sip"].level == WARN
    assert options.path == "/y"
    assert log.options.path == ""
    assert ignored == ["logs.odd"]


@pytest.mark.parametrize(
    ("logs", "why"),
    [
        ([], "logs: object expected"),
        ({"layers": 1}, "logs.layers: object expected"),
        ({"layers": {"sip": 1}}, "logs.layers.sip: object expected"),
        ({"layers": {"x": {}}}, "logs.layers.x: unknown layer"),
        ({"layers": {"sip": {"max_size": -1}}}, "logs.layers.sip.max_size: -1 is out of range"),
        ({"rotate": "1K"}, "logs.rotate: integer expected"),
        ({"path": "a\nb"}, "logs.path: the name of a directory expected"),
        ({"count": 4096}, "logs.count: cannot be changed"),
    ],
)
def test_mistakes_are_named(logs: object, why: str) -> None:
    with pytest.raises(LibreImsError) as refused:
        change(made(), logs, [])
    assert str(refused.value).startswith(why)


def test_many_mistakes_make_a_short_error() -> None:
    with pytest.raises(LibreImsError) as refused:
        change(made(), {"layers": {f"x{number}": {} for number in range(10_000)}}, [])
    assert len(str(refused.value)) < 20_000
