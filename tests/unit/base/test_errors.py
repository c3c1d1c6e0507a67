"""`base.errors`."""

from __future__ import annotations

from libreims.base.errors import Reject


def test_a_rejection_carries_the_answer_and_the_reason_for_the_log() -> None:
    rejection = Reject(403, "user unknown", reason="Forbidden", headers=(("Reason", "x"),))
    assert (rejection.status, rejection.reason) == (403, "Forbidden")
    assert rejection.headers == (("Reason", "x"),)
    assert str(rejection) == rejection.why == "user unknown"


def test_headers_and_phrase_may_be_left_out() -> None:
    rejection = Reject(500, "why")
    assert rejection.headers == ()
    assert rejection.reason is None
