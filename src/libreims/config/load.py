"""From a file name to settings: read, parse, merge, check; every problem of the files at once."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from libreims.config.declare import Reader
from libreims.config.preprocessor import ReadText
from libreims.config.schema import Settings
from libreims.config.source import ConfigErrors, ConfigWarning, Diagnosis
from libreims.config.syntax import Parser
from libreims.config.tree import Obj

__all__ = ["ConfigErrors", "Loaded", "load", "loads", "parse", "read_text"]

SIZE_LIMIT = 1 << 28
"""Bytes of one file; more is a mistake, a device for example."""

_SHORT_MNC = re.compile(r"ims\.mnc(\d\d)\.mcc(\d{3})\.3gppnetwork\.org")
"""A home domain made without the leading zero of TS 23.003 §13.2."""


Doubt = Callable[[Settings, Obj, Diagnosis], None]
"""Warns of values that are allowed but hardly meant."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that can be used."""

    settings: Settings
    warnings: tuple[ConfigWarning, ...]
    tree: Obj
    """The files, evaluated and merged; large, keep it no longer than needed."""


def read_text(path: str) -> str:
    """The text of a file, line ends unified; bytes that are no UTF-8 are taken as Latin-1."""
    with open(path, "rb") as file:
        data = file.read(SIZE_LIMIT + 1)
    if len(data) > SIZE_LIMIT:
        raise ValueError(f"more than {SIZE_LIMIT} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return unify_line_ends(text)


def unify_line_ends(text: str) -> str:
    """CRLF and CR become LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def load(path: str, doubt: Doubt | None = None) -> Loaded:
    """Read a configuration file with what it includes; raises ConfigErrors.

    `doubt` warns of what only other parts of the program know.
    """
    diagnosis = Diagnosis()
    with _without_collector():
        tree = parse(path, diagnosis)
        settings = _typed(tree, diagnosis, os.path.dirname(path))
        if doubt is not None:
            doubt(settings, tree, diagnosis)
    return Loaded(settings, tuple(diagnosis.warnings), tree)


def loads(text: str, directory: str = "", name: str = "ims.cfg") -> Loaded:
    """The same for a text; file names in it are relative to `directory`. Raises ConfigErrors."""
    path = os.path.join(directory, name)
    text = unify_line_ends(text)
    diagnosis = Diagnosis()
    tree = parse(path, diagnosis, lambda wanted: text if wanted == path else read_text(wanted))
    settings = _typed(tree, diagnosis, directory)
    return Loaded(settings, tuple(diagnosis.warnings), tree)


def parse(path: str, diagnosis: Diagnosis, read: ReadText = read_text) -> Obj:
    """The evaluated and merged tree of a file; problems go to the diagnosis."""
    return Parser(diagnosis, read).parse(path)


def _typed(tree: Obj, diagnosis: Diagnosis, directory: str) -> Settings:
    if diagnosis.errors:
        # What follows an error of syntax is not what was meant: checking it would mislead.
        diagnosis.check()
    reader = Reader(diagnosis, directory)
    settings = reader.section(Settings, tree, "")
    if "domain" not in tree:
        diagnosis.warn(None, f"domain is not set: '{settings.domain}' is used")
    reader.flush()
    diagnosis.check()
    _doubt(settings, tree, diagnosis)
    return settings


def _doubt(settings: Settings, tree: Obj, diagnosis: Diagnosis) -> None:
    """Warn of values that are allowed but hardly meant."""
    for socket in settings.sip_addr:
        host = socket.addr[0]
        if host in ("0.0.0.0", "::"):
            diagnosis.warn(
                tree.marks["sip_addr"],
                f"sip_addr: phones are told to answer to {host}, which reaches nobody: put the address of "
                f'the network interface there, and bind_addr: "{host}" to listen on all',
            )
    short = _SHORT_MNC.fullmatch(settings.domain)
    if short is not None:
        diagnosis.warn(
            tree.marks["domain"],
            f"domain: phones with a SIM ask for ims.mnc0{short[1]}.mcc{short[2]}.3gppnetwork.org: "
            "the MNC in a domain has three digits",
        )


@contextmanager
def _without_collector() -> Iterator[None]:
    """A large tree has no cycles but would be walked over and over by the cyclic collector."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
