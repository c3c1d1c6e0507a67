"""Faults made on purpose to test phones: `sms_message_filter`, `sms_forced_rp_cause` (manual §5.2.1).

They act on messages from phones.  Over IP there is RP only (TS 24.341): what the filter says of CP, and
`sms_forced_cp_cause`, belong to SMS over SGs.
"""

from __future__ import annotations

from typing import Literal

from libreims.config.schema import MessageFilter, SmsMessageFilter
from libreims.config.store import ConfigStore

Kind = Literal["rp_data", "rp_ack"]
TREAT, IGNORE, REJECT = "treat", "ignore", "reject"


class SmsFilter:
    """Decides for each message; counts down `ttl`, which begins anew when the filter is set again."""

    def __init__(self, config: ConfigStore) -> None:
        self._config = config
        self._left: dict[Kind, tuple[MessageFilter, int]] = {}

    def action(self, kind: Kind) -> str:
        """`treat`, `ignore` or `reject` for a message that has come in."""
        wanted = _filter_of(self._config.current.sms_message_filter, kind)
        if wanted.action == TREAT or wanted.ttl is None:
            return wanted.action
        known, left = self._left.get(kind, (None, 0))
        if known is not wanted:
            left = wanted.ttl
        if left <= 0:
            return TREAT
        self._left[kind] = (wanted, left - 1)
        return wanted.action

    def rp_cause(self, cause: int) -> int:
        """The cause of an RP-ERROR of ours: the forced one where there is one."""
        return self._config.current.sms_forced_rp_cause or cause


def _filter_of(filters: SmsMessageFilter, kind: Kind) -> MessageFilter:
    return filters.rp_data if kind == "rp_data" else filters.rp_ack
