"""`users.binding_restore`: who was registered before the restart, in the right order, and the way to each."""

from __future__ import annotations

import dataclasses

import pytest

from libreims.base.bus import Bus
from libreims.base.log import Log
from libreims.base.log_options import parse
from libreims.config.schema import ImpuSettings, UserSettings
from libreims.net.port import Flow
from libreims.users.binding_record import KIND, to_record
from libreims.users.binding_restore import flow_after_restart, restore_bindings
from libreims.users.bindings import Binding, Bindings, BindingsChanged, Cause
from libreims.users.database import SubscriberDatabase
from support.manual_clock import ManualClock
from support.memory_store import MemoryStore
from support.registrar_rig import EPOCH

V4, V6 = ("10.0.0.1", 5060), ("2001:db8::1", 5060)


def binding(number: int, contact: str = "sip:a@10.0.0.50", **more: object) -> Binding:
    values: dict[str, object] = {
        "impi": "a@d",
        "aor": "sip:a",
        "contact": contact,
        "flow": Flow("UDP", V4, ("10.0.0.50", 5060)),
        "number": number,
        "call_id": "c",
        "cseq": 1,
        "registered_at": EPOCH,
        "expires_at": EPOCH + 60,
        **more,
    }
    return Binding(**values)  # type: ignore[arg-type]


class Rig:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = ManualClock()
        self.log = Log(parse("all.level=info").options, utc=float)
        self.users = SubscriberDatabase(self.log.layer("ims").warn)
        self.users.add(UserSettings(impi="a@d", pwd="x", impu=(ImpuSettings(impu="a"),)))
        bus = Bus(self.log.layer("ims"))
        self.events: list[BindingsChanged] = []
        bus.subscribe(BindingsChanged, self.events.append)
        self.bindings = Bindings(self.clock, lambda: EPOCH + self.clock.time(), bus)

    def put(self, each: Binding, at: float = 0.0) -> None:
        self.store.records(KIND).put(str(each.number), to_record(each, at))

    def restore(self) -> str:
        layer = self.log.layer("ims")
        restore_bindings(self.store, self.bindings, self.users, [V4, V6], EPOCH, layer)
        return "\n".join(line for entry in self.log.ring.since(0)[1] for line in entry.lines)


def test_they_are_back_without_an_event_and_in_the_order_of_their_last_refresh() -> None:
    rig = Rig()
    rig.put(binding(3, "sip:late"), at=30)
    rig.put(binding(9, "sip:early"), at=10)
    rig.put(binding(1, "sip:between"), at=20)
    assert "3 registrations of before the restart go on, 0 expired meanwhile" in rig.restore()
    assert [each.contact for each in rig.bindings.of("a@d")] == ["sip:early", "sip:between", "sip:late"]
    assert rig.bindings.new_number() == 10
    assert not rig.events
    assert len(list(rig.bindings.by_remote(("10.0.0.50", 5060)))) == 3


def test_nothing_expires_before_the_server_can_send() -> None:
    rig = Rig()
    rig.put(binding(1, expires_at=EPOCH - 1000))
    rig.put(binding(2, expires_at=EPOCH + 10))
    assert "1 registrations of before the restart go on, 1 expired meanwhile" in rig.restore()
    rig.clock.advance(5)
    assert len(rig.bindings) == 2
    rig.bindings.resume()
    rig.clock.advance(0.1)
    assert [each.number for each in rig.bindings] == [2]
    rig.clock.advance(7)
    assert [change.cause for event in rig.events for change in event.changes] == [Cause.EXPIRED] * 2


def test_nothing_is_said_where_nothing_was() -> None:
    assert Rig().restore() == ""


@pytest.mark.parametrize(
    ("flow", "contact", "path", "expected"),
    [
        # UDP: as before, whatever the contact says.
        (("UDP", V4, ("10.0.0.50", 4444)), "sip:a@10.0.0.50:5060", (), ("UDP", V4, ("10.0.0.50", 4444))),
        # TCP: a new connection to where the contact listens.
        (
            ("TCP", V4, ("10.0.0.50", 40001)),
            "sip:a@10.0.0.50:5070;transport=tcp",
            (),
            ("TCP", V4, ("10.0.0.50", 5070)),
        ),
        (
            ("TCP", V6, ("2001:db8::2", 40001)),
            "sip:a@[2001:DB8:0::2];transport=TCP",
            (),
            ("TCP", V6, ("2001:db8::2", 5060)),
        ),
        # A contact that is reached by UDP, though its REGISTER was too long for it.
        (("TCP", V4, ("10.0.0.50", 40001)), "sip:a@10.0.0.50", (), ("UDP", V4, ("10.0.0.50", 5060))),
        # Behind a NAT, by name, or unreadable: nothing better is known.
        (
            ("TCP", V4, ("10.0.0.50", 40001)),
            "sip:a@192.168.1.2;transport=tcp",
            (),
            ("TCP", V4, ("10.0.0.50", 40001)),
        ),
        (("TCP", V4, ("10.0.0.50", 40001)), "sip:a@phone", (), ("TCP", V4, ("10.0.0.50", 40001))),
        (("TCP", V4, ("10.0.0.50", 40001)), "nonsense", (), ("TCP", V4, ("10.0.0.50", 40001))),
        # The topmost Path is who is sent to.
        (
            ("TCP", V4, ("10.0.0.9", 40001)),
            "sip:a@10.0.0.50",
            ("<sip:10.0.0.9:5080;transport=tcp;lr>", "<sip:10.0.0.10;lr>"),
            ("TCP", V4, ("10.0.0.9", 5080)),
        ),
        # The server has another address now.
        (
            ("UDP", ("10.0.0.77", 5060), ("10.0.0.50", 5060)),
            "sip:a@10.0.0.50",
            (),
            ("UDP", V4, ("10.0.0.50", 5060)),
        ),
    ],
)
def test_the_way_to_a_phone(
    flow: tuple[object, ...], contact: str, path: tuple[str, ...], expected: tuple[object, ...]
) -> None:
    kept = binding(1, contact, flow=Flow(*flow), path=path)  # type: ignore[arg-type]
    before = dataclasses.replace(kept)
    assert flow_after_restart(kept, [V6, V4]) == (*expected, 0)
    assert kept == before
