"""Named counters: what `stats` of the remote API reports as `messages` and `errors`."""

from __future__ import annotations


class Counters:
    """Occurrences by name, apart for messages and for errors; unknown names begin at 0."""

    __slots__ = ("_past_errors", "_past_messages", "errors", "messages")

    def __init__(self) -> None:
        self.messages: dict[str, int] = {}
        self.errors: dict[str, int] = {}
        self._past_messages: dict[str, int] = {}
        self._past_errors: dict[str, int] = {}

    def count(self, name: str) -> None:
        """Count one message, for example `REGISTER`."""
        self.messages[name] = self.messages.get(name, 0) + 1

    def error(self, name: str) -> None:
        """Count one error, for example `auth_mac_failure`."""
        self.errors[name] = self.errors.get(name, 0) + 1

    def take(self) -> tuple[dict[str, int], dict[str, int]]:
        """Messages and errors since the last call, which begin at 0 again."""
        taken = self.messages, self.errors
        self._past_messages, self._past_errors = self.totals()
        self.messages, self.errors = {}, {}
        return taken

    def totals(self) -> tuple[dict[str, int], dict[str, int]]:
        """Messages and errors since the beginning, whoever took them meanwhile."""
        return _sum(self._past_messages, self.messages), _sum(self._past_errors, self.errors)


def _sum(past: dict[str, int], now: dict[str, int]) -> dict[str, int]:
    return {name: past.get(name, 0) + now.get(name, 0) for name in (past | now)}
