from __future__ import annotations

import pytest

from libreims.base.bus import Bus
from libreims.base.errors import LibreImsError
from libreims.base.log import Log
from libreims.config.load import loads
from libreims.config.store import ConfigStore
from libreims.net.port import Flow
from libreims.users.admin import UserAdmin, UserChanged
from libreims.users.bindings import Binding, Bindings, BindingsChanged, Cause, Change
from libreims.users.database import SubscriberDatabase
from libreims.users.impu import candidates_of
from libreims.users.reading import SLICE
from support.manual_clock import ManualClock

CONFIG = """
echo: ["tel:666", {impu: "sip:barring", match: "^9"}],
ue_db: [
  {impi: "a@d", imsi: "001010000000001", pwd: "x", impu: ["sip:a", "tel:100"]},
  {impi: "b@d", imsi: "001010000000002", pwd: "x", impu: ["sip:b", "tel:100", {impu: "sip:m", match: "^7"}]},
  {impi: "s@d", imsi: "001010000000003", pwd: "x", multi_sim: true,
   impu: [{impu: "tel:1", imei: "35123456789012"}, {impu: "tel:1", imei: "35999999999999"}, "tel:2"]},
],
"""


class Lab:
    def __init__(self) -> None:
        clock = ManualClock(100.0)
        self.log = Log(utc=lambda: 0.0)
        self.log.configure("all.level=debug")
        ims = self.log.layer("ims")
        bus = Bus(ims)
        config = ConfigStore(loads(CONFIG).settings, "/etc/ims")
        self.database = SubscriberDatabase.of(config.current, ims.warn)
        self.bindings = Bindings(clock, lambda: 0.0, bus)
        self.admin = UserAdmin(self.database, self.bindings, config, bus, ims)
        self.changed: list[UserChanged] = []
        self.gone: list[Cause] = []
        bus.subscribe(UserChanged, self.changed.append)
        bus.subscribe(BindingsChanged, lambda event: self.gone.extend(each.cause for each in event.changes))

    def owners(self, text: str) -> list[str]:
        found = self.database.find(candidates_of(text))
        return ["echo" if owner is None else owner.impi for owner, _ in found]

    def impus(self, impi: str) -> list[str]:
        subscriber = self.database.by_impi(impi)
        assert subscriber is not None
        return [each.key for each in subscriber.impus]

    def fails(self, name: str, *values: object) -> str:
        before = list(self.database), self.database.echo
        with pytest.raises(LibreImsError) as error:
            getattr(self.admin, name)(*values)
        assert (list(self.database), self.database.echo) == before, "something has changed"
        return str(error.value)

    def lines(self) -> str:
        return "\n".join(line for entry in self.log.ring.since(0)[1] for line in entry.lines)

    def register(self, impi: str, aor: str, imei: str = "") -> Binding:
        flow = Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.50", 5060))
        number = self.bindings.new_number()
        binding = Binding(impi, aor, f"sip:{number}@h", flow, number, "c", 1, 0.0, 3600.0, imei=imei)
        self.bindings.apply(impi, [Change(Cause.REGISTERED, binding)])
        self.gone.clear()
        return binding


def test_users_are_there_at_once() -> None:
    lab = Lab()
    users = [{"impi": "c@d", "pwd": "x", "impu": ["c", "tel:300"]}, {"nai": "e@d", "pwd": "x", "impu": "e"}]
    assert lab.admin.add_users(users) == ["c@d", "e@d"]
    assert lab.owners("300") == ["c@d"] and lab.owners("sip:e") == ["e@d"]
    assert lab.changed == [UserChanged("c@d", identities=True), UserChanged("e@d", identities=True)]
    assert "c@d was added to the users" in lab.lines()


def test_all_users_of_a_message_or_none() -> None:
    lab = Lab()
    new = {"impi": "c@d", "pwd": "x", "impu": "c"}
    assert lab.fails("add_users", [new, {"impi": "a@d", "pwd": "x"}]) == (
        "users[1]: impi: there is a user a@d already"
    )
    assert lab.fails("add_users", [new, dict(new)]).startswith("users[1]: impi: there is a user c@d")
    imsi = {"impi": "f@d", "imsi": "001010000000002", "pwd": "x"}
    assert lab.fails("add_users", [new, imsi]) == "users[1]: imsi: 001010000000002 belongs to b@d already"
    twice = [new | {"imsi": "123456"}, {"impi": "g@d", "imsi": "123456", "pwd": "x"}]
    assert lab.fails("add_users", twice) == "users[1]: imsi: 123456 belongs to c@d already"
    assert "users[1]: The match of" in lab.fails("add_users", [new, {"impi": "h", "impu": {"match": "("}}])
    assert "echo list" in lab.fails("add_users", [{"impi": "echo", "pwd": "x"}])
    assert lab.changed == []
    zeros = [{"impi": f"z{n}", "imsi": "000000000000000", "pwd": "x"} for n in range(2)]
    assert lab.admin.add_users(zeros) == ["z0", "z1"]


