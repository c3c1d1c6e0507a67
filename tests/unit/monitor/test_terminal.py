"""Completion and history of the terminal; `tests/interop/test_monitor.py` has a real one."""

from __future__ import annotations

from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, InMemoryHistory

from libreims.monitor.terminal import HISTORY, _Completer, _history


def test_completion_replaces_the_word() -> None:
    completer = _Completer(lambda text: (text.split(" ")[-1], ["dialog", "dialog_set"]))
    found = list(completer.get_completions(Document("help dia"), CompleteEvent()))
    assert [(each.text, each.start_position) for each in found] == [("dialog", -3), ("dialog_set", -3)]


def test_history_is_kept_for_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    history = _history()
    assert isinstance(history, FileHistory)
    history.store_string("users")
    assert (tmp_path / HISTORY).stat().st_mode & 0o777 == 0o600
    assert list(_history().load_history_strings()) == ["users"]
    (tmp_path / HISTORY).unlink()
    (tmp_path / HISTORY).mkdir()
    history.store_string("lost, but no fault")


@pytest.mark.parametrize("home", ["", "/no/such/place"])
def test_without_a_home_lines_are_kept_as_long_as_it_runs(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", home)
    assert isinstance(_history(), InMemoryHistory)
