"""`api.views`: what depends on values that are hard to bring about from outside."""

from __future__ import annotations

import pytest

from libreims.api.views import UserViews, dialog
from libreims.base.bus import Bus
from libreims.base.log import Log
from libreims.call.dialog_view import DialogEvent, DialogView, MediaView
from libreims.config.load import loads
from libreims.config.store import ConfigStore
from libreims.net.port import Flow
from libreims.users.bindings import Binding, Bindings, Cause, Change, Features
from libreims.users.subscriber import Subscriber
from support.manual_clock import ManualClock

CONFIG = 'domain: "d", ue_db: [{impi: "a@d", pwd: "x", impu: ["tel:1", "sip:a", "urn:service:sos"]}]'


def user(pending: int = 0, **more: object) -> dict[str, object]:
    config = ConfigStore(loads(CONFIG).settings)
    bindings = Bindings(ManualClock(0.0), lambda: 0.0, Bus(Log.null().layer("ims")))
    flow = Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.50", 5060))
    binding = Binding("a@d", "sip:a", "sip:a@h", flow, 1, "c", 1, 0.0, 59.5, **more)  # type: ignore[arg-type]
    bindings.apply("a@d", [Change(Cause.REGISTERED, binding)])
    views = UserViews(config, bindings, lambda impi: pending)
    return views.user(Subscriber.of(config.current.ue_db[0]), {"a@d": ["b@d"]})


@pytest.mark.parametrize("pending", [0, 3])
def test_pending_sms(pending: int) -> None:
    shown = user(pending, features=Features(sms=True))
    assert shown["sms"] == pending
    assert shown["bindings"] == [
        {
            "uri": "sip:a@h",
            "impu": ["sip:a@d", "tel:1"],
            "q": 1.0,
            "video": False,
            "volte": False,
            "sms": pending > 0,
            "expires": 60,
        }
    ]
    assert shown["dialogs"] == [{"remote": "b@d"}]


@pytest.mark.parametrize(
    ("more", "imei"),
    [
        (
            {"instance": "<urn:gsma:imei:35876543-210987-1;svn=42>", "imei": "35876543210987"},
            "358765432109871",
        ),
        ({"instance": "<urn:uuid:1>", "imei": "35876543210987"}, "35876543210987"),
    ],
)
def test_the_imei_is_what_the_phone_sent(more: dict[str, object], imei: str) -> None:
    (binding,) = user(**more)["bindings"]  # type: ignore[misc]
    assert binding["imei"] == imei


def test_emergency_registrations_are_marked() -> None:
    (binding,) = user(emergency=True)["bindings"]  # type: ignore[misc]
    assert binding["sos"] is True


def test_a_dialog() -> None:
    media = MediaView("audio", "disabled", "sendrecv", "h:1", 1, 2, False, "h:2", 3, 4, True)
    events = (DialogEvent("state", 0.0, "init"), DialogEvent("recv", 0.1, "init", "INVITE"))
    view = DialogView("7", "init", "server", "sip:b", "sip:a", "8", None, 5, 0.0, events, (media,))
    assert dialog(view) == {
        "session_id": "7",
        "state": "init",
        "type": "server",
        "to": "sip:b",
        "from": "sip:a",
        "mt_dialog": "8",
        "date": 5,
        "duration": 0.0,
        "event_list": [
            {"type": "state", "timestamp": 0.0, "state": "init"},
            {"type": "recv", "timestamp": 0.1, "state": "init", "message": "INVITE"},
        ],
        "medias": [
            {
                "type": "audio",
                "qos": "disabled",
                "dir": "sendrecv",
                "rtp_addr": "h:1",
                "rtp_recv_count": 1,
                "rtp_send_count": 2,
                "rtp_block": False,
                "rtcp_addr": "h:2",
                "rtcp_recv_count": 3,
                "rtcp_send_count": 4,
                "rtcp_block": True,
            }
        ],
    }