def many(count: int) -> list[dict[str, object]]:
    return [
        {"impi": f"n{n}@d", "imsi": f"{n:015d}", "pwd": "x", "impu": [f"sip:n{n}", "tel:100"]}
        for n in range(1, count + 1)
    ]


def test_many_users_are_added_in_steps_and_seen_all_at_once() -> None:
    lab = Lab()
    count = 3 * SLICE + 1
    steps = 0
    for _ in lab.admin.addition(many(count)):
        steps += 1
        assert len(lab.database) == 3 and not lab.changed
    assert steps >= 6, "read in four slices, checked in three"
    assert len(lab.database) == count + 3
    assert [each.impi for each in lab.changed] == [f"n{n}@d" for n in range(1, count + 1)]
    assert lab.owners("100") == ["a@d", "b@d", *(f"n{n}@d" for n in range(1, count + 1))]
    assert lab.lines().count("was added to the users") == 10
    assert f"and {count - 10} more up to n{count}@d" in lab.lines()
    assert "tel:100 in impu of several users (a@d, b@d, n1@d)" in lab.lines()
    assert lab.fails("add_users", many(2)).startswith("users[0]: impi: there is a user n1@d")


def test_users_that_appear_while_many_are_added() -> None:
    for rival, wrong in (
        ({"impi": "n7@d", "pwd": "x"}, "users[6]: impi: there is a user n7@d already"),
        (
            {"impi": "r@d", "imsi": f"{SLICE:015d}", "pwd": "x"},
            f"users[{SLICE - 1}]: imsi: {SLICE:015d} belongs to r@d already",
        ),
    ):
        lab = Lab()
        steps = list[None]()
        with pytest.raises(LibreImsError) as error:
            for _ in lab.admin.addition(many(2 * SLICE)):
                steps.append(None)
                if len(steps) == 4:  # all are read, and the first ones are checked
                    lab.admin.add_users([rival])
        assert str(error.value) == wrong
        assert len(lab.database) == 4


def test_who_stops_on_the_way_has_added_nobody() -> None:
    lab = Lab()
    addition = lab.admin.addition(many(2 * SLICE))
    for _ in range(4):
        next(addition)
    addition.close()
    assert len(lab.database) == 3 and not lab.changed


def test_the_doubts_of_many_are_a_few_lines() -> None:
    lab = Lab()
    impu = {"impu": "tel:7", "imei": "35123456789012"}
    lab.admin.add_users([each | {"impu": [impu]} for each in many(12)])
    assert lab.lines().count("has an IMPU with imei, which counts only with multi_sim") == 10
    assert "and the same of 2 more" in lab.lines()


def test_doubts_about_new_users_are_said() -> None:
    lab = Lab()
    lab.admin.add_users([{"impi": "c@d", "impu": ["tel:100"]}])
    assert "c@d can never register: there is neither K nor pwd" in lab.lines()
    assert "tel:100 in impu of several users (a@d, b@d, c@d)" in lab.lines()


def test_user_set() -> None:
    lab = Lab()
    before = lab.database.by_impi("a@d")
    lab.admin.set_user("a@d", force_sms_over_sg=True)
    after = lab.database.by_impi("a@d")
    assert before is not None and after is not None and after is not before
    assert after.settings.force_sms_over_sg and not before.settings.force_sms_over_sg
    assert after.impus is before.impus
    assert lab.changed == [UserChanged("a@d")]
    with pytest.raises(LibreImsError, match="impi: there is no user a@x; is a@d meant"):
        lab.admin.set_user("a@x", force_sms_over_sg=True)


def test_impu_set_changes_every_owner_and_nothing_else() -> None:
    lab = Lab()
    lab.admin.set_impu("100", {"display_name": "Desk", "callflow_modifier": [{"code": 486}]})
    assert lab.database.has_modifiers
    for impi in ("a@d", "b@d"):
        subscriber = lab.database.by_impi(impi)
        assert subscriber is not None
        names = {each.key: each.settings.display_name for each in subscriber.impus}
        assert names.pop("tel:100") == "Desk" and set(names.values()) == {None}
    assert lab.changed == [UserChanged("a@d", modifiers=True), UserChanged("b@d", modifiers=True)]
    # The user with an expression keeps its place and its expression.
    assert lab.owners("7") == ["b@d"]
    assert "IMPU tel:100 of a@d, b@d: display_name, callflow_modifier changed" in lab.lines()


def test_impu_set_of_echo_numbers_and_expressions() -> None:
    lab = Lab()
    lab.admin.set_impu("tel:666", {"ring_only": True})
    lab.admin.set_impu("sip:barring", {"match": "^8"})
    assert [each.settings.ring_only for each in lab.database.echo] == [True, False]
    assert lab.owners("tel:8123") == ["echo"] and lab.owners("tel:9123") == []
    assert lab.changed == [UserChanged("echo", identities=True)] * 2
    lab.admin.set_impu("tel:666", {"callflow_modifier": {"code": 486}})
    assert lab.changed.pop() == UserChanged("echo", identities=True, modifiers=True)


def test_impu_set_means_what_is_named_and_not_what_an_expression_fits() -> None:
    lab = Lab()
    assert lab.fails("set_impu", "tel:9123", {"ring_only": True}) == (
        "impu: no user has tel:9123, and it is not in the echo list"
    )


