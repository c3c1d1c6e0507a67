"""`registrar.subscription_record`: the whole dialog of a subscription is kept, at each step."""

from __future__ import annotations

import json

from libreims.registrar.reg_event import RegEvent
from libreims.registrar.subscription_record import KIND, SubscriptionRecords
from libreims.users.bindings import Cause
from support.memory_store import MemoryStore
from support.registrar_rig import SERVER, Rig

CONTACT = "Contact: <sip:alice@10.0.0.50:5060>"


class KeptRig(Rig):
    """The notifier with a store."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        super().__init__()
        self.store = store or MemoryStore()
        records = SubscriptionRecords(self.store, self.clock, self.utc)
        self.reg_event = RegEvent(
            self.config, self.database, self.bindings, self.outbox, self.clock, self.bus, self.log, records
        )

    @property
    def kept(self) -> list[dict[str, object]]:
        return [json.loads(value) for value in self.store.kinds[KIND].values()]


def test_each_step_is_kept() -> None:
    rig = KeptRig()
    rig.register("alice", CONTACT)
    rig.subscribe("alice", "Event: reg\nExpires: 600\nRecord-Route: <sip:proxy;lr>")
    (kept,) = rig.kept
    assert kept["stale"] and (kept["version"], kept["local_cseq"]) == (0, 0)
    assert kept["expires_at"] == rig.utc() + 600
    assert kept["routes"] == ["<sip:proxy;lr>"]
    rig.clock.advance(0.1)
    assert not rig.kept[0]["stale"] and (rig.kept[0]["version"], rig.kept[0]["local_cseq"]) == (1, 1)
    rig.outbox.one()
    rig.register("alice", CONTACT)
    assert rig.kept[0]["stale"], "until the interval is over"
    written = rig.store.writes
    rig.register("alice", CONTACT)
    assert rig.store.writes == written, "said once"
    rig.clock.advance(6)
    assert not rig.kept[0]["stale"] and (rig.kept[0]["version"], rig.kept[0]["local_cseq"]) == (2, 2)
    rig.outbox.one()
    rig.bindings.remove(rig.bindings.of("alice@ims.test"), Cause.DEACTIVATED)
    rig.clock.advance(0.1)
    assert rig.kept == []
    rig.outbox.one()
    assert len(rig.reg_event) == 0


def test_a_fetch_is_not_kept() -> None:
    rig = KeptRig()
    rig.register("alice", CONTACT)
    rig.subscribe("alice", "Event: reg\nExpires: 0")
    rig.clock.advance(0.1)
    rig.outbox.one()
    assert rig.kept == [] and rig.store.writes == 0


def test_what_is_restored_is_what_was_kept() -> None:
    rig = KeptRig()
    rig.register("alice", CONTACT)
    rig.subscribe("alice", "Event: reg;id=9\nExpires: 600")
    rig.clock.advance(0.1)
    first = rig.outbox.one()
    later = KeptRig(rig.store)
    later.clock.advance(100)
    later.reg_event.restore([SERVER])
    assert len(later.reg_event) == 1
    later.register("alice", CONTACT)
    later.reg_event.resume()
    later.clock.advance(0.1)
    (second,) = later.outbox.take()
    assert second.request.uri == first.request.uri
    assert second.request.get("From") == first.request.get("From")
    assert second.request.get("To") == first.request.get("To")
    assert second.request.cseq.number == 2 and 'version="1"' in second.text
    assert second.state == "active;expires=500"
    second.answer(200)
    later.clock.advance(501)
    assert later.outbox.one().state == "terminated;reason=timeout"


def test_where_it_was_protected_or_on_another_address_it_ends() -> None:
    rig = KeptRig()
    rig.register("alice", CONTACT)
    rig.subscribe("alice")
    later = KeptRig(rig.store)
    later.reg_event.restore([("10.0.0.9", 5060)])
    assert len(later.reg_event) == 0 and later.kept == []
