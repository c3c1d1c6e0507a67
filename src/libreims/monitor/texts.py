"""Answers of the remote API as text for people (behaviour seen in the field: `users`)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from libreims.base.log_options import LAYERS, LogOptions
from libreims.config.declare import Section, declarations
from libreims.users.subscriber import ImpuEntry

Members = Mapping[str, Any]
_ENVELOPE = frozenset(("message", "message_id", "time", "utc"))


def members(answer: Members) -> str:
    """What an answer has, a line for each member; `OK` where that is nothing."""
    lines = [f"{name}: {value}" for name, value in answer.items() if name not in _ENVELOPE]
    return "\n".join(lines) or "OK"


def users(listed: Sequence[Members]) -> str:
    """Users with their bindings."""
    return "\n".join(_user(each) for each in listed)


def _user(user: Members) -> str:
    lines = [f"IMPI: {user['impi']}"]
    for binding in user["bindings"]:
        lines += _binding(binding)
    if user["sms"]:
        lines.append(f"  Pending SMS: {user['sms']}")
    if user["force_sms_over_sg"]:
        lines.append("  SMS over SGs")
    lines += [f"  In a call with {dialog['remote']}" for dialog in user["dialogs"]]
    return "\n".join(lines)


def _binding(binding: Members) -> list[str]:
    # `sms` tells whether messages wait; it is there where the phone takes SMS over IP at all.
    options = ["sms"] if "sms" in binding else []
    options += [name for name in ("video", "volte", "sos") if binding.get(name)]
    lines = [
        f"  SIP: {binding['uri']}",
        f"    IMEI:    {binding.get('imei', '-')}",
        f"    Prio:    {binding['q']:g}",
        f"    Expires: {binding['expires']}",
        f"    Options: {','.join(options) or '-'}",
        f"    IMPUs:   {', '.join(binding['impu']) or '-'}",
    ]
    return lines + _ipsec(binding["ipsec"]) if "ipsec" in binding else lines


def _ipsec(agreement: Members) -> list[str]:
    sides = [
        f"      {title} port_c={agreement[f'{side}_port_c']} port_s={agreement[f'{side}_port_s']}"
        f" spi_c=0x{agreement[f'{side}_spi_c']:08x} spi_s=0x{agreement[f'{side}_spi_s']:08x}"
        for title, side in (("Local: ", "local"), ("Remote:", "remote"))
    ]
    return [
        "    IPSec:",
        f"      Auth:   {agreement['auth']}",
        f"      Cipher: {agreement['cipher']}",
        *sides,
        f"      Source: {agreement['src']}",
        f"      Dest:   {agreement['dst']}",
    ]


_COLUMNS = ("#", "Session", "Type", "State", "From", "To", "Seconds", "Media")


def dialogs(listed: Sequence[Members]) -> str:
    """A table of dialogs."""
    if not listed:
        return "There is no dialog."
    rows = [_COLUMNS, *(_dialog(index, each) for index, each in enumerate(listed))]
    return table(rows)


def _dialog(index: int, dialog: Members) -> tuple[str, ...]:
    media = ", ".join(
        f"{each['type']} {each['dir']}" + (f" ({each['qos']})" if each["qos"] != "disabled" else "")
        for each in dialog["medias"]
    )
    return (
        str(index),
        dialog["session_id"],
        dialog["type"],
        dialog["state"],
        dialog["from"],
        dialog["to"],
        f"{dialog['duration']:.0f}",
        media,
    )


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they have to be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def counters(messages: Mapping[str, int], errors: Mapping[str, int]) -> str:
    """Events counted so far."""
    lines = []
    for title, counts in (("Messages:", messages), ("Errors:", errors)):
        rows = [(f"  {name}", str(count)) for name, count in sorted(counts.items())]
        lines.append(f"{title}\n{table(rows)}" if rows else f"{title} none")
    return "\n".join(lines)


def echo_numbers(entries: Iterable[ImpuEntry]) -> str:
    """Echo numbers, with the properties that are not as usual."""
    lines = []
    for entry in entries:
        own = _own(entry.settings)
        own.pop("impu", None)
        lines.append(" ".join([entry.key, *(f"{name}={_plain(value)}" for name, value in own.items())]))
    return "\n".join(lines) or "There is no echo number."


def _own(section: Section) -> dict[str, object]:
    """Properties that differ from their defaults."""
    own: dict[str, object] = {}
    for name, declared in declarations(type(section)).items():
        value = getattr(section, declared.field)
        if name == declared.name and value != declared.default:
            own[name] = _inside(value)
    return own


def _inside(value: object) -> object:
    if isinstance(value, tuple):
        return [_inside(each) for each in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _own(value)
    return value


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def log_state(options: LogOptions, filename: str | None) -> str:
    """Log options in force, in the syntax in which they are changed."""
    every = str(options).split(",")
    lines = []
    for layer in LAYERS:
        lines.append(",".join(each for each in every if each.startswith(f"{layer}.")))
    own = tuple(f"{layer}." for layer in LAYERS)
    lines.append(",".join(each for each in every if not each.startswith(own)))
    lines.append(f"Log file: {filename or 'none'}")
    return "\n".join(lines)


def associations(listed: Iterable[Members]) -> str:
    """Security associations; keys are not for a screen."""
    rows = [("Dir", "IP", "SPI", "UE", "Mode", "Source", "Destination", "Tunnel", "Integrity", "Cipher")]
    for each in listed:
        tunnel = f"{each['tun_src']} > {each['tun_dst']}" if "tun_src" in each else "-"
        rows.append(
            (
                str(each["dir"]),
                str(each["type"]),
                f"0x{each['spi']:08x}",
                str(each["ue_id"]),
                str(each["mode"]),
                f"{each['src']}/{each['src_prefix']}",
                f"{each['dst']}/{each['dst_prefix']}",
                tunnel,
                "yes" if each["authent_key"] else "no",
                "yes" if each["cipher_key"] else "no",
            )
        )
    return table(rows) if len(rows) > 1 else "There is no security association."
