"""`store.refusal`: a phone is told to come back, the log says why."""

from libreims.store.port import StoreError
from libreims.store.refusal import not_kept


def test_it_is_temporary_and_names_the_reason() -> None:
    reject = not_kept(
        "The registration of alice", StoreError("ims.db cannot be written: disk full; make room")
    )
    assert (reject.status, reject.headers) == (500, (("Retry-After", "60"),))
    assert reject.why == (
        "The registration of alice is refused, as it cannot be kept: "
        "ims.db cannot be written: disk full; make room."
    )
