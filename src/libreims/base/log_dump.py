"""How the data of a message looks below its log line: indented by 8 spaces, an empty line at the end."""

from __future__ import annotations

INDENT = "        "
_BREAK = "\n" + INDENT
_ROW = 16
_CONTROLS = bytes(octet for octet in range(32) if octet not in b"\t\r\n") + b"\x7f"
_UNUSUAL = _CONTROLS + b"\t"


def escape(text: str) -> str:
    """`text` with everything that is not printable written as an escape, so that it stays one line."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode("ascii")
        for char in text
    )


def text_dump(text: str) -> str:
    """Text such as SIP or SDP, line by line; control characters are shown as escapes."""
    lines = text.splitlines()
    if not "".join(lines).isprintable():
        lines = [line if line.isprintable() else escape(line.replace("\t", "    ")) for line in lines]
    return f"{INDENT}{_BREAK.join(lines)}\n\n"


def hex_dump(data: bytes, max_size: int) -> str:
    """At most `max_size` octets as rows of offset, hexadecimal values and ASCII."""
    rows = []
    shown = data[:max_size]
    for offset in range(0, len(shown), _ROW):
        row = shown[offset : offset + _ROW]
        text = "".join(chr(octet) if 0x20 <= octet < 0x7F else "." for octet in row)
        rows.append(f"{INDENT}{offset:04x}:  {row.hex(' '):<{_ROW * 3 - 1}}  {text}\n")
    if len(data) > len(shown):
        rows.append(f"{INDENT}... {len(data)} bytes\n")
    return "".join(rows)


def message_dump(data: bytes, max_size: int) -> str:
    """A SIP message from the wire: header and text bodies as text, a binary body (SMS) in hexadecimal."""
    if data.isascii() and len(data.translate(None, _UNUSUAL)) == len(data):
        # The usual case, worth its own line: three times as fast as looking at every character.
        return f"{INDENT}{_BREAK.join(data.decode('ascii').rstrip().splitlines())}\n\n"
    head, separator, body = data.partition(b"\r\n\r\n")
    if not body or _is_text(body):
        return text_dump(data.decode("utf-8", "backslashreplace"))
    text = (head + separator).decode("utf-8", "backslashreplace")
    return f"{text_dump(text)[:-1]}{hex_dump(body, max_size)}\n"


def _is_text(body: bytes) -> bool:
    """Whether `body` is UTF-8 without control characters other than line ends and tabs."""
    if len(body.translate(None, _CONTROLS)) != len(body):
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
