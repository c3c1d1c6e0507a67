"""`users.binding_record`: what a procedure changes is written in one step, before it is done."""

from __future__ import annotations

import dataclasses
import json

import pytest

from libreims.base.bus import Bus
from libreims.base.log import Log
from libreims.net.port import Flow
from libreims.store.port import StoreError
from libreims.users.binding_record import KIND, BindingRecords, flow_of, flow_record, from_record, to_record
from libreims.users.bindings import Binding, Bindings, BindingsChanged, Cause, Change, Features
from support.manual_clock import ManualClock
from support.memory_store import MemoryStore

UTC = 1_800_000_000.0
FLOW = Flow("TCP", ("2001:db8::1", 5060), ("2001:db8::2", 40000), 7)
BINDING = Binding(
    impi="a@d",
    aor="sip:a",
    contact="sip:a@[2001:db8::2]:5060",
    flow=FLOW,
    number=65535,
    call_id="c \udcff",
    cseq=7,
    registered_at=UTC,
    expires_at=UTC + 60.25,
    q=0.5,
    params=";audio",
    features=Features(sms=True, volte=True),
    instance="<urn:gsma:imei:35693803-564380-0>",
    reg_id=1,
    imei="35693803564380",
    emergency=True,
    path=("<sip:p1;lr>", "<sip:p2;lr>"),
    user_agent="Phone",
    protected=True,
)


class Rig:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore()
        self.events: list[BindingsChanged] = []
        bus = Bus(Log.null().layer("ims"))
        bus.subscribe(BindingsChanged, self.events.append)
        self.bindings = Bindings(self.clock, lambda: UTC + self.clock.time(), bus, BindingRecords(self.store))

    @property
    def kept(self) -> dict[str, str]:
        """Contact by key, as the store has it."""
        records = self.store.kinds[KIND]
        return {key: json.loads(value)["contact"] for key, value in records.items()}

    def add(self, contact: str, impi: str = "a@d") -> Binding:
        binding = dataclasses.replace(
            BINDING, impi=impi, contact=contact, number=self.bindings.new_number(), expires_at=UTC + 60
        )
        self.bindings.apply(impi, [Change(Cause.REGISTERED, binding)])
        return binding


def test_a_record_holds_all_of_a_binding() -> None:
    defaults = Binding("a@d", "sip:a", "sip:a@1.2.3.4", FLOW, 1, "c", 1, UTC, UTC)
    for binding in (BINDING, defaults):
        record = json.loads(json.dumps(to_record(binding, UTC)))
        expected = dataclasses.replace(binding, flow=FLOW._replace(connection=0), cseq=binding.cseq - 1)
        assert from_record(str(binding.number), record) == expected
    # A field that is new in Binding must be different from its default in this test.
    for field in dataclasses.fields(Binding):
        if field.default is not dataclasses.MISSING:
            assert getattr(BINDING, field.name) != field.default, field.name


def test_flows() -> None:
    assert flow_of(json.loads(json.dumps(flow_record(FLOW)))) == FLOW._replace(connection=0)
    for bad in ([], ["UDP", "h", 1, "h"], ["UDP", "h", "x", "h", 1]):
        with pytest.raises((TypeError, ValueError)):
            flow_of(bad)


def test_each_change_is_one_write() -> None:
    rig = Rig()
    first = rig.add("sip:1")
    assert (rig.store.writes, rig.kept) == (1, {"1": "sip:1"})
    later = dataclasses.replace(first, contact="sip:1b")
    rig.bindings.apply("a@d", [Change(Cause.REFRESHED, later, first)])
    assert (rig.store.writes, rig.kept) == (2, {"1": "sip:1b"})
    new = dataclasses.replace(first, contact="sip:2", number=rig.bindings.new_number())
    rig.bindings.apply("a@d", [Change(Cause.REGISTERED, new), Change(Cause.DEACTIVATED, later)])
    assert (rig.store.writes, rig.kept) == (3, {"2": "sip:2"})
    other = dataclasses.replace(new, contact="sip:3", number=rig.bindings.new_number())
    rig.bindings.apply("a@d", [Change(Cause.REFRESHED, other, new)])
    assert (rig.store.writes, rig.kept) == (4, {"3": "sip:3"})
    rig.bindings.remove([other], Cause.UNREGISTERED)
    assert (rig.store.writes, rig.kept) == (5, {})
    rig.bindings.remove([other], Cause.UNREGISTERED)
    assert rig.store.writes == 5, "what has gone is not written again"


def test_a_number_that_is_somebody_elses_now_is_left_alone() -> None:
    rig = Rig()
    stale = rig.add("sip:1")
    rig.bindings.remove([stale], Cause.UNREGISTERED)
    bob = dataclasses.replace(stale, impi="b@d", contact="sip:b")
    rig.bindings.apply("b@d", [Change(Cause.REGISTERED, bob)])
    rig.bindings.apply("a@d", [Change(Cause.UNREGISTERED, stale)])
    assert rig.kept == {"1": "sip:b"}


def test_what_cannot_be_written_changes_nothing() -> None:
    rig = Rig()
    first = rig.add("sip:1")
    rig.events.clear()
    rig.store.full = True
    with pytest.raises(StoreError):
        rig.bindings.remove([first], Cause.UNREGISTERED)
    with pytest.raises(StoreError):
        rig.add("sip:2")
    later = dataclasses.replace(first, contact="sip:1b")
    with pytest.raises(StoreError):
        rig.bindings.apply("a@d", [Change(Cause.REFRESHED, later, first)])
    assert rig.bindings.of("a@d") == (first,) and not rig.events


def test_expiry_does_not_need_the_store() -> None:
    rig = Rig()
    rig.add("sip:1")
    rig.store.full = True
    rig.clock.advance(62)
    assert len(rig.bindings) == 0
    assert [change.cause for event in rig.events for change in event.changes][1:] == [Cause.EXPIRED]
    rig.store.full = False
    rig.add("sip:2")
    rig.clock.advance(62)
    assert "2" not in rig.kept
