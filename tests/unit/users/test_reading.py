from __future__ import annotations

import pytest

from libreims.base.errors import LibreImsError
from libreims.config.schema import CallflowModifier, ImpuSettings, UserSettings
from libreims.users.reading import SLICE, Reading, changed_fields


class Reader:
    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.reading = Reading("/etc/ims", self.warnings.append)

    def fails(self, name: str, *values: object) -> str:
        with pytest.raises(LibreImsError) as error:
            getattr(self if name == "users" else self.reading, name)(*values)
        return str(error.value)

    def users(self, value: object) -> list[UserSettings]:
        return [user for part in self.reading.users(value) for user in part]


def test_users_are_read_like_ue_db() -> None:
    reader = Reader()
    first, second = reader.users(
        [
            {
                "imsi": "001010000000001",
                "K": "00112233445566778899aabbccddeeff",
                "impi": "a@d",
                "impu": ["sip:a", {"impu": "tel:1", "sdp_file": "x.sdp", "code": 486, "method": "INVITE"}],
                "pdn_list": [{"access_point_name": "ims"}],
            },
            {"nai": "b@d", "pwd": "x", "impu": "b"},
        ]
    )
    assert bytes.fromhex("00112233445566778899aabbccddeeff") == first.K
    assert [each.impu for each in first.impu] == ["sip:a", "tel:1"]
    assert first.impu[1].sdp_file == "/etc/ims/x.sdp"
    assert first.impu[1].callflow_modifier == (CallflowModifier(code=486, method="INVITE"),)
    assert second.authent_type == "MD5" and second.impu[0].impu == "b"
    assert reader.warnings == []


def test_every_wrong_entry_is_named_and_no_key_is_shown() -> None:
    reader = Reader()
    text = reader.fails(
        "users",
        [
            {"imsi": "001010000000001", "K": "0011secret", "impu": ["a"]},
            {"impi": "b@d", "impu": [{"impu": "b", "use183": "maybe"}]},
            "carol",
            {"impi": "d@d", "sim_algo": "milenage", "K": "00112233445566778899aabbccddeeff"},
        ],
    )
    assert "users[0].K: hexadecimal digits expected, there are other characters" in text
    assert 'users[1].impu[0].use183: true or false expected, not "maybe"' in text
    assert "users[2]: object expected, not a string" in text
    assert "users[3].opc: op or opc expected" in text
    assert "0011secret" not in text
    assert reader.fails("users", {"impi": "a"}) == "users: array of objects expected"
    many = reader.fails("users", [{"imsi": "x"}] * 150)
    assert many.endswith("and 50 more errors")


def test_many_users_are_read_in_slices_and_each_wrong_one_is_named() -> None:
    reader = Reader()
    users: list[object] = [{"impi": f"u{number}"} for number in range(2 * SLICE + 1)]
    assert [len(part) for part in reader.reading.users(users)] == [SLICE, SLICE, 1]
    users[SLICE] = users[2 * SLICE] = 7
    parts = reader.reading.users(users)
    assert [len(next(parts)) for _ in range(3)] == [SLICE, SLICE - 1, 0]
    with pytest.raises(LibreImsError) as error:
        next(parts)
    assert str(error.value) == "; ".join(
        f"users[{index}]: object expected, not a number" for index in (SLICE, 2 * SLICE)
    )


def test_what_is_odd_is_told() -> None:
    reader = Reader()
    reader.users([{"impi": "a@d", "impu": ["precondition:silent", "a"], "colour": "red"}])
    assert any("precondition:silent" in each for each in reader.warnings)
    assert any("unused property 'colour'" in each for each in reader.warnings)


def test_an_impu_is_a_string_or_an_object() -> None:
    reader = Reader()
    assert reader.reading.impu("tel:1") == ImpuSettings(impu="tel:1")
    assert reader.reading.impu({"impu": "tel:1", "ring_only": True}) == ImpuSettings(
        impu="tel:1", ring_only=True
    )
    assert "its scheme is none of sip" in reader.fails("impu", "mailto:x")
    assert reader.fails("impu", {"ring_only": True}) == "impu.impu: an IMPU expected"
    assert "IMPU object" in reader.fails("impu", 7) or "string expected" in reader.fails("impu", 7)
    assert "impu.answer_delay" in reader.fails("impu", {"impu": "a", "answer_delay": -1})


def test_changes_leave_the_rest_as_it_is() -> None:
    reader = Reader()
    before = ImpuSettings(impu="tel:1", display_name="One", use183=False)
    assert reader.reading.changed(before, {"display_name": "Two"}) == ImpuSettings(
        impu="tel:1", display_name="Two", use183=False
    )
    assert reader.reading.changed(before, {"display_name": None, "100rel": False}) == ImpuSettings(
        impu="tel:1", use183=False, rel100=False
    )
    assert reader.reading.changed(before, {"prefered": True}).preferred
    busy = reader.reading.changed(before, {"code": 486, "method": "INVITE"})
    assert [each.code for each in busy.callflow_modifier] == [486]
    # As after a restart without them: neither stays.
    assert reader.reading.changed(busy, {"code": None}).callflow_modifier == ()
    assert reader.reading.changed(busy, {"callflow_modifier": []}).callflow_modifier == ()
    assert reader.reading.changed(busy, {"use183": True}).callflow_modifier == busy.callflow_modifier
    assert "code: 99 is out of range" in reader.fails("changed", before, {"code": 99})
    assert "content_type" in reader.fails("changed", before, {"callflow_modifier": {"content": "x.sdp"}})


def test_an_impu_without_a_name_is_changed_too() -> None:
    reader = Reader()
    before = ImpuSettings(match="^1")
    assert reader.reading.changed(before, {"ring_only": True}) == ImpuSettings(match="^1", ring_only=True)


def test_which_fields_change() -> None:
    assert changed_fields({"100rel": True, "code": 1, "method": "BYE", "prefered": 1, "x": 1}) == [
        "rel100",
        "callflow_modifier",
        "preferred",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"impu": "tel:1\r\nX-Evil: 1"},
        {"impu": "a", "domain": "d\r\nX-Evil: 1"},
        {"impu": "a", "display_name": "A\r\nX-Evil: 1"},
        {"impu": "a", "verstat": "x;y"},
        {"impu": "a", "p_called_party_id": "<tel:1>\r\nX-Evil: 1"},
        {"impu": "a", "code": 486, "content": "f", "content_type": "text/plain\r\nX-Evil: 1"},
        {"impu": "a", "callflow_modifier": {"custom_headers": [{"name": "X", "value": "1\r\nX-Evil: 1"}]}},
        {"impu": "a", "callflow_modifier": {"custom_headers": [{"name": "X\r\nY", "value": "1"}]}},
    ],
)
def test_nothing_gets_a_line_break_into_a_header(wrong: dict[str, object]) -> None:
    assert "expected" in Reader().fails("impu", wrong)


def test_warnings_say_where_they_come_from_and_are_a_few() -> None:
    reader = Reader()
    reader.users([{"impi": "a", **{f"odd{number}": 1 for number in range(1000)}}])
    assert reader.warnings[0] == "remote API, users: unused property 'odd0'"
    assert reader.warnings[-1] == "remote API, users: and 990 more warnings"
    assert len(reader.warnings) == 11
