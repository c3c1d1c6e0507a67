"""`api.authentication`: the password of the remote API, and patience."""

import hashlib
import hmac
from pathlib import Path

import pytest

from libreims.api.authentication import MOST_WAITING, REMEMBERED, Authentication, response
from libreims.base.errors import LibreImsError
from libreims.base.tokens import Tokens
from libreims.config.load import loads
from libreims.config.store import ConfigStore
from support.manual_clock import ManualClock


def made(auth: str, directory: str = "") -> tuple[Authentication, ManualClock]:
    clock = ManualClock()
    store = ConfigStore(loads(f'domain: "ims.test", com_name: "N", com_auth: {auth}', directory).settings)
    return Authentication(store, clock, Tokens(1)), clock


def test_the_response_is_the_hmac_of_the_manual() -> None:
    expected = hmac.new(b"IMS:secret:N", b"abc", hashlib.sha256).hexdigest()
    assert response("secret", "N", "abc") == expected
    auth, _ = made('{password: "secret"}')
    assert auth.right("abc", {"res": expected})
    assert auth.right("abc", {"res": expected.upper()})
    for wrong in ("", expected[:-1], expected + "0", "ä", "\ud800"):
        assert not auth.right("abc", {"res": wrong})


def test_challenges_differ() -> None:
    auth, _ = made('{password: "secret"}')
    assert len({auth.challenge() for _ in range(100)}) == 100


def test_the_password_file_is_read_when_it_is_needed(tmp_path: Path) -> None:
    auth, _ = made('{passfile: "pass"}', str(tmp_path))
    with pytest.raises(LibreImsError, match=r"com_auth.passfile .*pass cannot be read: No such file"):
        auth.right("c", {"res": ""})
    for password in ("first", "second word"):
        (tmp_path / "pass").write_text(f"{password}\n")
        assert auth.right("c", {"res": response(password, "N", "c")})
        assert not auth.right("c", {"res": response("other", "N", "c")})
    for content, why in (("\n", "empty"), ("x" * 5000, "it has 5000 bytes")):
        (tmp_path / "pass").write_text(content)
        with pytest.raises(LibreImsError, match=why):
            auth.right("c", {"res": ""})


def test_each_failure_makes_the_next_attempt_wait_longer() -> None:
    auth, clock = made('{password: "secret"}')
    waits = []
    for _ in range(7):
        wait = auth.wait("a")
        waits.append(wait)
        clock.advance(wait)
        auth.failed("a")
    assert waits[0] == 0.0
    assert waits[1:4] == [0.5, 1.0, 2.0]
    assert max(waits) == 8.0
    assert auth.wait("b") == 0.0
    auth.succeeded("a")
    assert auth.wait("a") == 0.0


def test_many_attempts_at_once_stand_in_a_line_of_limited_length() -> None:
    auth, clock = made('{password: "secret"}')
    auth.failed("a")
    waits = []
    with pytest.raises(LibreImsError, match="too many failed attempts"):
        for _ in range(1000):
            waits.append(auth.wait("a"))
    assert waits == sorted(waits)
    assert max(waits) <= MOST_WAITING
    clock.advance(60)
    assert auth.wait("a") == 0.0


def test_failures_are_forgotten_in_time_and_in_number() -> None:
    auth, clock = made('{password: "secret"}')
    auth.failed("a")
    clock.advance(601)
    assert auth.wait("a") == 0.0
    for number in range(2 * REMEMBERED):
        auth.failed(str(number))
    assert len(auth._failures) == REMEMBERED
    assert auth.wait("0") == 0.0
    assert auth.wait(str(2 * REMEMBERED - 1)) > 0.0
