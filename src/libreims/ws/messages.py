"""What is to be sent: from the words of the command line to frames, and who waits for which answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn, TextIO

from libreims.base.errors import LibreImsError

Message = dict[str, Any]
Frame = Message | list[Message]

_is_name = re.compile(r"[a-z][a-z0-9_]*").fullmatch
_IDENTIFIER = "libreims-ws-"


def read_messages(words: Iterable[str], stdin: TextIO) -> list[Frame]:
    """Messages from the command line. Raises LibreImsError.

    A word is JSON (an object, or an array of objects that is sent as one frame), the bare name of a message,
    `@FILE`, or `-` for the standard input; file and input may have several messages one after the other.
    """
    frames: list[Frame] = []
    for word in words:
        if word == "-":
            frames += _values(stdin.read(), "the standard input")
        elif word.startswith("@"):
            frames += _values(_file(word[1:]), word[1:])
        elif _is_name(word):
            frames.append({"message": word})
        else:
            frames += _values(word, "the message")
    return frames


def _file(name: str) -> str:
    try:
        with open(name, encoding="utf-8-sig") as file:
            return file.read()
    except OSError as error:
        raise LibreImsError(f"{name} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise LibreImsError(f"{name} is no UTF-8 text: {error.reason} at byte {error.start}") from error


def _values(text: str, source: str) -> list[Frame]:
    """The JSON values of a text, one after the other."""
    decoder = json.JSONDecoder(parse_constant=_no_constant)
    frames: list[Frame] = []
    at = 0
    while True:
        at = _after_space(text, at)
        if at == len(text):
            break
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            where = f"line {error.lineno} column {error.colno}"
            raise LibreImsError(f"{source} is no JSON: {error.msg} at {where}; keys need quotes") from error
        except RecursionError:
            raise LibreImsError(f"{source} is nested too deeply") from None
        except _NoJson as error:
            raise LibreImsError(f"{source} is no JSON: {error} is no number of it") from error
        frames.append(_checked(value, source))
    if not frames:
        raise LibreImsError(f"{source} is empty: a JSON message is expected")
    return frames


class _NoJson(Exception):
    """NaN or Infinity, which only some programs know."""


def _no_constant(name: str) -> NoReturn:
    raise _NoJson(name)


def _after_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _checked(value: object, source: str) -> Frame:
    """An object or an array of objects: whether the server likes them is for the server to say."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return value
    raise LibreImsError(f"{source}: an object or an array of objects is expected")


class Answers:
    """Which answers are still to come."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        """Messages without `message_id` get one of ours, which nobody gets to see."""
        self.frames: list[Frame] = []
        self._left: dict[str, int] = {}
        self._unread = 0  # frames of which the server says that it cannot read them
        self.failed = False
        """An answer was an error."""
        for frame in frames:
            several = frame if isinstance(frame, list) else [frame]
            marked = [self._expect(message) for message in several]
            self.frames.append(marked if isinstance(frame, list) else marked[0])

    def _expect(self, message: Message) -> Message:
        if message.get("message_id") is None:
            message = {**message, "message_id": f"{_IDENTIFIER}{len(self._left)}"}
        loops = message.get("loop_count")
        repeated = loops if isinstance(loops, int) and not isinstance(loops, bool) and loops > 0 else 0
        key = _key(message["message_id"])
        self._left[key] = self._left.get(key, 0) + 1 + repeated
        return message

    @property
    def left(self) -> int:
        """How many are to come."""
        return max(sum(self._left.values()) - self._unread, 0)

    def take(self, frame: Message) -> Message | None:
        """A frame that came: the answer as it is to be shown, or None where it answers nothing of ours."""
        key = _key(frame.get("message_id"))
        left = self._left.get(key, 0)
        if not left:
            # A server that could not read the message does not know whose answer this is.
            if "error" in frame and frame.get("message_id") is None:
                self.failed = True
                self._unread += 1
            return None
        if "notification" not in frame:
            # A message that is refused is not repeated.
            refused = "error" in frame and "loop_index" not in frame
            self._left[key] = 0 if refused else left - 1
            self.failed = self.failed or "error" in frame
        identifier = frame.get("message_id")
        if isinstance(identifier, str) and identifier.startswith(_IDENTIFIER):
            frame = {name: value for name, value in frame.items() if name != "message_id"}
        return frame


def _key(identifier: object) -> str:
    return json.dumps(identifier, sort_keys=True)
