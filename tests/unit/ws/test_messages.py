from __future__ import annotations

import io
from pathlib import Path

import pytest

from libreims.base.errors import LibreImsError
from libreims.ws.messages import Answers, read_messages


def read(*words: str, stdin: str = "") -> list[object]:
    return list(read_messages(words, io.StringIO(stdin)))


def test_the_forms_of_a_message(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text('\ufeff{"message": "a"}\n[{"message": "b"}]')
    assert read("config_get") == [{"message": "config_get"}]
    assert read('{"message": "é"}', '[{"a": 1}, {"b": 2}]') == [{"message": "é"}, [{"a": 1}, {"b": 2}]]
    assert read(f"@{tmp_path}/m.json") == [{"message": "a"}, [{"message": "b"}]]
    assert read("-", stdin=' {"a": 1}{"b": 2}\n\n{"c": 3}\n') == [{"a": 1}, {"b": 2}, {"c": 3}]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("{message: 1}", "the message is no JSON: .* line 1 column 2; keys need quotes"),
        ("7", "an object or an array of objects is expected"),
        ("[]", "an object or an array"),
        ('{"a": NaN}', "the message is no JSON: NaN is no number of it"),
        ("[1]", "an object or an array"),
        (" ", "is empty"),
        ("@/no/such/file", "/no/such/file cannot be read: No such file"),
        ("-", "the standard input is empty"),
        ('{"a": 1} x', "no JSON"),
        ("[" * 100_000, "nested too deeply|no JSON"),
    ],
)
def test_what_is_no_message(word: str, said: str) -> None:
    with pytest.raises(LibreImsError, match=said):
        read(word)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(LibreImsError, match="is no UTF-8 text"):
        read(f"@{tmp_path}/m.json")


def test_answers_are_known_by_their_identifier() -> None:
    answers = Answers([{"message": "a"}, {"message": "b", "message_id": {"x": 1}}, [{"message": "c"}]])
    first, second, third = answers.frames
    assert isinstance(first, dict) and isinstance(third, list)
    assert second == {"message": "b", "message_id": {"x": 1}}
    assert answers.left == 3
    assert answers.take({"message": "b", "message_id": {"x": 1}}) == {"message": "b", "message_id": {"x": 1}}
    assert answers.take({"message": "dialog"}) is None, "an event"
    assert answers.take({"message": "a", "message_id": first["message_id"], "x": 1}) == {
        "message": "a",
        "x": 1,
    }, "ours is not shown"
    assert answers.left == 1 and not answers.failed
    assert answers.take({"message_id": third[0]["message_id"], "error": "no"}) == {"error": "no"}
    assert answers.left == 0 and answers.failed
    assert answers.take({"message": "b", "message_id": {"x": 1}}) is None


def test_repetitions_have_an_answer_each() -> None:
    answers = Answers([{"message": "a", "message_id": 1, "loop_count": 2, "loop_delay": 1}])
    assert answers.left == 3
    answers.take({"message_id": 1, "loop_index": 0, "error": "busy"})
    assert answers.left == 2 and answers.failed
    answers.take({"message_id": 1, "notification": "soon"})
    assert answers.left == 2
    refused = Answers([{"message": "a", "message_id": 1, "loop_count": 2}])
    refused.take({"message_id": 1, "error": "loop_delay: number expected"})
    assert refused.left == 0


def test_an_error_without_identifier_is_a_failure() -> None:
    answers = Answers([{"message": "a"}])
    assert answers.take({"error": "Invalid JSON"}) is None
    assert answers.failed and answers.left == 0, "there will be no other answer"
