"""RP messages: RP-DATA, RP-ACK, RP-ERROR, RP-SMMA (TS 24.011 §7.3, §8.2).

The relay layer between phone and SMS centre: the body `application/vnd.3gpp.sms` of a SIP MESSAGE
(TS 24.341), and the user data of CP.  A message type exists per direction, hence two ways to encode and to
decode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from libreims.proto.sms.address import Address, read_rp
from libreims.proto.sms.errors import SmsDecodeError
from libreims.proto.sms.reader import Reader, invalid
from libreims.proto.sms.rp_cause import RpCause

USER_DATA: Final = 0x41
"""Identifier of RP-User-Data where it is optional (§8.2.5.3)."""
MAX_DATA: Final = 233
"""Octets of RP-User-Data, at most (§8.2.5.3)."""

_DATA: Final = 0
_ACK: Final = 2
_ERROR: Final = 4
_SMMA: Final = 6
_NAMES: Final = {_DATA: "RP-DATA", _ACK: "RP-ACK", _ERROR: "RP-ERROR", _SMMA: "RP-SMMA"}


@dataclass(frozen=True, slots=True)
class RpData:
    """A TPDU on its way (§7.3.1). From a phone it names the centre as destination, to it as originator."""

    reference: int
    centre: Address | None
    """The address of the SMS centre."""
    user_data: bytes


@dataclass(frozen=True, slots=True)
class RpAck:
    """It was received (§7.3.3)."""

    reference: int
    user_data: bytes | None = None
    """A report, when there is one."""


@dataclass(frozen=True, slots=True)
class RpError:
    """It was not accepted (§7.3.4)."""

    reference: int
    cause: int
    """`rp_cause.RpCause`."""
    diagnostic: bytes = b""
    user_data: bytes | None = None
    """A report, when there is one."""


@dataclass(frozen=True, slots=True)
class RpSmma:
    """The phone has memory again (§7.3.2); only from a phone."""

    reference: int


RpMessage = RpData | RpAck | RpError | RpSmma


def encode_from_phone(message: RpMessage) -> bytes:
    """As a phone sends it. Raises ValueError for a value that does not fit."""
    return _encode(message, to_phone=False)


def encode_to_phone(message: RpMessage) -> bytes:
    """As a phone receives it. Raises ValueError for a value that does not fit."""
    return _encode(message, to_phone=True)


def decode_from_phone(octets: bytes) -> RpMessage:
    """What a phone sent. Raises SmsDecodeError, nothing else."""
    return _decode(octets, to_phone=False)


def decode_to_phone(octets: bytes) -> RpMessage:
    """What a phone receives. Raises SmsDecodeError, nothing else."""
    return _decode(octets, to_phone=True)


# --- writing ------------------------------------------------------------------------------------------


def _encode(message: RpMessage, to_phone: bool) -> bytes:
    if isinstance(message, RpData):
        centre = message.centre.encode_rp() if message.centre is not None else b"\0"
        addresses = centre + b"\0" if to_phone else b"\0" + centre
        return bytes((_DATA | to_phone, message.reference)) + addresses + _sized(message.user_data)
    if isinstance(message, RpAck):
        return bytes((_ACK | to_phone, message.reference)) + _optional(message.user_data)
    if isinstance(message, RpError):
        cause = bytes((1 + len(message.diagnostic), message.cause)) + message.diagnostic
        return bytes((_ERROR | to_phone, message.reference)) + cause + _optional(message.user_data)
    if to_phone:
        raise ValueError("RP-SMMA is sent by phones only")
    return bytes((_SMMA, message.reference))


def _sized(data: bytes) -> bytes:
    if len(data) > MAX_DATA:
        raise ValueError(f"RP-User-Data of {len(data)} octets, at most {MAX_DATA} are allowed")
    return bytes((len(data),)) + data


def _optional(data: bytes | None) -> bytes:
    return b"" if data is None else bytes((USER_DATA,)) + _sized(data)


# --- reading ------------------------------------------------------------------------------------------


def _decode(octets: bytes, to_phone: bool) -> RpMessage:
    reader = Reader(octets)
    kind = reader.octet("RP-Message Type") & 7
    reference = reader.octet("RP-Message Reference")
    if kind & 1 != to_phone or (kind & 6 == _SMMA and to_phone):
        raise SmsDecodeError(
            RpCause.MESSAGE_TYPE_NON_EXISTENT,
            f"RP message type {kind} does not exist in this direction",
            reference,
        )
    try:
        return _read(reader, kind & 6, reference, to_phone)
    except SmsDecodeError as error:
        error.reference = reference
        raise


def _read(reader: Reader, kind: int, reference: int, to_phone: bool) -> RpMessage:
    if kind == _DATA:
        originator = read_rp(reader, "RP-Originator Address")
        destination = read_rp(reader, "RP-Destination Address")
        data = _read_sized(reader)
        return RpData(reference, originator if to_phone else destination, data)
    if kind == _ACK:
        return RpAck(reference, _read_optional(reader))
    if kind == _ERROR:
        size = reader.octet("RP-Cause")
        if not size:
            raise invalid("RP-Cause without a value")
        value = reader.octets(size, "RP-Cause")
        return RpError(reference, value[0] & 0x7F, value[1:], _read_optional(reader))
    return RpSmma(reference)


def _read_sized(reader: Reader) -> bytes:
    size = reader.octet("RP-User-Data")
    if size > MAX_DATA:
        raise invalid(f"RP-User-Data of {size} octets, at most {MAX_DATA} are allowed")
    return reader.octets(size, "RP-User-Data")


def _read_optional(reader: Reader) -> bytes | None:
    """RP-User-Data among the optional elements, the first if there are several.

    Unknown elements are passed over, one that is cut counts as absent (§9.3): the message stands without it.
    """
    try:
        while reader.left:
            identifier = reader.octet("information element")
            if identifier == USER_DATA:
                return _read_sized(reader)
            if identifier < 0x80:
                reader.octets(reader.octet("information element"), "information element")
    except SmsDecodeError:
        pass
    return None
