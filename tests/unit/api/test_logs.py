"""`api.logs` and `api.log_feed`: `log_get`, `log_set`, `log_reset` (manual §6.5)."""

import asyncio
from typing import Any

from libreims.api.client import Client, Frame
from libreims.api.wire import encode
from libreims.base.log import Log
from support.api import ask, error
from support.lab import CONFIG, EPOCH, Lab, play

QUIET = CONFIG.replace("all.level=debug,all.max_size=1", "all.level=debug,all.max_size=1,com.level=none")


class Reader:
    """A client that asks for logs and keeps the answers."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.client = Client("reader")
        self.got: list[tuple[float, Frame]] = []

    def ask(self, **members: Any) -> None:
        message = {"message": "log_get", **members}
        self.lab.server.api.dispatcher.submit(self.client, message, self._answered)

    def _answered(self, frame: Frame) -> None:
        self.got.append((self.lab.loop.time(), frame))

    @property
    def texts(self) -> list[list[str]]:
        return [[entry["data"][0] for entry in frame["logs"]] for _, frame in self.got]


def ims(lab: Lab, *texts: str) -> None:
    for text in texts:
        lab.log.layer("ims").info(text, id=7)


def test_an_entry_has_the_members_of_the_manual() -> None:
    async def scenario(lab: Lab) -> None:
        lab.log.ring.clear()
        await asyncio.sleep(1.5)
        lab.log.layer("sip").message("FROM", 18, "head", "one\ntwo\n")
        lab.log.layer("ims").warn("plain")
        response = await ask(lab, "log_get")
        first = lab.log.ring.total - 2
        assert response["logs"] == [
            {
                "data": ["head", "one", "two"],
                "timestamp": int((EPOCH + 1.5) * 1000),
                "layer": "SIP",
                "level": "info",
                "dir": "FROM",
                "ue_id": 18,
                "src": "IMS",
                "idx": first,
            },
            {
                "data": ["plain"],
                "timestamp": int((EPOCH + 1.5) * 1000),
                "layer": "IMS",
                "level": "warn",
                "src": "IMS",
                "idx": first + 1,
            },
        ]
        assert "headers" not in response
        assert "discontinuity" not in response
        assert "microseconds" not in response

    play(scenario, QUIET)


def test_microseconds_where_they_are_configured() -> None:
    async def scenario(lab: Lab) -> None:
        await asyncio.sleep(0.25)
        ims(lab, "a")
        response = await ask(lab, "log_get", headers=True)
        assert response["microseconds"] is True
        assert response["logs"][-1]["timestamp_us"] == int((EPOCH + 0.25) * 1_000_000)
        assert "timestamp" not in response["logs"][-1]
        assert response["headers"][0].startswith("# ims version")

    play(scenario, QUIET + "com_log_us: true,")


def test_what_a_client_has_had_does_not_come_again_and_each_has_a_place_of_its_own() -> None:
    async def scenario(lab: Lab) -> None:
        lab.log.ring.clear()
        one, two = Reader(lab), Reader(lab)
        ims(lab, "a", "b")
        one.ask(max=1)
        one.ask()
        two.ask()
        assert one.texts == [["a"], ["b"]]
        assert two.texts == [["a", "b"]]
        one.ask()
        await asyncio.sleep(100)
        assert len(one.got) == 2
        ims(lab, "c")
        await asyncio.sleep(1)
        assert one.texts[2:] == [["c"]]

    play(scenario, QUIET)


def test_min_is_waited_for_unless_nothing_comes_for_a_while() -> None:
    async def scenario(lab: Lab) -> None:
        lab.log.ring.clear()
        reader = Reader(lab)
        reader.ask(min=3, timeout=2)
        await asyncio.sleep(10)
        assert not reader.got  # nothing at all: nothing to answer
        ims(lab, "a")
        await asyncio.sleep(1.5)
        ims(lab, "b")
        await asyncio.sleep(1.5)
        assert not reader.got
        ims(lab, "c")
        await asyncio.sleep(0.1)
        assert reader.texts == [["a", "b", "c"]]
        reader.ask(min=3, timeout=2)
        ims(lab, "d")
        await asyncio.sleep(5)
        assert reader.texts[1:] == [["d"]]
        assert 15.0 < reader.got[1][0] < 15.5

    play(scenario, QUIET)


def test_an_empty_answer_is_for_those_who_allow_it() -> None:
    async def scenario(lab: Lab) -> None:
        lab.log.ring.clear()
        reader = Reader(lab)
        reader.ask(allow_empty=True, timeout=3, min=100)
        await asyncio.sleep(5)
        assert reader.texts == [[]]
        assert reader.got[0][0] == 3.0
        reader.ask(min=0)
        assert reader.texts == [[], []]

    play(scenario, QUIET)


def test_the_next_request_ends_the_one_before_it() -> None:
    async def scenario(lab: Lab) -> None:
        lab.log.ring.clear()
        reader = Reader(lab)
        reader.ask(min=10, message_id=1)
        ims(lab, "a")
        await asyncio.sleep(0.1)
        reader.ask(min=10, message_id=2)
        reader.ask(min=1, message_id=3)
        ims(lab, "b")
        await asyncio.sleep(0.1)
        assert [frame["message_id"] for _, frame in reader.got] == [1, 2, 3]
        assert reader.texts == [["a"], [], ["b"]]
        assert len(lab.server.api.dispatcher.schedule) == 0

    play(scenario, QUIET)


def test_filters() -> None:
    async def scenario(lab: Lab) -> None:
        lab.log.ring.clear()
        await asyncio.sleep(1)
        lab.log.layer("ims").info("one", id=1)
        await asyncio.sleep(1)
        lab.log.layer("ims").warn("two", id=2)
        lab.log.layer("sip").error("three\nthree", id=2)
        await asyncio.sleep(1)
        lab.log.layer("media").debug("four")

        async def texts(**members: Any) -> list[str]:
            response = await ask(lab, "log_get", allow_empty=True, **members)
            return [entry["data"][0] for entry in response["logs"]]

        assert await texts() == ["one", "two", "three\\nthree", "four"]
        assert await texts(ue_id=2) == ["two", "three\\nthree"]
        assert await texts(rnti=2) == []
        assert await texts(layers={"IMS": "debug", "PHY": "debug"}) == ["one", "two"]
        assert await texts(layers={"ims": "warn", "media": "info"}) == ["two"]
        assert await texts(layers={"ims": "none"}) == []
        assert await texts(layers={}) == []
        at = int((EPOCH + 2) * 1000)
        assert await texts(start_timestamp=at) == ["two", "three\\nthree", "four"]
        assert await texts(end_timestamp=at) == ["one", "two", "three\\nthree"]
        assert await texts(start_timestamp=at, end_timestamp=at) == ["two", "three\\nthree"]
        assert await texts(start_timestamp=at + 1) == ["four"]
        assert await texts(end_timestamp=at - 1) == ["one"]
        assert await texts(end_timestamp=5) == []

    play(scenario, QUIET)


def test_what_lies_beyond_the_end_of_the_window_is_left_for_the_next_request() -> None:
    async def scenario(lab: Lab) -> None:
        lab.log.ring.clear()
        reader = Reader(lab)
        ims(lab, "a")
        await asyncio.sleep(1)
        ims(lab, "b")
        reader.ask(end_timestamp=int(EPOCH * 1000), min=5)
        reader.ask()
        assert reader.texts == [["a"], ["b"]]

    play(scenario, QUIET)


def test_short_is_the_first_line_only_and_does_not_spoil_the_others() -> None:
    async def scenario(lab: Lab) -> None:
        lab.log.ring.clear()
        lab.log.layer("sip").message("TO", 1, "head", "one\n")
        assert (await ask(lab, "log_get"))["logs"][0]["data"] == ["head", "one"]
        assert (await ask(lab, "log_get", short=True))["logs"][0]["data"] == ["head"]
        assert (await ask(lab, "log_get"))["logs"][0]["data"] == ["head", "one"]

    play(scenario, QUIET)


def test_max_size_is_kept_and_a_single_entry_always_comes() -> None:
    async def scenario(lab: Lab) -> None:
        lab.log.ring.clear()
        reader = Reader(lab)
        ims(lab, *(f'"{"é" * 300}{number}' for number in range(50)), "x" * 20_000, "last")
        while sum(map(len, reader.texts)) < 52:
            reader.ask(max_size=10_000, min=1000)
        assert reader.texts[-1] == ["last"]
        sizes = [len(encode(frame)) for _, frame in reader.got]
        assert sum(size > 10_000 for size in sizes) == 1
        assert max(sizes) > 20_000
        assert sorted(sizes)[-2] > 7_000

    play(scenario, QUIET)


def test_entries_that_were_overwritten_are_told() -> None:
    async def scenario(lab: Lab) -> None:
        small = Log(utc=lab.utc, count=10)
        lab.log.ring = small.ring
        reader = Reader(lab)
        ims(lab, *"abc")
        reader.ask()
        ims(lab, *"0123456789ABCDE")
        reader.ask()
        assert reader.got[1][1]["discontinuity"] == 5
        assert reader.texts[1] == list("56789ABCDE")
        ims(lab, "x")
        await ask(lab, "log_reset")
        ims(lab, "y")
        reader.ask()
        assert reader.texts[2] == ["y"]
        assert "discontinuity" not in reader.got[2][1]

    play(scenario, QUIET)


def test_a_long_history_is_read_in_pieces_and_in_order() -> None:
    async def scenario(lab: Lab) -> None:
        lab.log.ring.clear()
        ims(lab, *map(str, range(8000)))
        reader = Reader(lab)
        reader.ask(min=7500, max=100_000, max_size=1 << 30)
        await asyncio.sleep(1)
        assert reader.texts == [list(map(str, range(8000)))]

    play(scenario, QUIET)


def test_whoever_only_reads_the_log_does_not_write_to_it() -> None:
    async def scenario(lab: Lab) -> None:
        reader = Reader(lab)
        reader.ask(unknown=1)
        await asyncio.sleep(5)
        total = lab.log.ring.total
        for _ in range(5):
            reader.ask(unknown=1)
            await asyncio.sleep(5)
        assert lab.log.ring.total == total
        assert len(reader.got) == 5  # the sixth still waits

    play(scenario)


def test_a_client_that_goes_leaves_nothing() -> None:
    async def scenario(lab: Lab) -> None:
        reader = Reader(lab)
        reader.ask(min=1000, timeout=1000)
        lab.server.api.dispatcher.leave(reader.client)
        assert len(lab.server.api.dispatcher.schedule) == 0
        assert lab.log.ring.wake is None
        assert not reader.got

    play(scenario, QUIET)


def test_entries_of_clients() -> None:
    async def scenario(lab: Lab) -> None:
        lab.log.ring.clear()
        await ask(lab, "log_set", log="hello\nworld", layer="IMS", level="warn", dir="UL", ue_id=5)
        await ask(lab, "log_set", log="plain", layer="sip", level="debug")
        entries = (await ask(lab, "log_get"))["logs"]
        assert entries[0]["data"] == ["hello", "world"]
        assert (entries[0]["dir"], entries[0]["ue_id"], entries[0]["level"]) == ("UL", 5, "warn")
        assert "dir" not in entries[1]
        lab.log.configure("ims.level=error")
        await ask(lab, "log_set", log="too low", layer="ims", level="warn")
        assert "too low" not in lab.log_text()
        assert "level: string expected because log is set" in await error(
            lab, "log_set", log="a", layer="ims"
        )
        assert "layer: string expected" in await error(lab, "log_set", log="a")
        assert "layer: " in await error(lab, "log_set", log="a", layer="phy", level="info")
        assert "level: " in await error(lab, "log_set", log="a", layer="ims", level="none")
        assert "dir: " in await error(lab, "log_set", log="a", layer="ims", level="info", dir="up")
        assert "log: " in await error(lab, "log_set", log="a" * 100_000, layer="ims", level="info")

    play(scenario, QUIET)


def test_without_a_file_there_is_nothing_to_rotate_or_cut() -> None:
    async def scenario(lab: Lab) -> None:
        for name in ("rotate", "cut"):
            assert await error(lab, "log_set", **{name: True}) == (
                f"{name}: there is no log file, log_filename is not set"
            )
        assert "error" not in await ask(lab, "log_set", flush=True, rotate=False)

    play(scenario)


def test_the_file_is_flushed_rotated_and_cut(tmp_path: Any) -> None:
    async def scenario(lab: Lab) -> None:
        path = tmp_path / "ims.log"
        log = Log(lab.log.options, str(path), utc=lab.utc, banner="ims version 7")
        lab.log._file = log._file
        ims(lab, "first")
        assert "first" not in path.read_text()
        await ask(lab, "log_set", flush=True)
        assert "first" in path.read_text()
        await ask(lab, "log_set", rotate=True)
        assert "first" not in path.read_text()
        assert len(list(tmp_path.iterdir())) == 2
        ims(lab, "second")
        await ask(lab, "log_set", flush=True, log="third", layer="ims", level="info")
        assert "third" in path.read_text()
        await ask(lab, "log_set", cut=True)
        assert "second" not in path.read_text()
        assert "first" in "".join(each.read_text() for each in tmp_path.iterdir())

    play(scenario, QUIET)


def test_wrong_parameters_are_named() -> None:
    async def scenario(lab: Lab) -> None:
        for name, value in (
            ("min", -1),
            ("max", 0),
            ("timeout", "soon"),
            ("allow_empty", "yes"),
            ("rnti", "a"),
            ("ue_id", 1.5),
            ("layers", ["sip"]),
            ("layers", {"sip": "loud"}),
            ("layers", {"sip": 3}),
            ("short", "no"),
            ("start_timestamp", "now"),
            ("max_size", 0),
        ):
            assert (await error(lab, "log_get", **{name: value})).startswith(f"{name}: ")

    play(scenario, QUIET)