def test_impu_set_of_one_phone_of_several_with_a_sim() -> None:
    lab = Lab()
    lab.admin.set_impu("tel:1", {"imei": "351234567890121", "ring_only": True})
    subscriber = lab.database.by_impi("s@d")
    assert subscriber is not None
    assert [(each.imei, each.settings.ring_only) for each in subscriber.impus] == [
        ("35123456789012", True),
        ("35999999999999", False),
        ("", False),
    ]
    assert "would have an IMPU twice" in lab.fails("set_impu", "tel:1", {"imei": "35000000000000"})
    lab.admin.set_impu("tel:1", {"use183": False})
    subscriber = lab.database.by_impi("s@d")
    assert subscriber is not None
    assert [each.settings.use183 for each in subscriber.impus] == [False, False, None]


def test_impu_set_that_is_wrong_changes_nothing() -> None:
    lab = Lab()
    assert "answer_delay" in lab.fails("set_impu", "tel:100", {"ring_only": True, "answer_delay": "soon"})
    assert "match" in lab.fails("set_impu", "tel:100", {"match": "("})
    lab.admin.set_impu("tel:100", {"colour": 1})
    assert "unused property 'colour'" in lab.lines()


def test_impu_add_and_del() -> None:
    lab = Lab()
    lab.admin.add_impu({"impu": "tel:+33 1 23", "ring_only": True}, "a@d")
    assert lab.impus("a@d") == ["sip:a", "tel:100", "tel:+33123"] and lab.owners("33123") == ["a@d"]
    assert lab.fails("add_impu", "tel:+33123", "a@d") == "impu: a@d has the IMPU tel:+33123 already"
    assert "there is no user x" in lab.fails("add_impu", "tel:5", "x")
    lab.admin.add_impu("tel:100", "s@d")
    assert "tel:100 in impu of several users (a@d, b@d, s@d)" in lab.lines()
    lab.admin.delete_impu("33123", "a@d")
    assert lab.owners("33123") == [] and lab.impus("a@d") == ["sip:a", "tel:100"]
    lab.admin.delete_impu({"impu": "tel:100"}, "a@d")
    assert lab.owners("100") == ["b@d", "s@d"]
    assert lab.fails("delete_impu", "tel:100", "a@d") == ("impu: tel:100 is no IMPU of a@d; those are sip:a")
    assert [each.identities for each in lab.changed] == [True] * 4


def test_impu_del_of_one_phone_of_several_with_a_sim() -> None:
    lab = Lab()
    lab.admin.delete_impu({"impu": "tel:1", "imei": "35123456789012"}, "s@d")
    assert lab.impus("s@d") == ["tel:1", "tel:2"]
    assert "is no IMPU of s@d" in lab.fails("delete_impu", {"impu": "tel:1", "imei": "35000000000000"}, "s@d")


def test_echo_list() -> None:
    lab = Lab()
    lab.admin.add_impu("tel:555", "echo")
    assert lab.owners("555") == ["echo"]
    assert lab.fails("add_impu", {"impu": "tel:555"}, "echo") == "impu: tel:555 is in the echo list already"
    lab.admin.delete_impu("tel:555", "echo")
    assert lab.owners("555") == []
    assert lab.fails("delete_impu", "tel:555", "echo") == (
        "impu: tel:555 is no IMPU of the echo list; those are tel:666, sip:barring"
    )
    lab.admin.add_impu({"match": "^5"}, "echo")
    assert lab.owners("5123") == ["echo"]
    lab.admin.delete_impu({"match": "^5"}, "echo")
    assert lab.owners("5123") == []
    lab.admin.add_impu("sip:a", "echo")
    assert "sip:a was added to echo, but it is an IMPU of a@d too, who is called" in lab.lines()
    assert lab.owners("sip:a") == ["a@d"]


@pytest.mark.parametrize("wrong", [7, None, {}, {"impu": 5}, {"impu": "a", "imei": 5}])
def test_what_impu_del_cannot_read(wrong: object) -> None:
    lab = Lab()
    assert "a string, or an object with impu, expected" in lab.fails("delete_impu", wrong, "a@d")


def test_a_phone_without_any_impu_left_is_deregistered() -> None:
    lab = Lab()
    lab.register("a@d", "sip:a")
    lab.admin.delete_impu("tel:100", "a@d")
    assert lab.gone == []
    lab.admin.delete_impu("sip:a", "a@d")
    assert lab.gone == [Cause.DEACTIVATED] and lab.bindings.of("a@d") == ()


def test_the_other_phone_with_the_sim_stays_registered() -> None:
    lab = Lab()
    lab.admin.delete_impu("tel:2", "s@d")
    one = lab.register("s@d", "tel:1", "35123456789012")
    two = lab.register("s@d", "tel:1", "35999999999999")
    lab.admin.delete_impu({"impu": "tel:1", "imei": "35123456789012"}, "s@d")
    assert lab.gone == [Cause.DEACTIVATED]
    assert lab.bindings.of("s@d") == (two,) and lab.bindings.by_number(one.number) is None
