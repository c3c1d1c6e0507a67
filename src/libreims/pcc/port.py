"""What calls ask of policy control: a dedicated bearer for the media of one phone (TS 23.203, TS 29.214).

`Off` serves while there is no Rx or N5 peer: nothing is reserved and nothing is waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from libreims.proto.sdp.description import SessionDescription

Bearer = Literal["disabled", "required", "pending", "erab_set", "failed"]
"""The dedicated bearer of a dialog; all but `failed` are values of `qos` in the remote API's dialog_get."""


class PolicyControl(Protocol):
    """Reserves and releases bearers; a dialog is named by its session id."""

    def reserve(
        self,
        dialog: str,
        ours: SessionDescription,
        theirs: SessionDescription,
        changed: Callable[[], None],
    ) -> None:
        """Ask for a bearer for what has been agreed with a phone; `changed` when its state has."""

    def bearer(self, dialog: str) -> Bearer:
        """The state of a dialog's bearer."""

    def release(self, dialog: str) -> None:
        """The dialog is over; harmless where nothing was reserved."""


class Off:
    """No policy control."""

    def reserve(
        self,
        dialog: str,
        ours: SessionDescription,
        theirs: SessionDescription,
        changed: Callable[[], None],
    ) -> None:
        """Nothing is reserved."""

    def bearer(self, dialog: str) -> Bearer:
        """No bearer."""
        return "disabled"

    def release(self, dialog: str) -> None:
        """Nothing was reserved."""
