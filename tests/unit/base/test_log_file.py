"""`base.log_file`: rotation, re-opening, and a file system that does not work."""

from __future__ import annotations

import errno
import os
import shutil
import time
from pathlib import Path

import pytest

from libreims.base.log import Log
from libreims.base.log_options import parse

START = 1_700_000_000.0


class Lab:
    """A log whose time moves by hand."""

    def __init__(self, path: Path, options: str = "") -> None:
        self.path = path
        self.now = START
        self.complaints: list[str] = []
        self.log = Log(
            parse(f"all.level=info,{options}").options,
            str(path),
            utc=lambda: self.now,
            banner="ims version 1",
            local=time.gmtime,
            complain=self.complaints.append,
        )

    def write(self, *messages: str) -> None:
        for message in messages:
            self.log.layer("ims").info(message)
        self.log.flush()

    def moved(self, folder: Path | None = None) -> list[Path]:
        return sorted((folder or self.path.parent).glob("ims.log.*"))


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "ims.log")


def messages(path: Path) -> list[str]:
    return [line.split(" - ")[-1] for line in path.read_text().splitlines() if not line.startswith("#")]


def comments(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line.startswith("#")]


def test_rotate_now_keeps_the_head_and_says_when(lab: Lab) -> None:
    lab.write("old")
    lab.now += 3600
    lab.log.configure("file.rotate=now")
    lab.write("new")
    (old,) = lab.moved()
    assert old.name == "ims.log.20231114.231320"
    assert messages(old) == ["old"]
    assert comments(old)[-1] == "# Rotated on 2023-11-14 23:13:20"
    assert messages(lab.path) == ["new"]
    assert comments(lab.path) == [
        "# ims version 1",
        "# Log file format:",
        "# time layer dir id message",
        "# Started on 2023-11-14 22:13:20",
        "# Rotated on 2023-11-14 23:13:20",
    ]


def test_rotations_of_the_same_second_do_not_overwrite_each_other(lab: Lab) -> None:
    for number in range(3):
        lab.write(f"m{number}")
        lab.log.rotate()
    assert [messages(path) for path in lab.moved()] == [["m0"], ["m1"], ["m2"]]


def test_rotate_by_size(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "ims.log", "file.rotate=1K")
    for number in range(100):
        lab.log.layer("ims").info(f"m{number:03d} " + "x" * 50)
    lab.log.flush()
    sizes = [path.stat().st_size for path in lab.moved()]
    assert len(sizes) > 5
    # The entry that reaches the limit is in, and so is the closing comment.
    assert all(1024 <= size < 1024 + 150 for size in sizes)
    everything = [line[:4] for path in [*lab.moved(), lab.path] for line in messages(path)]
    assert sorted(everything) == [f"m{number:03d}" for number in range(100)]


def test_rotate_by_number_of_entries(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "ims.log", "file.rotate=#10")
    for number in range(35):
        lab.log.layer("ims").info(f"m{number}")
    lab.log.flush()
    assert [len(messages(path)) for path in lab.moved()] == [10, 10, 10]
    assert messages(lab.path) == [f"m{number}" for number in range(30, 35)]


def test_rotation_into_another_folder_that_is_made_when_needed(tmp_path: Path) -> None:
    folder = tmp_path / "old" / "logs"
    lab = Lab(tmp_path / "ims.log", f"file.path={folder}")
    lab.write("old")
    lab.log.configure("file.rotate=now")
    assert lab.moved() == []
    assert messages(lab.moved(folder)[0]) == ["old"]


def test_a_relative_folder_is_beside_the_log(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "ims.log", "file.path=old")
    lab.log.rotate()
    assert len(lab.moved(tmp_path / "old")) == 1


def test_rotation_to_another_file_system_copies(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    far = tmp_path / "far"
    rename = os.rename

    def other_device(source: str, target: str) -> None:
        if os.path.dirname(target) == str(far):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target)

    monkeypatch.setattr(os, "rename", other_device)
    lab.write("old")
    lab.log.configure(f"file.path={far},file.rotate=now")
    lab.write("new")
    lab.log.close()  # waits for the copy
    assert messages(lab.moved(far)[0]) == ["old"]
    assert lab.moved() == []
    assert messages(lab.path) == ["new"]


def test_cut_begins_anew(lab: Lab) -> None:
    lab.write("old")
    lab.log.configure("file=cut")
    lab.write("new")
    assert messages(lab.path) == ["new"]
    assert lab.path.read_text().startswith("# ims version 1\n")


