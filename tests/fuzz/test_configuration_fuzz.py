"""Any text is a configuration tree or a list of errors, never another exception, and soon."""

from __future__ import annotations

import json
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from libreims.config import surface
from libreims.config.declare import declarations
from libreims.config.load import loads
from libreims.config.schema import ImpuSettings, Settings, SipAddr, UserSettings
from libreims.config.source import ConfigErrors
from libreims.config.store import ConfigStore
from libreims.config.tree import plain
from support.config_text import read

WORDS = st.sampled_from(
    [
        *"{}[](),:+-*/!<>\"'`#\\",
        "\n",
        " ",
        "&&",
        "||",
        "==",
        "${",
        "/*",
        "*/",
        "//",
        "#define A ",
        "#undef A\n",
        "#if ",
        "#elif 1\n",
        "#else\n",
        "#endif\n",
        "#ifdef A\n",
        '#include "f1.cfg"\n',
        'include "f2.cfg",',
        "A",
        "a: ",
        "b: 1,\n",
        '"s"',
        "0x1F",
        "1e308",
        "I",
        "true",
        "null",
        "defined(",
        "ue_db: [",
        "{ impu: [",
        'imsi: "001010000000001",',
        "sip_addr: ",
        "echo: ",
        "\ufffd",
        "\x00",
        "é",
    ]
)
TEXTS = st.lists(WORDS, max_size=80).map("".join) | st.text(max_size=200)


@settings(max_examples=600, deadline=None)
@given(TEXTS, TEXTS, TEXTS)
def test_any_text_gives_a_tree_or_errors(text: str, first: str, second: str) -> None:
    tree, problems, _ = read(text, f1=first, f2=second)
    assert isinstance(tree, dict)
    assert len(problems) <= 52


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_any_text_gives_settings_or_configuration_errors(text: str) -> None:
    try:
        loads(text)
    except ConfigErrors as problems:
        assert problems.errors
        assert str(problems)


def _spent(text: str) -> float:
    begin = time.process_time()
    read(text, f1='#include "f1.cfg"\n', f2=text)
    return time.process_time() - begin


def test_texts_made_to_be_slow_are_not() -> None:
    """Each is 100 kB or grows without bound when expanded; the limit leaves room for a loaded machine."""
    size = 100_000
    nasty = {
        "open brackets": "a: " + "[" * size,
        "open braces": "a: " + "{a:" * (size // 3),
        "parentheses and operators": "a: " + "1||1&&1==1<1+1*(" * (size // 16),
        "comment openings": "/*" * (size // 2),
        "comment openings left out": "#if 0\n" + "/*" * (size // 2),
        "quotes": '"' * size,
        "escaped quotes left out": "#if 0\n" + '"' + '\\"' * (size // 2),
        "backquotes": "a: " + "`${" * (size // 3),
        "minus signs": "a: " + "-" * size,
        "plus chain": "a: 1" + "+1" * (size // 2),
        "conditions": "#if 1\n" * (size // 6),
        "commas": "," * size,
        "colons": "a:" * (size // 2),
        "blank lines": "\n" * size,
        "half a number": "a: " + "9" * size,
        "doubling strings": '#define A "0123456789"\n' + "#define A A+A\n" * 1000 + "a: A",
        "doubling arrays": "#define A [1]\n" + "#define A [A, A]\n" * 1000 + "a: A",
        "deepening arrays": "#define A 1\n" + "#define A [A]\n" * 3000 + "a: A",
        "squaring numbers": "#define A 3\n" + "#define A A*A\n" * 1000 + "a: A",
        "includes": 'include "f1.cfg",\n' * 3000,
        "errors": "a b, " * (size // 5),
    }
    slow = {name: spent for name, text in nasty.items() if (spent := _spent(text)) > 5.0}
    assert not slow


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.text(st.characters(codec="utf-8"), max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text("abc_9", max_size=4), inner, max_size=4)
        ),
        max_leaves=20,
    )
)
def test_every_json_object_means_what_it_says(value: object) -> None:
    text = json.dumps({"x": value})
    tree, problems, _ = read(text)
    assert problems == []
    assert tree == {"x": value}
    assert plain(tree) == tree


NAMES = sorted(
    {name for section in (Settings, UserSettings, ImpuSettings, SipAddr) for name in declarations(section)}
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 100_000)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        ["", "on", "sip:a", "http:x", "10.0.0.1:5060", "[::1]", "001010000000001", "00" * 16, "milenage"]
    )
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6))
def test_any_values_give_settings_or_errors_with_a_path(values: dict[str, object]) -> None:
    try:
        loaded = loads(json.dumps(values))
    except ConfigErrors as problems:
        for error in problems.errors:
            assert error.message.split(":")[0].split(".")[0].split("[")[0] in declarations(Settings)
    else:
        assert all(user.imsi or user.nai or user.impi for user in loaded.settings.ue_db)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*surface.CONFIG_SET, "domain"]), VALUES, max_size=4))
def test_any_run_time_change_is_made_or_refused_as_a_whole(changes: dict[str, object]) -> None:
    store = ConfigStore(Settings())
    try:
        store.update(changes)
    except ConfigErrors:
        assert store.current == Settings()
    else:
        assert set(changes) <= set(surface.CONFIG_SET) - {"logs"}
