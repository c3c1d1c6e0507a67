import errno
import os
from pathlib import Path

import pytest

from libreims.net import kernel
from support.hosts import ipsec_missing


def test_errors_say_which_call_and_why() -> None:
    with open(os.devnull) as file, pytest.raises(OSError, match=r"setns: ") as refused:
        kernel.setns(file.fileno(), kernel.CLONE_NEWNET)
    assert refused.value.errno == errno.EINVAL
    with pytest.raises(OSError, match="umount: "):
        kernel.unmount("/nowhere/at/all")
    with pytest.raises(OSError, match="mount: "):
        kernel.mount("/nowhere", "/nowhere/at/all", kernel.MS_BIND)


def test_capabilities_are_read_from_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    names = tuple(kernel.CAPABILITIES)
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "Name:\tx\nCapEff:\t0000000000202000\n")
    assert kernel.lacking(*names) == ["CAP_NET_ADMIN"]
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "CapEff:\t0000000000000000\n")
    assert kernel.lacking(*names) == list(names)


@pytest.mark.skipif(bool(ipsec_missing()), reason=ipsec_missing())
def test_whoever_has_all_lacks_none() -> None:
    assert kernel.lacking(*kernel.CAPABILITIES) == []


def test_what_is_a_matter_of_rights() -> None:
    assert kernel.refused(PermissionError(errno.EPERM, "x"))
    assert kernel.refused(PermissionError(errno.EACCES, "x"))
    assert not kernel.refused(OSError(errno.ENOSPC, "x"))
