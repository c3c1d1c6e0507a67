"""`api.log_feed`: what a request wants, how an entry looks in a response; the rest is in `test_logs`."""

import json

import pytest

from libreims.api.log_feed import PREPARED, Filter, LogFeed
from libreims.base.log import Log
from libreims.base.log_options import DEBUG, INFO, WARN
from libreims.base.log_ring import LogEntry
from libreims.config.load import loads
from libreims.config.store import ConfigStore
from support.manual_clock import ManualClock

ENTRY = LogEntry(1000.5, "sip", INFO, "FROM", 7, "head", "        one\n\n")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(), True),
        (Filter(levels={"sip": INFO}), True),
        (Filter(levels={"sip": DEBUG}), True),
        (Filter(levels={"sip": WARN}), False),
        (Filter(levels={"ims": DEBUG}), False),
        (Filter(ue_id=7), True),
        (Filter(ue_id=8), False),
        (Filter(rnti=7), False),
        (Filter(start=1000.5), True),
        (Filter(start=1000.6), False),
    ],
)
def test_a_filter(wanted: Filter, expected: bool) -> None:
    assert wanted.wants(ENTRY) is expected


def feed(text: str = "") -> LogFeed:
    log = Log(utc=lambda: 0.0)
    return LogFeed(log, ManualClock(), ConfigStore(loads(f'domain: "ims.test", {text}').settings))


def test_an_entry_is_made_once_for_all_clients() -> None:
    made = feed()
    text = made.prepare(3, ENTRY)
    assert json.loads(text) == {
        "data": ["head", "one"],
        "timestamp": 1_000_500,
        "layer": "SIP",
        "level": "info",
        "dir": "FROM",
        "ue_id": 7,
        "src": "IMS",
        "idx": 3,
    }
    assert made.prepare(3, ENTRY) is text
    assert json.loads(made.prepare(3, ENTRY, short=True))["data"] == ["head"]
    for index in range(4, 3 * PREPARED):
        made.prepare(index, ENTRY)
    assert len(made._prepared) == PREPARED


def test_direction_and_identifier_are_left_out_where_there_are_none() -> None:
    frame = json.loads(feed("com_log_us: true").prepare(0, ENTRY._replace(direction="-", id=None)))
    assert not {"dir", "ue_id", "timestamp"} & set(frame)
    assert frame["timestamp_us"] == 1_000_500_000
    assert "ue_id" not in json.loads(feed().prepare(0, ENTRY._replace(id="10.0.0.1")))
