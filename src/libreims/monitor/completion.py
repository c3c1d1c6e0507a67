"""What may follow what has been typed so far (TAB on a terminal); `terminal` asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final

from libreims.base.log_options import LAYERS, LEVELS, TIME_FORMATS
from libreims.call.control import ACTIONS
from libreims.proto.sdp.offer_answer import KINDS

OFFERED = 200
"""Names of users that are offered at most."""
_LAYER_OPTIONS: Final = ("level", "max_size", "payload", "key", "crypto", "verbose")
_OTHER_LOG_OPTIONS: Final = (
    *(f"time={each}" for each in TIME_FORMATS),
    "time.us=",
    "file=cut",
    "file.rotate=now",
    "file.rotate=",
    "file.path=",
    "append=",
)
_PARAMETERS: Final = (
    "code=",
    "reason=",
    "reason_protocol=",
    "sdp_file=",
    *(f"media={kind}" for kind in KINDS),
    "rtp=",
    "rtcp=",
)


def candidates(
    text: str, commands: Iterable[str], users: Callable[[], Iterable[str]]
) -> tuple[str, list[str]]:
    """The word that is being typed, and what it may become; `users` names those that can be called."""
    words = text.split(" ")
    word = words[-1]
    before = [each for each in words[:-1] if each]
    if not before:
        return word, [each for each in commands if each.startswith(word)]
    if before[0] == "log":
        word = word.rpartition(",")[2]
        return word, [each for each in _log_options(word) if each.startswith(word)]
    found = (each for each in _arguments(before, commands, users) if each.startswith(word))
    return word, list(islice(found, OFFERED))


def _arguments(
    before: list[str], commands: Iterable[str], users: Callable[[], Iterable[str]]
) -> Iterable[str]:
    match before:
        case ["help"]:
            return commands
        case ["cevent"]:
            return ("help",)
        case ["cevent", "help"]:
            return ("msg", "error")
        case ["mt_call" | "sms" | "sms_flush"]:
            return users()
        case ["dialog_set", _]:
            return ACTIONS
        case ["dialog_set", _, _, *_]:
            return _PARAMETERS
    return ()


def _log_options(word: str) -> list[str]:
    layer, dot, rest = word.partition(".")
    if not dot or layer not in (*LAYERS, "all"):
        return [*(f"{each}." for each in ("all", *LAYERS)), *_OTHER_LOG_OPTIONS]
    if rest.startswith("level="):
        return [f"{layer}.level={each}" for each in LEVELS]
    return [f"{layer}.{each}=" for each in _LAYER_OPTIONS]
