"""Files whose names come from outside: read in one piece, without hanging on a pipe or filling the memory."""

from __future__ import annotations

import errno
import os
import stat


def read_small(path: str, most: int) -> bytes:
    """The octets of a regular file of at most `most` octets. Raises OSError with a reason for people."""
    try:
        # A named pipe without a writer would block the open, and with it the server.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError:  # a NUL character
        raise OSError(errno.EINVAL, "that is no file name") from None
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        if status.st_size > most:
            raise OSError(errno.EFBIG, f"it has {status.st_size} bytes, {most} are the most")
        return file.read(most)
