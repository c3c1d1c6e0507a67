from __future__ import annotations

import dataclasses
import sys

from libreims.base.bus import Bus
from libreims.base.log import Log
from libreims.config.schema import ImpuSettings, UserSettings
from libreims.net.port import Flow
from libreims.proto.sip.uri import Uri
from libreims.users.bindings import NUMBERS, Binding, Bindings, BindingsChanged, Cause, Change
from libreims.users.database import SubscriberDatabase
from support.manual_clock import ManualClock

UTC = 1_800_000_000.0


class Store:
    def __init__(self) -> None:
        self.clock = ManualClock(100.0)
        bus = Bus(Log.null().layer("ims"))
        self.events: list[BindingsChanged] = []
        bus.subscribe(BindingsChanged, self.events.append)
        self.bindings = Bindings(self.clock, lambda: UTC + self.clock.time(), bus)

    def make(self, impi: str = "a@d", contact: str = "sip:a@10.0.0.50", **more: object) -> Binding:
        values: dict[str, object] = {
            "impi": impi,
            "aor": "sip:a",
            "contact": contact,
            "flow": Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.50", 5060)),
            "number": self.bindings.new_number(),
            "call_id": "c",
            "cseq": 1,
            "registered_at": UTC + self.clock.time(),
            "expires_at": UTC + self.clock.time() + 60,
            **more,
        }
        return Binding(**values)  # type: ignore[arg-type]

    def add(self, impi: str = "a@d", contact: str = "sip:a@10.0.0.50", **more: object) -> Binding:
        binding = self.make(impi, contact, **more)
        self.bindings.apply(impi, [Change(Cause.REGISTERED, binding)])
        return binding


def test_lookups() -> None:
    store = Store()
    binding = store.add()
    bindings = store.bindings
    assert bindings.of("a@d") == (binding,)
    assert bindings.by_number(binding.number) is binding
    assert bindings.by_contact("sip:a@10.0.0.50") is binding
    assert bindings.by_contact("sip:b@10.0.0.50") is None
    assert list(bindings.by_remote(("10.0.0.50", 5060))) == [binding]
    assert list(bindings.by_remote(("10.0.0.50", 5061))) == []
    assert list(bindings) == [binding] and len(bindings) == 1
    assert bindings.remaining(binding) == 60


def test_a_refresh_keeps_one_binding_and_moves_its_deadline() -> None:
    store = Store()
    first = store.add()
    store.clock.advance(50)
    later = dataclasses.replace(
        first,
        expires_at=UTC + store.clock.time() + 60,
        flow=Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.51", 5060)),
    )
    store.bindings.apply("a@d", [Change(Cause.REFRESHED, later, first)])
    assert store.bindings.of("a@d") == (later,)
    assert list(store.bindings.by_remote(("10.0.0.50", 5060))) == []
    assert list(store.bindings.by_remote(("10.0.0.51", 5060))) == [later]
    store.clock.advance(59)
    assert len(store.bindings) == 1
    store.clock.advance(2)
    assert len(store.bindings) == 0


def test_expiry_is_an_event_and_leaves_nothing() -> None:
    store = Store()
    binding = store.add()
    store.events.clear()
    store.clock.advance(61)
    assert store.events == [BindingsChanged("a@d", (Change(Cause.EXPIRED, binding),))]
    assert store.bindings.of("a@d") == () and len(store.bindings) == 0
    assert list(store.bindings.by_remote(binding.flow.remote)) == []
    assert store.clock.waiting == 0
    assert store.bindings.remaining(binding) == 0


def test_changes_of_one_procedure_are_one_event() -> None:
    store = Store()
    old = store.add()
    new = store.make(contact="sip:a@10.0.0.60")
    store.events.clear()
    store.bindings.apply("a@d", [Change(Cause.UNREGISTERED, old), Change(Cause.REGISTERED, new)])
    assert [[change.cause for change in event.changes] for event in store.events] == [
        ["unregistered", "registered"]
    ]
    store.bindings.apply("a@d", [])
    assert len(store.events) == 1


