"""Who the users are: `ue_db` and the `echo` list, indexed by IMPI, IMSI and IMPU.

Lookups cost the same for ten users and for 100,000; only `match` expressions are tried one by one, and
only when no IMPU fits literally.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from libreims.base.errors import LibreImsError
from libreims.config.schema import ImpuSettings, Settings, UserSettings
from libreims.proto.sip.uri import Uri
from libreims.users.impu import candidates, candidates_of, normalise
from libreims.users.subscriber import ImpuEntry, Subscriber

PLACEHOLDER_IMSI = "000000000000000"
"""What soft phones without a SIM have in `imsi`; not an identity."""
HINT_LIMIT = 500
"""How many users are looked at for a hint, so that wrong registrations stay cheap."""


class Found(NamedTuple):
    """An IMPU and whose it is."""

    subscriber: Subscriber | None
    """None: an echo number."""
    entry: ImpuEntry


def all_of(subscriber: Subscriber) -> tuple[Found, ...]:
    """Every IMPU of a user, the ones for normal registration first."""
    first = subscriber.registered_with("")
    rest = [each for each in subscriber.impus if each not in first]
    return tuple([Found(subscriber, entry) for entry in (*first, *rest)])


class SubscriberDatabase:
    """The users and the echo numbers."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        """Make an empty database; `warn` is told, in a sentence, what is passed over."""
        self._warn = warn
        self._by_impi: dict[str, Subscriber] = {}
        self._by_imsi: dict[str, Subscriber] = {}
        # A list of one for each IMPU would cost 90 octets apiece.
        self._by_key: dict[str, Subscriber | list[Subscriber]] = {}
        self._matching: dict[str, Subscriber] = {}
        self._echo: dict[str, ImpuEntry] = {}
        self.has_modifiers = False
        """Whether any IMPU has, or had, callflow modifiers."""

    @classmethod
    def of(cls, settings: Settings, warn: Callable[[str], None]) -> SubscriberDatabase:
        """Load the configured users; of entries that say the same the first one wins, with a warning."""
        database = cls(warn)
        for user in settings.ue_db:
            try:
                database.add(user)
            except LibreImsError as error:
                warn(str(error))
        for impu in settings.echo:
            try:
                database.add_echo(impu)
            except LibreImsError as error:
                warn(str(error))
        database.doubt_keys()
        database._doubt_shared(database._by_key)
        return database

    def __len__(self) -> int:
        return len(self._by_impi)

    def __iter__(self) -> Iterator[Subscriber]:
        return iter(tuple(self._by_impi.values()))

    # --- lookups

    def by_impi(self, impi: str) -> Subscriber | None:
        """The user with exactly this IMPI."""
        return self._by_impi.get(impi)

    def by_imsi(self, imsi: str) -> Subscriber | None:
        """The user with this IMSI (the first one where several share it)."""
        return self._by_imsi.get(imsi)

    def by_username(self, username: str, realm: str) -> Subscriber | None:
        """The user that a digest `username` means.

        It is the IMPI (TS 24.229 §5.1.1.2), but soft phones leave out or add the domain, and a phone
        whose entry has no IMPI derives one from its IMSI (TS 23.003 §13.3).
        """
        found = self._by_impi.get(username)
        if found is not None:
            return found
        local, at, host = username.partition("@")
        if not at:
            return self._by_impi.get(f"{username}@{realm}")
        if host == realm and (found := self._by_impi.get(local)) is not None:
            return found
        found = self._by_imsi.get(local)
        return found if found is not None and not found.settings.impi else None

    def find(self, keys: Iterable[str]) -> tuple[Found, ...]:
        """Everyone who has the first fitting key (`users.impu.candidates`); empty when nobody has any.

        Users come before echo numbers, literal IMPUs before `match` expressions, echo expressions before
        those of users. A key can have several owners: phones that share a number.
        """
        keys = tuple(keys)
        for key in keys:
            owners = self._by_key.get(key)
            if owners is not None:
                several = [owners] if isinstance(owners, Subscriber) else owners
                return tuple(
                    [Found(owner, entry) for owner in several for entry in owner.impus if entry.key == key]
                )
            echo = self._echo.get(key)
            if echo is not None:
                return (Found(None, echo),)
        return self._find_matching(keys)

    def named(self, text: str) -> tuple[Found, ...]:
        """Everyone who has an IMPU written by a person, literally: no `match` expression is asked."""
        for key in dict.fromkeys((normalise(text), *candidates_of(text))):
            found = self.owners(key)
            if found:
                return found
        return ()

    def owners(self, key: str) -> tuple[Found, ...]:
        """Everyone, users and the echo list, who has exactly this IMPU (normal form)."""
        owners = self._by_key.get(key, [])
        found = [
            Found(owner, entry) for owner in _several(owners) for entry in owner.impus if entry.key == key
        ]
        if key in self._echo:
            found.append(Found(None, self._echo[key]))
        return tuple(found)

    def by_impu(self, uri: Uri) -> tuple[Found, ...]:
        """`find` for a URI of a request."""
        return self.find(candidates(uri))

    def _find_matching(self, keys: tuple[str, ...]) -> tuple[Found, ...]:
        for echo in self._echo.values():
            if echo.pattern is not None and any(map(echo.matches, keys)):
                return (Found(None, echo),)
        for owner in self._matching.values():
            for entry in owner.impus:
                if entry.pattern is not None and any(map(entry.matches, keys)):
                    return (Found(owner, entry),)
        return ()

    def closest_impi(self, impi: str) -> str | None:
        """The configured IMPI that looks most like a wrong one, for the sentence of a refusal."""
        best, best_score = None, len(impi) // 3
        found = self._by_imsi.get(impi.partition("@")[0])
        if found is not None:
            return found.impi
        for count, known in enumerate(self._by_impi):
            if count >= HINT_LIMIT:
                break
            score = _likeness(impi, known)
            if score > best_score:
                best, best_score = known, score
        return best

    @property
    def echo(self) -> tuple[ImpuEntry, ...]:
        """The echo numbers."""
        return tuple(self._echo.values())

    # --- changes

    def add(self, settings: UserSettings) -> Subscriber:
        """Add a user. Raises LibreImsError where the IMPI exists or the entry cannot be used."""
        subscriber = Subscriber.of(settings)
        self.insert(subscriber)
        return subscriber

    def insert(self, subscriber: Subscriber) -> None:
        """Add a user that has been made. Raises LibreImsError where the IMPI exists."""
        impi = subscriber.impi
        if impi in self._by_impi:
            raise LibreImsError(f"The IMPI {impi} is in ue_db twice: the first entry is used.")
        self._doubt(subscriber)
        self._index(subscriber)

    def known(self, others: SubscriberDatabase) -> Iterator[Subscriber]:
        """Those of the users of another database whose IMPI or IMSI somebody has here."""
        for impi in self._by_impi.keys() & others._by_impi.keys():
            yield others._by_impi[impi]
        for imsi in self._by_imsi.keys() & others._by_imsi.keys():
            yield others._by_imsi[imsi]

    def take_over(self, others: SubscriberDatabase) -> None:
        """Add all users of another database, of which nothing else may be made; none of them is `known`.

        What can be made before has been made there: 10,000 users are taken in a few milliseconds.
        """
        shared = {key: self._by_key[key] for key in self._by_key.keys() & others._by_key.keys()}
        self._by_impi.update(others._by_impi)
        self._by_imsi.update(others._by_imsi)
        self._by_key.update(others._by_key)
        for key, owners in shared.items():
            self._by_key[key] = [*_several(owners), *_several(others._by_key[key])]
        self._matching.update(others._matching)
        self.has_modifiers |= others.has_modifiers
        among = [key for key, owners in others._by_key.items() if isinstance(owners, list)]
        self._doubt_shared(dict.fromkeys((*shared, *among)))

    def replace(self, subscriber: Subscriber) -> None:
        """Put a changed user in the place of the one with the same IMPI. Raises KeyError without one."""
        impi = subscriber.impi
        old = self._by_impi[impi]
        shared = {
            entry.key: owners.index(old)
            for entry in old.impus
            if isinstance(owners := self._by_key[entry.key], list)
        }
        matching = list(self._matching)
        self._unindex(old)
        self._index(subscriber)
        # The first user counts where one is needed: a change must not move it.
        for key, place in shared.items():
            now = self._by_key.get(key)
            if isinstance(now, list) and now[-1] is subscriber:
                now.insert(place, now.pop())
        if impi in self._matching and impi in matching:
            self._matching = {each: self._matching[each] for each in matching}

    def remove(self, impi: str) -> Subscriber | None:
        """Take a user out; the bindings are the caller's to remove. None when there is no such user."""
        subscriber = self._by_impi.pop(impi, None)
        if subscriber is not None:
            self._unindex(subscriber)
        return subscriber

    def add_echo(self, settings: ImpuSettings) -> ImpuEntry:
        """Add an echo number. Raises LibreImsError where it exists or cannot be used."""
        entry = ImpuEntry.of(settings)
        if entry.key in self._echo:
            raise LibreImsError(f"The IMPU {entry.key} is in the echo list twice: the first entry is used.")
        self._echo[entry.key] = entry
        self.has_modifiers |= bool(settings.callflow_modifier)
        return entry

    def replace_echo(self, old: ImpuEntry, entry: ImpuEntry) -> None:
        """Put a changed echo number in the place of the old one. Raises KeyError where that is not there."""
        self._echo[old.key]
        self._echo = {each.key: each for each in (entry if each is old else each for each in self.echo)}
        self.has_modifiers |= bool(entry.settings.callflow_modifier)

    def remove_echo(self, key: str) -> ImpuEntry | None:
        """Take an echo number out, by its normal form."""
        return self._echo.pop(key, None)

    def doubt(self, subscribers: Iterable[Subscriber]) -> None:
        """Say what these users have not, or have in common with others, in one line each."""
        subscribers = tuple(subscribers)
        self._doubt_lacking(subscribers)
        self._doubt_shared({entry.key for each in subscribers for entry in each.impus})

    def doubt_keys(self) -> None:
        """Say who of the users has nothing to register with, in one line."""
        self._doubt_lacking(self._by_impi.values())

    def _doubt_lacking(self, subscribers: Iterable[Subscriber]) -> None:
        lacking = [each for each in subscribers if not _authenticates(each.settings)]
        if lacking:
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            self._warn(
                f"{lacking[0].impi}{more} can never register: there is neither K nor pwd in ue_db. "
                "Set one, or authent_type to none."
            )

    def _doubt_shared(self, keys: Iterable[str]) -> None:
        shared = [(key, owners) for key in keys if isinstance(owners := self._by_key.get(key), list)]
        if shared:
            (key, owners), more = shared[0], f" and {len(shared) - 1} more" if len(shared) > 1 else ""
            names = ", ".join(owner.impi for owner in owners[:3])
            self._warn(
                f"{key}{more} in impu of several users ({names}): a call goes to the phones of all. "
                "Correct impu if that is not meant."
            )

    def _doubt(self, subscriber: Subscriber) -> None:
        """Say what will not do what it looks like."""
        settings = subscriber.settings
        if subscriber.multi_sim and settings.sim_algo != "xor" and settings.authent_type.startswith("AKA"):
            self._warn(
                f"{subscriber.impi} has multi_sim with sim_algo {settings.sim_algo}, it is meant for xor: "
                "phones with one SIM may disturb each other's sequence numbers."
            )
        if not subscriber.multi_sim and any(each.imei for each in settings.impu):
            self._warn(f"{subscriber.impi} has an IMPU with imei, which counts only with multi_sim: true.")

    def _index(self, subscriber: Subscriber) -> None:
        impi, imsi = subscriber.impi, subscriber.imsi
        self._by_impi[impi] = subscriber
        if imsi and imsi != PLACEHOLDER_IMSI:
            first = self._by_imsi.setdefault(imsi, subscriber)
            if first is not subscriber:
                self._warn(
                    f"The IMSI {imsi} of {impi} belongs to {first.impi} already, which keeps it: "
                    f"{impi} is found by its IMPI and IMPUs only."
                )
        for key in dict.fromkeys(entry.key for entry in subscriber.impus):
            owners = self._by_key.setdefault(key, subscriber)
            if isinstance(owners, list):
                owners.append(subscriber)
            elif owners is not subscriber:
                self._by_key[key] = [owners, subscriber]
        if any(entry.settings.callflow_modifier for entry in subscriber.impus):
            self.has_modifiers = True
        if any(entry.pattern is not None for entry in subscriber.impus):
            self._matching[impi] = subscriber

    def _unindex(self, subscriber: Subscriber) -> None:
        self._matching.pop(subscriber.impi, None)
        if self._by_imsi.get(subscriber.imsi) is subscriber:
            del self._by_imsi[subscriber.imsi]
        for key in dict.fromkeys(entry.key for entry in subscriber.impus):
            owners = self._by_key[key]
            if isinstance(owners, list):
                owners.remove(subscriber)
                if len(owners) == 1:
                    self._by_key[key] = owners[0]
            else:
                del self._by_key[key]


def _several(owners: Subscriber | list[Subscriber]) -> list[Subscriber]:
    return [owners] if isinstance(owners, Subscriber) else owners


def _authenticates(settings: UserSettings) -> bool:
    """Whether a phone of this user can ever be let in."""
    return settings.K is not None or settings.pwd is not None or settings.authent_type == "none"


def _likeness(asked: str, known: str) -> int:
    """Characters that two identities share at their beginnings and ends."""
    limit = min(len(asked), len(known))
    start = 0
    while start < limit and asked[start] == known[start]:
        start += 1
    end = 0
    while end < limit - start and asked[-1 - end] == known[-1 - end]:
        end += 1
    return start + end
