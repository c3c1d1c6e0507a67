"""What goes wrong with a call, shared by the call and its changes."""

from __future__ import annotations

from libreims.base.errors import LibreImsError


class CallError(LibreImsError):
    """A call, or a change of one, that did not come about; the text says why."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status
        """The final response; 0 when there was none."""
