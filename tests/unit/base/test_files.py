"""`base.files`: whatever a name leads to, reading it ends."""

import os
from pathlib import Path

import pytest

from libreims.base.files import read_small


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 10)
    assert read_small(str(tmp_path / "a"), 10) == b"x" * 10
    with pytest.raises(OSError, match="it has 10 bytes, 9 are the most"):
        read_small(str(tmp_path / "a"), 9)


def test_what_would_block_or_never_end_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in (str(tmp_path / "pipe"), "/dev/zero", str(tmp_path)):
        with pytest.raises(OSError):
            read_small(name, 100)
    for name in ("/dev/zero", "/dev/null"):
        with pytest.raises(OSError, match="it is no regular file"):
            read_small(name, 100)
    with pytest.raises(OSError, match="no file name"):
        read_small("a\0b", 100)
    with pytest.raises(OSError, match="No such file"):
        read_small(str(tmp_path / "none"), 100)
