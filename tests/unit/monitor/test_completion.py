from __future__ import annotations

import pytest

from libreims.monitor.completion import OFFERED, candidates
from libreims.monitor.monitor import COMMANDS


def found(text: str, users: list[str] | None = None) -> list[str]:
    return candidates(text, COMMANDS, lambda: users or ["alice@d", "+33123"])[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dia", ["dialog", "dialog_set"]),
        ("  li", ["license"]),
        ("help mm", ["mme", "mms", "mms_server"]),
        ("cevent ", ["help"]),
        ("cevent help ", ["msg", "error"]),
        ("mt_call ", ["alice@d", "+33123"]),
        ("sms al", ["alice@d"]),
        ("dialog_set 0 h", ["hold"]),
        ("dialog_set 0 media rtp", ["rtp="]),
        ("dialog_set 0 downgrade media=v", ["media=video"]),
        ("log sip.le", ["sip.level="]),
        ("log sip.level=d", ["sip.level=debug"]),
        ("log sip.level=debug,all.p", ["all.payload="]),
        ("log time", ["time=sec", "time=short", "time=full", "time.us="]),
        ("quit ", []),
        ("nonsense x", []),
        ("sms alice@d hel", []),
    ],
)
def test_what_is_offered(text: str, expected: list[str]) -> None:
    assert found(text) == expected


def test_everything_is_offered_at_the_beginning() -> None:
    assert found("") == list(COMMANDS)
    assert "sip." in found("log ") and "append=" in found("log ")


def test_not_too_many_users_are_offered() -> None:
    assert len(found("mt_call u", [f"u{number}" for number in range(100_000)])) == OFFERED


def test_the_word_that_is_replaced() -> None:
    assert candidates("log sip.level=debug,ims", COMMANDS, list)[0] == "ims"
    assert candidates("help di", COMMANDS, list)[0] == "di"
