"""Causes of RP-ERROR (TS 24.011 §8.2.5.4, tables 8.4 and E-1), with the words of the specification."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class RpCause(IntEnum):
    """Why an RP-DATA or RP-SMMA was not accepted."""

    UNASSIGNED_NUMBER = 1
    OPERATOR_DETERMINED_BARRING = 8
    CALL_BARRED = 10
    RESERVED = 11
    TRANSFER_REJECTED = 21
    MEMORY_CAPACITY_EXCEEDED = 22
    DESTINATION_OUT_OF_ORDER = 27
    UNIDENTIFIED_SUBSCRIBER = 28
    FACILITY_REJECTED = 29
    UNKNOWN_SUBSCRIBER = 30
    NETWORK_OUT_OF_ORDER = 38
    TEMPORARY_FAILURE = 41
    CONGESTION = 42
    RESOURCES_UNAVAILABLE = 47
    FACILITY_NOT_SUBSCRIBED = 50
    FACILITY_NOT_IMPLEMENTED = 69
    INVALID_REFERENCE = 81
    SEMANTICALLY_INCORRECT = 95
    INVALID_MANDATORY_INFORMATION = 96
    MESSAGE_TYPE_NON_EXISTENT = 97
    NOT_COMPATIBLE_WITH_STATE = 98
    INFORMATION_ELEMENT_NON_EXISTENT = 99
    PROTOCOL_ERROR = 111
    INTERWORKING = 127

    @property
    def text(self) -> str:
        """The words of TS 24.011."""
        return _TEXTS[self]


_TEXTS: Final = {
    RpCause.UNASSIGNED_NUMBER: "unassigned (unallocated) number",
    RpCause.OPERATOR_DETERMINED_BARRING: "operator determined barring",
    RpCause.CALL_BARRED: "call barred",
    RpCause.RESERVED: "reserved",
    RpCause.TRANSFER_REJECTED: "short message transfer rejected",
    RpCause.MEMORY_CAPACITY_EXCEEDED: "memory capacity exceeded",
    RpCause.DESTINATION_OUT_OF_ORDER: "destination out of order",
    RpCause.UNIDENTIFIED_SUBSCRIBER: "unidentified subscriber",
    RpCause.FACILITY_REJECTED: "facility rejected",
    RpCause.UNKNOWN_SUBSCRIBER: "unknown subscriber",
    RpCause.NETWORK_OUT_OF_ORDER: "network out of order",
    RpCause.TEMPORARY_FAILURE: "temporary failure",
    RpCause.CONGESTION: "congestion",
    RpCause.RESOURCES_UNAVAILABLE: "resources unavailable, unspecified",
    RpCause.FACILITY_NOT_SUBSCRIBED: "requested facility not subscribed",
    RpCause.FACILITY_NOT_IMPLEMENTED: "requested facility not implemented",
    RpCause.INVALID_REFERENCE: "invalid short message transfer reference value",
    RpCause.SEMANTICALLY_INCORRECT: "semantically incorrect message",
    RpCause.INVALID_MANDATORY_INFORMATION: "invalid mandatory information",
    RpCause.MESSAGE_TYPE_NON_EXISTENT: "message type non-existent or not implemented",
    RpCause.NOT_COMPATIBLE_WITH_STATE: "message not compatible with short message protocol state",
    RpCause.INFORMATION_ELEMENT_NON_EXISTENT: "information element non-existent or not implemented",
    RpCause.PROTOCOL_ERROR: "protocol error, unspecified",
    RpCause.INTERWORKING: "interworking, unspecified",
}


def cause_text(cause: int) -> str:
    """A cause for the log, with its number; values without a name are told as such."""
    try:
        return f"{cause} {_TEXTS[RpCause(cause)]}"
    except ValueError:
        return f"{cause} unknown cause"
