"""`base.log_options`: the manual's section 5.2, `log_options`."""

from __future__ import annotations

import pytest

from libreims.base.log_options import (
    DEBUG,
    ERROR,
    INFO,
    LAYERS,
    NONE,
    WARN,
    LogOptions,
    LogOptionsError,
    parse,
)


def test_without_options_refusals_are_logged() -> None:
    options = LogOptions()
    assert set(options.layers) == set(LAYERS)
    assert {layer.level for layer in options.layers.values()} == {WARN}
    assert (options.time, options.time_us, options.append) == ("short", False, False)


@pytest.mark.parametrize(
    ("name", "level"), [("none", NONE), ("error", ERROR), ("warn", WARN), ("info", INFO), ("debug", DEBUG)]
)
def test_levels(name: str, level: int) -> None:
    assert parse(f"sip.level={name}").options.layers["sip"].level == level


def test_assignments_apply_from_left_to_right() -> None:
    options = parse("all.level=error,all.max_size=0,sip.level=debug,sip.max_size=64").options
    assert (options.layers["sip"].level, options.layers["sip"].max_size) == (DEBUG, 64)
    assert (options.layers["rx"].level, options.layers["rx"].max_size) == (ERROR, 0)
    assert parse("sip.level=debug,all.level=error").options.layers["sip"].level == ERROR


@pytest.mark.parametrize("flag", ["payload", "key", "crypto", "verbose"])
def test_flags_of_a_layer(flag: str) -> None:
    layers = parse(f"ipsec.{flag}=1").options.layers
    assert getattr(layers["ipsec"], flag) is True
    assert getattr(layers["sip"], flag) is False
    assert getattr(parse(f"all.{flag}=1,cx.{flag}=0").options.layers["cx"], flag) is False


def test_time_and_file_options() -> None:
    options = parse("time=full,time.us=1,append=1,file.path=/var/log/lte/").options
    assert (options.time, options.time_us, options.append, options.path) == (
        "full",
        True,
        True,
        "/var/log/lte/",
    )


@pytest.mark.parametrize(
    ("value", "size"),
    [("1000", 1000), ("2K", 2048), ("250M", 250 * 1024**2), ("1G", 1024**3), ("3k", 3072), ("0", 0)],
)
def test_rotation_by_size(value: str, size: int) -> None:
    options = parse(f"file.rotate={value}").options
    assert (options.rotate_size, options.rotate_count) == (size, 0)


@pytest.mark.parametrize(("value", "count"), [("#500", 500), ("#10K", 10_000), ("#2M", 2_000_000), ("#0", 0)])
def test_rotation_by_count(value: str, count: int) -> None:
    options = parse(f"file.rotate={value}").options
    assert (options.rotate_size, options.rotate_count) == (0, count)


def test_what_is_done_once_is_no_option() -> None:
    change = parse("file.rotate=now,file=cut")
    assert (change.cut, change.rotate) == (True, True)
    assert change.options == LogOptions()


def test_options_are_changed_on_top_of_those_in_force() -> None:
    before = parse("sip.level=debug,time=full,file.rotate=1M").options
    after = parse("rx.level=info", before).options
    assert after.layers["sip"].level == DEBUG
    assert after.layers["rx"].level == INFO
    assert (after.time, after.rotate_size) == ("full", 1 << 20)
    assert before.layers["rx"].level == WARN


def test_spaces_empty_parts_and_capitals_do_not_matter() -> None:
    assert parse("").options == LogOptions()
    assert parse(" sip.level = DEBUG ,, time=Full, ").options == parse("sip.level=debug,time=full").options


def test_the_text_form_is_read_back() -> None:
    options = parse(
        "all.level=info,sip.level=debug,sip.key=1,ipsec.verbose=1,time=sec,time.us=1,"
        "file.rotate=5K,file.rotate=#7,file.path=/x,append=1"
    ).options
    assert parse(str(options)).options == options


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("sip.level=loud", ("sip.level", "loud", "none, error, warn, info or debug")),
        ("sip.max_size=-1", ("sip.max_size", "-1", "number of bytes")),
        ("sip.max_size=²", ("sip.max_size", "²", "number of bytes")),
        ("sip.key=yes", ("sip.key", "yes", "0 or 1")),
        ("sip.colour=1", ("sip.colour", "'1'", "level, max_size, payload")),
        ("phy.level=info", ("phy.level", "info", "unknown layer 'phy'", "ims, sip, media")),
        ("time=utc", ("time", "utc", "sec, short or full")),
        ("time.us=2", ("time.us", "'2'", "0 or 1")),
        ("append=", ("append", "''", "0 or 1")),
        ("file=rotate", ("file", "rotate", "cut")),
        ("file.rotate=soon", ("file.rotate", "soon", "now", "250M", "#100K")),
        ("file.rotate=5T", ("file.rotate", "5T")),
        ("file.rotate=#", ("file.rotate", "#")),
        ("file.rotate=", ("file.rotate", "''")),
        ("colour=1", ("colour", "'1'", "unknown option")),
        ("debug", ("debug", "name=value")),
    ],
)
def test_errors_name_the_option_the_value_and_what_is_expected(text: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(LogOptionsError) as caught:
        parse(text)
    for part in parts:
        assert part in str(caught.value)


def test_all_errors_are_reported_at_once() -> None:
    with pytest.raises(LogOptionsError) as caught:
        parse("sip.level=loud,time=full,rx.key=2")
    assert len(caught.value.problems) == 2
