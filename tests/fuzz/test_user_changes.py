"""Any order of run-time changes: the database answers as one that was loaded with the same users would.

`LIBREIMS_USER_SEEDS=2000` for more of it.
"""

from __future__ import annotations

import contextlib
import os
import random

import pytest

from libreims.base.bus import Bus
from libreims.base.errors import LibreImsError
from libreims.base.log import Log
from libreims.config.load import loads
from libreims.config.store import ConfigStore
from libreims.users.admin import UserAdmin
from libreims.users.bindings import Bindings
from libreims.users.database import SubscriberDatabase
from libreims.users.impu import candidates_of
from support.manual_clock import ManualClock

SEEDS = int(os.environ.get("LIBREIMS_USER_SEEDS", "60"))
USERS = ("a@d", "b@d", "c@d")
IMPUS = ("sip:x", "sip:y", "tel:1", "tel:+1", "tel:2", "urn:service:sos")
IMEIS = ("35123456789012", "35999999999999")
ASKED = (*IMPUS, "1", "+2", "sip:1", "tel:77", "tel:88", "urn:service:sos.police")
CONFIG = 'echo: ["tel:2"], ue_db: [{impi: "a@d", imsi: "123456", multi_sim: true, pwd: "x", impu: "sip:x"}]'


class Changes:
    """One database and what is done to it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        log = Log.null().layer("ims")
        bus = Bus(log)
        self.config = ConfigStore(loads(CONFIG).settings)
        self.database = SubscriberDatabase.of(self.config.current, lambda text: None)
        bindings = Bindings(ManualClock(0.0), lambda: 0.0, bus)
        self.admin = UserAdmin(self.database, bindings, self.config, bus, log)

    def impu(self) -> object:
        choice = self.random.choice
        name = choice(IMPUS)
        more: dict[str, object] = {}
        if self.random.random() < 0.3:
            more["imei"] = choice(IMEIS)
        if self.random.random() < 0.3:
            more["match"] = choice(("^7", "^8", "("))
        if self.random.random() < 0.2:
            return {"match": choice(("^7", "^8"))}
        return {"impu": name, **more} if more else name

    def change(self) -> None:
        choice = self.random.choice
        owner = choice((*USERS, "echo"))
        match self.random.randrange(5):
            case 0:
                user = {"impi": choice(USERS), "pwd": "x", "impu": [self.impu(), self.impu()]}
                self.admin.add_users([user | ({"imsi": choice(("123456", "654321"))})])
            case 1:
                self.admin.add_impu(self.impu(), owner)
            case 2:
                self.admin.delete_impu(self.impu(), owner)
            case 3:
                changes: dict[str, object] = {"callflow_modifier": choice(([], [{"code": 486}]))}
                if self.random.random() < 0.4:
                    changes["match"] = choice(("^7", "^8", "(", None))
                if self.random.random() < 0.4:
                    changes["imei"] = choice(IMEIS)
                self.admin.set_impu(choice(IMPUS), changes)
            case _:
                self.admin.set_user(choice(USERS), force_sms_over_sg=choice((True, False)))

    def fresh(self) -> SubscriberDatabase:
        """A database that was loaded with what this one has now."""
        database = SubscriberDatabase(lambda text: None)
        for subscriber in self.database:
            database.insert(subscriber)
        for entry in self.database.echo:
            database.add_echo(entry.settings)
        return database


def answers(database: SubscriberDatabase) -> object:
    """What lookups find, without regard to the order in which a match was set."""
    found = [
        sorted((str(owner and owner.impi), entry.key, entry.imei) for owner, entry in database.find(keys))
        for keys in map(candidates_of, ASKED)
    ]
    owners = [
        [(str(owner and owner.impi), entry.key, entry.imei) for owner, entry in database.owners(key)]
        for key in IMPUS
    ]
    imsis = [found.impi if (found := database.by_imsi(imsi)) else None for imsi in ("123456", "654321")]
    return found, [sorted(each) for each in owners], imsis


@pytest.mark.parametrize("part", range(4))
def test_changes_in_any_order(part: int) -> None:
    refused = done = 0
    for seed in range(part, SEEDS, 4):
        changes = Changes(seed)
        for _ in range(60):
            before = answers(changes.database)
            try:
                changes.change()
                done += 1
            except LibreImsError as error:
                refused += 1
                assert str(error) and "\n" not in str(error)
                assert answers(changes.database) == before, "a refused change has changed something"
            after, fresh = answers(changes.database), answers(changes.fresh())
            assert after == fresh, f"seed {seed}"
            for subscriber in changes.database:
                assert len({(each.key, each.imei) for each in subscriber.impus}) == len(subscriber.impus)
    assert refused > done / 10 and done > refused / 10


def test_the_admin_is_closed_to_nonsense() -> None:
    changes = Changes(1)
    for value in (
        None,
        1,
        1.5,
        "",
        [],
        {},
        [[]],
        [1],
        {"impu": {}},
        {"impu": None},
        "\x00",
        "tel:",
        "x" * 70000,
    ):
        for name, arguments in (
            ("add_users", (value,)),
            ("add_users", ([value],)),
            ("add_impu", (value, "a@d")),
            ("delete_impu", (value, "echo")),
            ("set_impu", ("sip:x", {"callflow_modifier": value, "session_expires": value})),
        ):
            with contextlib.suppress(LibreImsError):
                getattr(changes.admin, name)(*arguments)
