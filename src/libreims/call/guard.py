"""What comes into a leg from below, responses and timers, ends at worst its call, never the server.

The session catches what its own events raise; what a leg raises before there is an event (media ports ran
out for an answer, SDP that cannot be read) arrives here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

Args = ParamSpec("Args")


def guarded(
    method: Callable[Concatenate[Any, Args], None],
) -> Callable[Concatenate[Any, Args], None]:
    """Turn anything that an entry point raises into the end of its call.

    For methods of a leg and of the procedures in it, which have it as `leg`; its `failed` ends the call.
    """

    @wraps(method)
    def entry(part: Any, *args: Args.args, **kwargs: Args.kwargs) -> None:
        try:
            method(part, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - logged with its traceback there; the server lives
            part.leg.failed(error)

    return cast(Callable[Concatenate[Any, Args], None], entry)