def test_cut_after_the_file_was_moved_by_someone_else(lab: Lab) -> None:
    lab.write("old")
    other = lab.path.with_name("taken")
    lab.path.rename(other)
    lab.log.cut()
    lab.write("new")
    assert messages(other) == ["old"]
    assert messages(lab.path) == ["new"]


def test_the_file_is_emptied_at_the_start_unless_append(tmp_path: Path) -> None:
    path = tmp_path / "ims.log"
    Lab(path).write("first")
    Lab(path, "append=1").write("second")
    assert messages(path) == ["first", "second"]
    assert comments(path).count("# ims version 1") == 2
    Lab(path).write("third")
    assert messages(path) == ["third"]


def test_an_appended_file_that_is_too_large_already_is_rotated(tmp_path: Path) -> None:
    path = tmp_path / "ims.log"
    path.write_text("x" * 2000)
    lab = Lab(path, "append=1,file.rotate=1K")
    assert len(lab.moved()) == 1
    assert path.stat().st_size < 1024


def test_a_full_disk_is_reported_once_and_the_gap_is_marked(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    lab.write("before")

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    lab.write("lost", "lost too")
    lab.write("lost as well")
    monkeypatch.setattr(os, "write", write)
    lab.write("after")
    assert messages(lab.path) == ["before", "after"]
    assert comments(lab.path)[-1] == "# 3 entries are missing here, the file could not be written"
    assert len(lab.complaints) == 1
    assert "No space left on device" in lab.complaints[0]
    assert str(lab.path) in lab.complaints[0]


def test_a_disk_that_is_full_again_keeps_counting(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    room = 0

    def nearly_full(descriptor: int, data: bytes) -> int:
        nonlocal room
        if room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        room -= 1
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", nearly_full)
    lab.write("lost")
    lab.write("lost")
    room = 1  # enough for the comment about the gap only
    lab.write("lost")
    room = 2
    lab.write("there")
    assert messages(lab.path) == ["there"]
    gaps = [line for line in comments(lab.path) if "missing" in line]
    assert [line.split()[1] for line in gaps] == ["2", "1"]
    assert len(lab.complaints) == 1


def test_standard_error_hears_of_it_by_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = Log(path=str(tmp_path / "missing" / "ims.log"), utc=lambda: START)
    log.layer("ims").error("x")
    assert capsys.readouterr().err.count("cannot open log file") == 1


def test_a_copy_to_another_file_system_that_fails_leaves_the_file_there(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    far = tmp_path / "far"
    rename = os.rename

    def other_device(source: str, target: str) -> None:
        if os.path.dirname(target) == str(far):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target)

    def full(source: str, target: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "rename", other_device)
    monkeypatch.setattr(shutil, "move", full)
    lab.write("old")
    lab.log.configure(f"file.path={far},file.rotate=now")
    lab.log.close()
    assert messages(lab.moved()[0]) == ["old"]
    assert "it stays there" in lab.complaints[0]


def test_a_write_that_takes_only_a_part_is_continued(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    lab.write("a message that is longer than seven octets")
    monkeypatch.undo()
    assert messages(lab.path) == ["a message that is longer than seven octets"]


def test_a_folder_that_does_not_exist_is_reported_and_used_when_it_appears(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    lab = Lab(folder / "ims.log")
    lab.write("lost")
    lab.write("lost")
    assert len(lab.complaints) == 1
    assert "No such file or directory" in lab.complaints[0]
    folder.mkdir()
    lab.write("there")
    assert messages(lab.path) == ["there"]
    assert "# 2 entries are missing here, the file could not be written" in comments(lab.path)


def test_a_folder_that_vanishes_does_not_stop_rotation(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    lab = Lab(folder / "ims.log")
    lab.write("old")
    shutil.rmtree(folder)
    lab.log.rotate()
    lab.write("new")
    lab.log.close()
    assert messages(lab.path) == ["new"]
    assert any("cannot move log file" in complaint for complaint in lab.complaints)


def test_a_target_that_cannot_be_made_keeps_the_file_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    lab = Lab(tmp_path / "ims.log", f"file.path={tmp_path / 'file' / 'below'}")
    lab.write("old")
    lab.log.rotate()
    lab.write("new")
    assert messages(lab.path) == ["old", "new"]
    assert len(lab.complaints) == 1
