"""TP-Failure-Cause and TP-Status, with the words of the specification (TS 23.040 §9.2.3.22, §9.2.3.15)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class FailureCause(IntEnum):
    """TP-FCS: why a SUBMIT, COMMAND or DELIVER failed; 0xE0 to 0xFE are application specific."""

    TELEMATIC_INTERWORKING_NOT_SUPPORTED = 0x80
    SHORT_MESSAGE_TYPE_0_NOT_SUPPORTED = 0x81
    CANNOT_REPLACE_SHORT_MESSAGE = 0x82
    UNSPECIFIED_PID_ERROR = 0x8F
    ALPHABET_NOT_SUPPORTED = 0x90
    MESSAGE_CLASS_NOT_SUPPORTED = 0x91
    UNSPECIFIED_DCS_ERROR = 0x9F
    COMMAND_CANNOT_BE_ACTIONED = 0xA0
    COMMAND_UNSUPPORTED = 0xA1
    UNSPECIFIED_COMMAND_ERROR = 0xAF
    TPDU_NOT_SUPPORTED = 0xB0
    SC_BUSY = 0xC0
    NO_SC_SUBSCRIPTION = 0xC1
    SC_SYSTEM_FAILURE = 0xC2
    INVALID_SME_ADDRESS = 0xC3
    DESTINATION_SME_BARRED = 0xC4
    REJECTED_DUPLICATE = 0xC5
    VALIDITY_PERIOD_FORMAT_NOT_SUPPORTED = 0xC6
    VALIDITY_PERIOD_NOT_SUPPORTED = 0xC7
    SIM_STORAGE_FULL = 0xD0
    NO_STORAGE_CAPABILITY_IN_SIM = 0xD1
    ERROR_IN_MS = 0xD2
    MEMORY_CAPACITY_EXCEEDED = 0xD3
    SIM_TOOLKIT_BUSY = 0xD4
    SIM_DATA_DOWNLOAD_ERROR = 0xD5
    UNSPECIFIED = 0xFF

    @property
    def text(self) -> str:
        """The words of TS 23.040."""
        return _FAILURES[self]


_FAILURES: Final = {
    FailureCause.TELEMATIC_INTERWORKING_NOT_SUPPORTED: "telematic interworking not supported",
    FailureCause.SHORT_MESSAGE_TYPE_0_NOT_SUPPORTED: "short message type 0 not supported",
    FailureCause.CANNOT_REPLACE_SHORT_MESSAGE: "cannot replace short message",
    FailureCause.UNSPECIFIED_PID_ERROR: "unspecified TP-PID error",
    FailureCause.ALPHABET_NOT_SUPPORTED: "data coding scheme (alphabet) not supported",
    FailureCause.MESSAGE_CLASS_NOT_SUPPORTED: "message class not supported",
    FailureCause.UNSPECIFIED_DCS_ERROR: "unspecified TP-DCS error",
    FailureCause.COMMAND_CANNOT_BE_ACTIONED: "command cannot be actioned",
    FailureCause.COMMAND_UNSUPPORTED: "command unsupported",
    FailureCause.UNSPECIFIED_COMMAND_ERROR: "unspecified TP-Command error",
    FailureCause.TPDU_NOT_SUPPORTED: "TPDU not supported",
    FailureCause.SC_BUSY: "SC busy",
    FailureCause.NO_SC_SUBSCRIPTION: "no SC subscription",
    FailureCause.SC_SYSTEM_FAILURE: "SC system failure",
    FailureCause.INVALID_SME_ADDRESS: "invalid SME address",
    FailureCause.DESTINATION_SME_BARRED: "destination SME barred",
    FailureCause.REJECTED_DUPLICATE: "SM rejected, duplicate SM",
    FailureCause.VALIDITY_PERIOD_FORMAT_NOT_SUPPORTED: "TP-VPF not supported",
    FailureCause.VALIDITY_PERIOD_NOT_SUPPORTED: "TP-VP not supported",
    FailureCause.SIM_STORAGE_FULL: "(U)SIM SMS storage full",
    FailureCause.NO_STORAGE_CAPABILITY_IN_SIM: "no SMS storage capability in (U)SIM",
    FailureCause.ERROR_IN_MS: "error in MS",
    FailureCause.MEMORY_CAPACITY_EXCEEDED: "memory capacity exceeded",
    FailureCause.SIM_TOOLKIT_BUSY: "(U)SIM application toolkit busy",
    FailureCause.SIM_DATA_DOWNLOAD_ERROR: "(U)SIM data download error",
    FailureCause.UNSPECIFIED: "unspecified error cause",
}


class Status(IntEnum):
    """TP-ST: what became of a message; other values mean what their group means."""

    RECEIVED = 0x00
    FORWARDED_UNCONFIRMED = 0x01
    REPLACED = 0x02
    TRYING_CONGESTION = 0x20
    TRYING_SME_BUSY = 0x21
    TRYING_NO_RESPONSE = 0x22
    TRYING_SERVICE_REJECTED = 0x23
    TRYING_QUALITY_NOT_AVAILABLE = 0x24
    TRYING_ERROR_IN_SME = 0x25
    REMOTE_PROCEDURE_ERROR = 0x40
    INCOMPATIBLE_DESTINATION = 0x41
    CONNECTION_REJECTED = 0x42
    NOT_OBTAINABLE = 0x43
    QUALITY_NOT_AVAILABLE = 0x44
    NO_INTERWORKING = 0x45
    VALIDITY_PERIOD_EXPIRED = 0x46
    DELETED_BY_ORIGINATOR = 0x47
    DELETED_BY_ADMINISTRATION = 0x48
    DOES_NOT_EXIST = 0x49
    GAVE_UP_CONGESTION = 0x60
    GAVE_UP_SME_BUSY = 0x61
    GAVE_UP_NO_RESPONSE = 0x62
    GAVE_UP_SERVICE_REJECTED = 0x63
    GAVE_UP_QUALITY_NOT_AVAILABLE = 0x64
    GAVE_UP_ERROR_IN_SME = 0x65


def failure_text(cause: int) -> str:
    """A TP-FCS for the log, with its number."""
    try:
        return f"0x{cause:02x} {_FAILURES[FailureCause(cause)]}"
    except ValueError:
        return f"0x{cause:02x} {'application specific' if 0xE0 <= cause <= 0xFE else 'reserved'}"
