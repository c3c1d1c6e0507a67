"""`config.store`: run-time changes."""

from __future__ import annotations

import pytest

from libreims.config.load import loads
from libreims.config.schema import CustomHeader, Settings
from libreims.config.source import ConfigErrors
from libreims.config.store import ConfigStore


@pytest.fixture
def store() -> ConfigStore:
    return ConfigStore(loads('domain: "d", binding_expires: 100').settings)


def test_a_change_makes_a_new_snapshot_and_tells_who_asked(store: ConfigStore) -> None:
    before = store.current
    told: list[tuple[Settings, Settings]] = []
    store.subscribe(lambda old, new: told.append((old, new)))
    after = store.update({"binding_expires": 600, "100rel": False, "sms_retry_delay": 2})
    assert store.current is after
    assert (after.binding_expires, after.rel100, after.sms_retry_delay) == (600, False, 2.0)
    assert before.binding_expires == 100
    assert told == [(before, after)]


def test_objects_and_arrays(store: ConfigStore) -> None:
    store.update(
        {
            "session_expires": {"duration": 90, "refresher": "uas"},
            "custom_headers": [{"name": "X", "value": "1", "methods": ["INVITE"]}],
            "sms_message_filter": {"rp_ack": {"action": "reject", "ttl": 1}},
        }
    )
    current = store.current
    assert (current.session_expires.duration, current.session_expires.min) == (90, 90)
    assert current.custom_headers == (CustomHeader("X", "1", methods=("INVITE",)),)
    assert current.sms_message_filter.rp_ack.ttl == 1


def test_null_takes_back_what_need_not_be_set(store: ConfigStore) -> None:
    store.update({"sms_retry_delay": 5})
    assert store.update({"sms_retry_delay": None}).sms_retry_delay is None


def test_all_changes_or_none(store: ConfigStore) -> None:
    before = store.current
    with pytest.raises(ConfigErrors) as raised:
        store.update(
            {
                "binding_expires": 600,
                "domain": "other",
                "nonsense": 1,
                "tcp_threshold": -1,
                "session_expires": {"duration": "x"},
                "custom_headers": None,
                "dialog_timeout": object(),
            }
        )
    assert [str(error) for error in raised.value.errors] == [
        "domain: cannot be changed while the program runs",
        "nonsense: there is no such property",
        "tcp_threshold: -1 is out of range: 0 to 65535",
        'session_expires.duration: integer expected, not "x"',
        "custom_headers: array expected, not null",
        "dialog_timeout: object is not a configuration value",
    ]
    assert store.current is before
