"""`api.client`: what a client is at first."""

from libreims.api.client import Client


def test_a_new_client_has_heard_and_asked_nothing() -> None:
    heard: list[str] = []
    client = Client("test", heard.append)
    assert client.connected
    assert not client.events
    assert client.log_position == -1
    assert client.log_waiting is None
    client.send("{}")
    assert heard == ["{}"]
    Client("silent").send("{}")  # takes no events
