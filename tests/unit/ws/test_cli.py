"""The command line of the client: arguments, output, exit status."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from libreims.ws.cli import main
from support.ws_server import WsServer, ws_server


class Running:
    """A server in a thread of its own, because the program has a loop of its own."""

    def __init__(self, password: str | None = None) -> None:
        self.server = WsServer(password)
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._thread.start()
        assert self._ready.wait(10)

    async def _serve(self) -> None:
        async with ws_server(self.server):
            self._ready.set()
            await self._end.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def server() -> Iterator[WsServer]:
    running = Running()
    yield running.server
    running.close()


@pytest.fixture
def locked() -> Iterator[WsServer]:
    running = Running("secret")
    yield running.server
    running.close()


def test_answers_are_written_and_errors_are_the_exit_status(
    server: WsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([server.address, "config_get", '{"message": "x", "message_id": "é"}']) == 0
    output = capsys.readouterr().out
    decoder = json.JSONDecoder()
    first, end = decoder.raw_decode(output)
    second, _ = decoder.raw_decode(output[end:].lstrip())
    assert first == {"message": "config_get", "time": 1.5}
    assert second == {"message": "x", "message_id": "é", "time": 1.5}
    assert "\n  " in output
    assert main([server.address, "--raw", "-", "bad"], io.StringIO('{"message": "y"}')) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["y", "bad"]


def test_options_may_stand_anywhere(server: WsServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--raw", server.address, "events", "-e", "dialog", "x", "--count", "3"]) == 0
    assert capsys.readouterr().out.count('"number":') == 3


def test_passwords(
    locked: WsServer, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pw").write_text("secret\nsomething else\n")
    assert main([locked.address, "--password", "secret", "x"]) == 0
    assert main([locked.address, "--password-file", str(tmp_path / "pw"), "x"]) == 0
    monkeypatch.setenv("LIBREIMS_PASSWORD", "secret")
    assert main([locked.address, "x"]) == 0
    assert main([locked.address, "--password", "guess", "x"]) == 3
    assert "does not accept the password" in capsys.readouterr().err
    monkeypatch.delenv("LIBREIMS_PASSWORD")
    assert main([locked.address, "x"]) == 3
    assert "wants a password" in capsys.readouterr().err
    assert main([locked.address, "--password-file", str(tmp_path / "no"), "x"]) == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["h", "{"], "no JSON"),
        (["h:x", "a"], "no port"),
        (["h", "--ca", "/no/such/file", "a"], "--ca /no/such/file cannot be used"),
    ],
)
def test_wrong_arguments(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [[], ["h"], ["h", "a", "--count", "0"], ["h", "a", "--timeout", "-1"], ["h", "a", "--timeout", "x"]],
)
def test_wrong_options(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    capsys.readouterr()


def test_trouble(server: WsServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["127.0.0.1:1", "x"]) == 3
    assert "no connection to 127.0.0.1:1" in capsys.readouterr().err
    assert main([server.address, "silence", "--timeout", "0.2"]) == 3
    assert "did not come within" in capsys.readouterr().err


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for option in ("--listen", "--event", "--count", "--timeout", "--raw", "--password-file", "--insecure"):
        assert option in text
