"""`config.to_json`: settings under the manual's names."""

import json

from libreims.config.load import loads
from libreims.config.to_json import to_json


def test_settings_become_what_a_file_could_say() -> None:
    text = """{domain: "ims.test", "100rel": false, session_expires: 100, com_auth: {password: "secret"},
        custom_headers: [{name: "A", value: "b", methods: "INVITE", codes: 0}, {name: "C"}]}"""
    plain = to_json(loads(text).settings)
    assert isinstance(plain, dict)
    assert plain["100rel"] is False
    assert plain["session_expires"]["duration"] == 100
    assert plain["custom_headers"][0] == {
        "name": "A",
        "value": "b",
        "codes": [0],
        "methods": ["INVITE"],
        "replace": False,
    }
    assert "value" not in plain["custom_headers"][1]
    assert "secret" not in json.dumps(plain)
    assert "sms_retry_delay" not in plain
