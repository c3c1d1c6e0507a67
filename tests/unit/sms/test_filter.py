"""`sms_message_filter` counts down and begins anew; forced causes."""

from __future__ import annotations

from libreims.config.load import loads
from libreims.config.store import ConfigStore
from libreims.sms.filter import SmsFilter


def store(text: str) -> ConfigStore:
    return ConfigStore(loads(text).settings)


def test_ttl_counts_the_messages_of_its_kind() -> None:
    config = store(
        'sms_message_filter: { rp_ack: { action: "reject", ttl: 2 }, rp_data: { action: "ignore" } },'
    )
    filters = SmsFilter(config)
    assert [filters.action("rp_ack") for _ in range(4)] == ["reject", "reject", "treat", "treat"]
    assert [filters.action("rp_data") for _ in range(3)] == ["ignore"] * 3
    assert SmsFilter(store("")).action("rp_data") == "treat"


def test_a_filter_that_is_set_again_begins_anew_and_other_changes_do_not_touch_it() -> None:
    config = store('sms_message_filter: { rp_data: { action: "ignore", ttl: 2 } },')
    filters = SmsFilter(config)
    assert filters.action("rp_data") == "ignore"
    config.update({"sms_expires": 5})
    assert [filters.action("rp_data") for _ in range(2)] == ["ignore", "treat"]
    config.update({"sms_message_filter": {"rp_data": {"action": "ignore", "ttl": 2}}})
    assert [filters.action("rp_data") for _ in range(3)] == ["ignore", "ignore", "treat"]


def test_the_forced_cause() -> None:
    assert SmsFilter(store("sms_forced_rp_cause: 38,")).rp_cause(1) == 38
    assert SmsFilter(store("")).rp_cause(1) == 1
