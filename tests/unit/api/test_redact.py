"""`api.redact`: what the log may show of a message."""

import json
from collections.abc import Iterator

from libreims.api.redact import HIDDEN, SHOWN, redacted
from libreims.api.wire import Prepared


def test_passwords_and_keys_are_hidden_wherever_they_are() -> None:
    frame = {
        "message": "users_add",
        "users": [{"impi": "a", "K": "00" * 16, "opc": "11" * 16, "op": "1", "pwd": "x", "impu": ["tel:1"]}],
        "res": "abc",
        "password": "y",
    }
    shown = json.loads(redacted(frame))
    assert shown["res"] == shown["password"] == HIDDEN
    user = shown["users"][0]
    assert [user[name] for name in ("K", "opc", "op", "pwd")] == [HIDDEN] * 4
    assert user["impu"] == ["tel:1"]
    assert frame["res"] == "abc"


def test_keys_of_security_associations_are_shown_where_the_log_may_have_keys() -> None:
    frame = {"SAs": [{"spi": 1, "authent_key": "aa", "cipher_key": "bb"}]}
    assert "aa" not in redacted(frame)
    assert "bb" not in redacted(frame)
    assert json.loads(redacted(frame, keys=True)) == frame
    assert "cc" not in redacted({"res": "cc"}, keys=True)


def test_a_long_message_is_cut() -> None:
    text = redacted({"message": "x" * 10_000})
    assert len(text) < SHOWN + 40
    assert text == '{"message":"' + "x" * (SHOWN - 12) + "..."


def test_what_will_not_be_shown_costs_nothing() -> None:
    class Elements(list[object]):
        asked = 0

        def __iter__(self) -> Iterator[object]:
            for each in super().__iter__():
                Elements.asked += 1
                yield each

    users = Elements({"impi": f"u{number}", "pwd": "secret"} for number in range(10_000))
    text = redacted({"message": "users_get", "users": users, "utc": 1})
    assert len(text) == SHOWN + 3
    assert "secret" not in text
    assert Elements.asked < SHOWN
    assert len(redacted({"n" * 10_000: 1})) == len(redacted({str(n): n for n in range(10_000)})) == SHOWN + 3


def test_of_a_prepared_array_only_what_is_shown_is_read() -> None:
    users = Prepared({"impi": f"u{number}", "pwd": "secret"} for number in range(1000))
    users.texts[500] = "no JSON"
    text = redacted({"message": "users_get", "users": users})
    assert text.startswith('{"message":"users_get","users":[{"impi":"u0","pwd":"<hidden>"}')
    assert text.endswith("...")
