"""Lines from a terminal that can move its cursor: history, completion with TAB, output above the prompt.

prompt_toolkit does that; it is loaded only here.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.shortcuts import CompleteStyle

from libreims.monitor.lines import PROMPT
from libreims.monitor.output import Output, writer_of

HISTORY: Final = ".libreims_history"
"""File in the home directory."""

Complete = Callable[[str], tuple[str, list[str]]]


class TerminalConsole:
    """A prompt at the bottom of the terminal."""

    def __init__(self, complete: Complete) -> None:
        output = Vt100_Output.from_pty(sys.stdout, term=os.environ.get("TERM"))
        # Nobody answers where the cursor is in a screen that is detached.
        output.enable_cpr = False
        self._session: PromptSession[str] = PromptSession(
            # With a colour, if only the usual one, its last space is written too: scripts wait for it.
            [("ansidefault", PROMPT)],
            output=output,
            history=_history(),
            completer=_Completer(complete),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            key_bindings=_bindings(),
        )
        self._output = Output(writer_of(sys.stdout))
        self._above = contextlib.ExitStack()
        self._above.enter_context(patch_stdout(raw=True))

    async def read(self) -> str | None:
        """The next line; None when the terminal has gone."""
        while True:
            try:
                return await self._session.prompt_async(set_exception_handler=False, handle_sigint=False)
            except EOFError:
                if self._session.app.input.closed:
                    return None
                await self.write("Type quit to end the program.")
            except KeyboardInterrupt:
                return "quit"
            except OSError:
                return None

    async def write(self, text: str) -> None:
        """Show the outcome of a command, where no prompt is."""
        await self._output.written(f"{text}\n")

    def notice(self, text: str) -> None:
        """Say something unasked, above the prompt."""
        print(text)

    def close(self) -> None:
        """Give the terminal back; what is left is written."""
        self._above.close()
        self._output.close()


class _Completer(Completer):
    def __init__(self, complete: Complete) -> None:
        self._complete = complete

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """What may be typed at the cursor."""
        word, found = self._complete(document.text_before_cursor)
        return (Completion(each, start_position=-len(word)) for each in found)


def _bindings() -> KeyBindings:
    """Ctrl-C takes a line back, and ends the program where there is none."""
    bindings = KeyBindings()

    @bindings.add("c-c")
    def _(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt())

    return bindings


def _history() -> History:
    """Lines of earlier runs, where there is a home directory to keep them."""
    home = os.environ.get("HOME")
    path = Path(home, HISTORY) if home else None
    if path is not None:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            return _KeptHistory(path)
        except OSError:
            pass  # no place for it: lines are kept as long as the program runs
    return InMemoryHistory()


class _KeptHistory(FileHistory):
    def store_string(self, string: str) -> None:
        """A disk that is full costs the history, not the monitor."""
        with contextlib.suppress(OSError):
            super().store_string(string)
