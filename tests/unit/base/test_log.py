"""`base.log`: the lines, golden; manual section 9."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from libreims.base.log import Log
from libreims.base.log_options import DEBUG, ERROR, INFO, WARN, LogOptionsError, parse
from support.manual_clock import ManualClock

NOON = 1_700_000_000.123456  # 2023-11-14 22:13:20 UTC
HEAD = (
    "# ims version 1.2.3, LibreIMS\n"
    "# Log file format:\n"
    "# time layer dir id message\n"
    "# Started on 2023-11-14 22:13:20\n"
)


class Lab:
    """A log on a clock that the test moves, with its file."""

    def __init__(self, folder: Path, options: str, **extra: bool) -> None:
        self.path = folder / "ims.log"
        self.now = NOON
        self.clock = ManualClock()
        self.complaints: list[str] = []
        self.log = Log(
            parse(options).options,
            str(self.path),
            utc=lambda: self.now,
            banner="ims version 1.2.3, LibreIMS",
            clock=self.clock,
            local=time.gmtime,
            complain=self.complaints.append,
            **extra,
        )

    @property
    def text(self) -> str:
        self.log.flush()
        return self.path.read_text()

    @property
    def body(self) -> str:
        assert self.text.startswith(HEAD)
        return self.text[len(HEAD) :]


def test_a_file_from_start_to_end(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "all.level=debug,all.max_size=8")
    lab.log.layer("ims").info("user 001010000000001 registered", id=0x2A)
    lab.now += 0.9
    lab.log.layer("sip").message("FROM", 1, "OPTIONS sip:a", b"OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n")
    lab.log.layer("sip").message("TO", 1, "200 OK", None)
    lab.log.layer("cx").message("TO", "127.0.0.1", "Multimedia-Auth-Request", "Session-Id: 1\nResult: 2")
    lab.log.layer("ipsec").message("-", None, "packet", bytes(range(10)))
    lab.log.layer("media").media("FROM", 0x10, "RTP", "audio", "first packet")
    lab.log.layer("ims").warn("user unknown: add it to ue_db")
    lab.now += 60
    lab.log.close()
    assert lab.path.read_text() == HEAD + (
        "22:13:20.123 [IMS] -    002a user 001010000000001 registered\n"
        "22:13:21.023 [SIP] FROM 0001 OPTIONS sip:a\n"
        "        OPTIONS sip:a SIP/2.0\n"
        "        Via: x\n"
        "\n"
        "22:13:21.023 [SIP] TO   0001 200 OK\n"
        "22:13:21.023 [CX] TO   127.0.0.1 Multimedia-Auth-Request\n"
        "        Session-Id: 1\n"
        "        Result: 2\n"
        "\n"
        "22:13:21.023 [IPSEC] -    - packet\n"
        "        0000:  00 01 02 03 04 05 06 07                          ........\n"
        "        ... 10 bytes\n"
        "\n"
        "22:13:21.023 [MEDIA] 0010 FROM RTP/audio first packet\n"
        "22:13:21.023 [IMS] -    - user unknown: add it to ue_db\n"
        "# Ended on 2023-11-14 22:14:21\n"
    )


@pytest.mark.parametrize(
    ("options", "stamp"),
    [
        ("time=short", "22:13:20.123"),
        ("time=sec", "1700000000.123"),
        ("time=full", "2023-11-14 22:13:20.123"),
        ("time.us=1", "22:13:20.123456"),
        ("time=sec,time.us=1", "1700000000.123456"),
        ("time=full,time.us=1", "2023-11-14 22:13:20.123456"),
    ],
)
def test_time_formats(tmp_path: Path, options: str, stamp: str) -> None:
    lab = Lab(tmp_path, options)
    lab.log.layer("ims").warn("x")
    assert lab.body == f"{stamp} [IMS] -    - x\n"


def test_a_time_format_changed_within_a_second_holds_at_once(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "")
    lab.log.layer("ims").warn("x")
    lab.log.configure("time=sec")
    lab.log.layer("ims").warn("y")
    assert lab.body == "22:13:20.123 [IMS] -    - x\n1700000000.123 [IMS] -    - y\n"


@pytest.mark.parametrize(
    ("level", "taken"), [("none", 0), ("error", 1), ("warn", 2), ("info", 3), ("debug", 4)]
)
def test_levels_let_through_themselves_and_what_is_graver(tmp_path: Path, level: str, taken: int) -> None:
    lab = Lab(tmp_path, f"sip.level={level}")
    sip = lab.log.layer("sip")
    for write in (sip.error, sip.warn, sip.info, sip.debug):
        write("x")
    assert lab.body.count("\n") == taken
    assert [sip.enabled(each) for each in (ERROR, WARN, INFO, DEBUG)] == [
        taken > position for position in range(4)
    ]
    assert (sip.info_on, sip.debug_on) == (taken >= 3, taken == 4)


def test_content_only_in_debug_and_never_with_max_size_0(tmp_path: Path) -> None:
    data = b"OPTIONS sip:a SIP/2.0\r\n\r\n"
    lab = Lab(tmp_path, "sip.level=info")
    lab.log.layer("sip").message("FROM", 1, "OPTIONS", data)
    lab.log.configure("sip.level=debug,sip.max_size=0")
    lab.log.layer("sip").message("FROM", 1, "OPTIONS", data)
    assert "SIP/2.0" not in lab.body
    lab.log.configure("sip.max_size=1")
    lab.log.layer("sip").message("FROM", 1, "OPTIONS", data)
    assert "        OPTIONS sip:a SIP/2.0\n\n" in lab.body


def test_payload_below_text_only_when_asked_for(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "cx.level=debug")
    lab.log.layer("cx").message("TO", "::1", "MAR", "User: a", payload=b"\x01\x02")
    assert "01 02" not in lab.body
    lab.log.configure("cx.payload=1")
    lab.log.layer("cx").message("TO", "::1", "MAR", "User: a", payload=b"\x01\x02")
    assert lab.body.endswith(
        "        User: a\n        0000:  01 02                                            ..\n\n"
    )


def test_keys_are_hidden_unless_wanted(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "ipsec.level=debug")
    ipsec = lab.log.layer("ipsec")
    assert ipsec.secret(b"\xaa\xbb") == "<2 bytes hidden>"
    lab.log.configure("ipsec.key=1")
    assert ipsec.secret(b"\xaa\xbb") == "aabb"
    assert lab.log.layer("sip").secret(b"\xaa\xbb") == "<2 bytes hidden>"


def test_a_message_stays_one_line_whatever_is_in_it(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "")
    lab.log.layer("ims").warn("bad user a\r\n22:13:20.123 [IMS] -    - forged \x1b[2J \udcff é")
    assert lab.body == (
        "22:13:20.123 [IMS] -    - bad user a\\r\\n22:13:20.123 [IMS] -    - forged \\x1b[2J \\udcff é\n"
    )


def test_a_fault_of_the_program_comes_with_its_traceback(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "")
    try:
        {}["missing"]
    except KeyError as error:
        lab.log.layer("ims").exception("call 5 ended", error)
    assert lab.body.startswith("22:13:20.123 [IMS] -    - call 5 ended: KeyError: 'missing'\n")
    assert "\n        Traceback (most recent call last):\n" in lab.body
    assert lab.body.endswith("\n\n")


def test_lines_are_written_within_a_second(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "all.level=info")
    lab.log.layer("ims").info("x")
    assert lab.path.read_text() == HEAD
    lab.clock.advance(1.0)
    assert lab.path.read_text().endswith(" x\n")
    assert lab.clock.waiting == 0


def test_an_error_and_everything_before_it_is_written_at_once(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "all.level=info")
    lab.log.layer("ims").info("before")
    lab.log.layer("ims").error("broken")
    assert lab.path.read_text().endswith(" before\n22:13:20.123 [IMS] -    - broken\n")


def test_with_log_sync_every_line_is_written_at_once(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "all.level=info", sync=True)
    lab.log.layer("ims").info("x")
    assert lab.path.read_text().endswith(" x\n")


def test_a_flood_does_not_wait_for_the_timer(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "all.level=info")
    for _ in range(2000):
        lab.log.layer("ims").info("x" * 100)
    assert lab.path.stat().st_size > 200_000


def test_a_clock_may_come_later(tmp_path: Path) -> None:
    path, clock = tmp_path / "ims.log", ManualClock()
    log = Log(path=str(path), utc=lambda: NOON)
    log.layer("ims").warn("before the loop runs")
    log.run_on(clock)
    clock.advance(1)
    assert "before the loop runs" in path.read_text()


def test_wrong_options_change_nothing(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "sip.level=info")
    with pytest.raises(LogOptionsError):
        lab.log.configure("sip.level=debug,time=never")
    assert not lab.log.layer("sip").debug_on


def test_after_the_end_only_the_ring_is_written(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "")
    lab.log.close()
    lab.log.layer("ims").error("too late")
    assert "too late" not in lab.path.read_text()
    assert lab.log.ring.total == 1


def test_the_head_is_at_hand_for_the_remote_api(tmp_path: Path) -> None:
    assert "".join(f"{line}\n" for line in Lab(tmp_path, "").log.head) == HEAD
    assert Log(utc=lambda: 0.0, banner="ims version 7").head[0] == "# ims version 7"


def test_the_null_log_takes_nothing() -> None:
    log = Log.null()
    sip = log.layer("sip")
    sip.error("x")
    sip.message("FROM", 1, "x", b"x")
    assert log.ring.total == 0


def test_a_layer_is_the_same_object_every_time_and_unknown_ones_do_not_exist() -> None:
    log = Log.null()
    assert log.layer("sip") is log.layer("sip")
    with pytest.raises(KeyError):
        log.layer("phy")