def test_remove_of_several_users() -> None:
    store = Store()
    bindings = [store.add("a@d"), store.add("b@d", "sip:b@10.0.0.51"), store.add("a@d", "sip:a@10.0.0.52")]
    store.events.clear()
    store.bindings.remove(bindings, Cause.DEACTIVATED)
    assert sorted((event.impi, len(event.changes)) for event in store.events) == [("a@d", 2), ("b@d", 1)]
    assert len(store.bindings) == 0


def test_removing_what_was_refreshed_or_has_gone_meanwhile() -> None:
    store = Store()
    seen = store.add()
    moved = Flow("TCP", ("10.0.0.1", 5060), ("10.0.0.99", 1234), 7)
    newer = dataclasses.replace(seen, flow=moved, cseq=2)
    store.bindings.apply("a@d", [Change(Cause.REFRESHED, newer, seen)])
    store.bindings.remove([seen], Cause.DEACTIVATED)
    assert len(store.bindings) == 0 and list(store.bindings.by_remote(moved.remote)) == []
    store.events.clear()
    store.bindings.remove([seen, newer], Cause.DEACTIVATED)
    assert store.events == []


def test_thousands_behind_one_address() -> None:
    store = Store()
    kept = [store.add(f"u{n}@d", f"sip:u{n}@10.0.0.50") for n in range(3000)]
    remote = kept[0].flow.remote
    assert len(list(store.bindings.by_remote(remote))) == 3000
    store.bindings.remove(kept[:-1], Cause.EXPIRED)
    assert list(store.bindings.by_remote(remote)) == kept[-1:]


def test_order_of_forking_is_q_then_the_newest() -> None:
    store = Store()
    database = SubscriberDatabase(print)
    database.add(UserSettings(impi="a@d", impu=(ImpuSettings(impu="a"),)))
    old = store.add(contact="sip:old@10.0.0.50")
    store.add(contact="sip:low@10.0.0.50", q=0.2)
    store.add(contact="sip:new@10.0.0.50")
    store.add(contact="sip:sos@10.0.0.50;sos", emergency=True)
    found = database.by_impu(Uri.parse("sip:a@d"))

    def users(**more: bool | None) -> list[str]:
        return [Uri.parse(each.contact).user for each in store.bindings.reachable(found, **more)]

    assert users() == ["new", "old", "low"]
    assert users(emergency=True) == ["sos"]
    assert users(emergency=None) == ["sos", "new", "old", "low"]
    newer = dataclasses.replace(old, cseq=2)
    store.bindings.apply("a@d", [Change(Cause.REFRESHED, newer, old)])
    assert users() == ["old", "new", "low"]


def test_a_number_of_one_phone_reaches_that_phone_only() -> None:
    store = Store()
    database = SubscriberDatabase(print)
    database.add(
        UserSettings(
            impi="a@d",
            multi_sim=True,
            impu=(ImpuSettings(impu="all"), ImpuSettings(impu="tel:1", imei="350000000000015")),
        )
    )
    database.add_echo(ImpuSettings(impu="tel:666"))
    first = store.add(contact="sip:1@10.0.0.50", imei="35000000000001")
    second = store.add(contact="sip:2@10.0.0.50", imei="35000000000002")

    def reached(uri: str) -> list[Binding]:
        return store.bindings.reachable(database.by_impu(Uri.parse(uri)))

    assert reached("sip:all@d") == [second, first]
    assert reached("tel:1") == [first]
    assert reached("tel:666") == []


def test_numbers_are_unique_and_have_four_digits_while_they_last() -> None:
    store = Store()
    keep = store.add()
    assert keep.number == 1
    store.bindings._last_number = NUMBERS - 2
    assert store.bindings.new_number() == NUMBERS - 1
    assert store.bindings.new_number() == 2
    for number in range(2, NUMBERS):
        store.bindings._by_number[number] = keep
    assert store.bindings.new_number() >= NUMBERS


def test_close_stops_expiry() -> None:
    store = Store()
    store.add()
    store.bindings.close()
    assert store.clock.waiting == 0


def test_a_binding_shows_no_surprise_in_size() -> None:
    binding = Store().make()
    assert sys.getsizeof(binding) < 300
