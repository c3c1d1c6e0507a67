"""Users and IMPUs changed while the server runs: `users_add`, `user_set`, `impu_set`, `impu_add` and
`impu_del` of the remote API (manual §6.6).

Everything is checked before anything changes.  Users are immutable: a changed one takes the place of the
old one, and whoever looks it up from then on sees it.  Called by `api.users`; what happened is published as
`UserChanged`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from libreims.base.bus import Bus
from libreims.base.errors import LibreImsError
from libreims.base.log import LayerLog
from libreims.base.steps import Steps, finish
from libreims.config.schema import ImpuSettings, UserSettings
from libreims.config.store import ConfigStore
from libreims.users.bindings import Bindings, Cause
from libreims.users.database import Found, SubscriberDatabase
from libreims.users.impu import candidates_of, imei_key, normalise
from libreims.users.reading import SLICE, Reading, changed_fields
from libreims.users.subscriber import ImpuEntry, Subscriber

ECHO = "echo"
"""In the place of an IMPI: the echo list (manual, `impu_add`)."""
LINES: Final = 10
"""Lines in the log about the users of one message, which may be 10,000."""


class UserChanged(NamedTuple):
    """Event: a user is new, or its settings or IMPUs have changed."""

    impi: str
    """`ECHO`: the echo list."""
    identities: bool = False
    """Whether it has other IMPUs than before, or others get to see other URIs of them."""
    modifiers: bool = False
    """Whether its callflow modifiers are others than before."""


class UserAdmin:
    """Carries out run-time changes of the user database."""

    def __init__(
        self, database: SubscriberDatabase, bindings: Bindings, config: ConfigStore, bus: Bus, log: LayerLog
    ) -> None:
        self._database = database
        self._bindings = bindings
        self._bus = bus
        self._log = log
        self._reading = Reading(config.directory, log.warn)

    # --- users

    def add_users(self, users: object) -> list[str]:
        """Add users, given as in `ue_db`: all or none. Returns their IMPIs; raises LibreImsError."""
        return finish(self.addition(users))

    def addition(self, users: object) -> Steps[list[str]]:
        """`add_users` in steps of a few milliseconds: others may have their turn in between.

        Whoever stops before the end has added nobody.
        """
        settings: list[UserSettings] = []
        for part in self._reading.users(users):
            settings += part
            yield
        doubts: list[str] = []
        made = SubscriberDatabase(doubts.append)
        for index, each in enumerate(settings):
            if index % SLICE == SLICE - 1:
                yield
            try:
                subscriber = Subscriber.of(each)
                self._check_new(subscriber, made)
            except LibreImsError as error:
                raise LibreImsError(f"users[{index}]: {error}") from error
            made.insert(subscriber)
        made.doubt_keys()
        yield
        self._check_still_new(made)
        self._database.take_over(made)
        impis = [each.impi for each in made]
        self._tell_added(impis, doubts)
        return impis

    def _check_new(self, new: Subscriber, others: SubscriberDatabase) -> None:
        if new.impi == ECHO:
            raise LibreImsError(f"impi: {ECHO} means the echo list, so no user can have it")
        for database in (self._database, others):
            if database.by_impi(new.impi) is not None:
                raise LibreImsError(f"impi: there is a user {new.impi} already")
            owner = database.by_imsi(new.imsi)  # never by the placeholder, which has no index
            if owner is not None:
                raise LibreImsError(f"imsi: {new.imsi} belongs to {owner.impi} already")

    def _check_still_new(self, made: SubscriberDatabase) -> None:
        """Whether nobody was added between the steps who is among these."""
        known = {each.impi for each in self._database.known(made)}
        for index, each in enumerate(made) if known else ():
            if each.impi in known:
                try:
                    self._check_new(each, self._database)
                except LibreImsError as error:
                    raise LibreImsError(f"users[{index}]: {error}") from error

    def _tell_added(self, impis: Sequence[str], doubts: Sequence[str]) -> None:
        for doubt in doubts[:LINES]:
            self._log.warn(doubt)
        if len(doubts) > LINES:
            self._log.warn(f"and the same of {len(doubts) - LINES} more of the users that are added")
        for impi in impis[:LINES]:
            self._log.info(f"{impi} was added to the users")
        if len(impis) > LINES:
            self._log.info(f"and {len(impis) - LINES} more up to {impis[-1]}")
        for impi in impis:
            self._bus.publish(UserChanged(impi, identities=True))

    def set_user(self, impi: str, *, force_sms_over_sg: bool | None = None) -> None:
        """Change the settings of a user; None leaves one as it is. Raises LibreImsError."""
        subscriber = self._user(impi)
        if force_sms_over_sg is None:
            return
        settings = dataclasses.replace(subscriber.settings, force_sms_over_sg=force_sms_over_sg)
        self._replace(dataclasses.replace(subscriber, settings=settings))
        self._log.info(f"{impi}: force_sms_over_sg is {str(force_sms_over_sg).lower()} now")

    # --- IMPUs

    def set_impu(self, impu: str, changes: Mapping[str, object]) -> None:
        """Change properties of an IMPU, at every user and echo number that has it. Raises LibreImsError.

        What `changes` does not name stays as it is.  Where phones that share a SIM have this IMPU each with
        their own `imei`, the one in `changes` says which is meant.
        """
        found = self._meant(impu, changes.get("imei"))
        changed = {id(each.entry): self._reading.changed(each.entry.settings, changes) for each in found}
        owners = {each.subscriber.impi: each.subscriber for each in found if each.subscriber is not None}
        users = [
            _with_impus(owner, [changed.get(id(each), each.settings) for each in owner.impus])
            for owner in owners.values()
        ]
        echo = [
            (each.entry, ImpuEntry.of(changed[id(each.entry)])) for each in found if each.subscriber is None
        ]
        for subscriber in users:
            self._replace(subscriber)
        before = self._database.echo
        for old, new in echo:
            self._database.replace_echo(old, new)
        if echo:
            self._echo_changed(before)
        names = ", ".join(changed_fields(changes)) or "nothing"
        whose = ", ".join(each.subscriber.impi if each.subscriber else ECHO for each in found)
        self._log.info(f"IMPU {found[0].entry.key} of {whose}: {names} changed")

    def add_impu(self, impu: object, impi: str) -> None:
        """Add an IMPU, a string or an object as in the configuration, to a user or to `echo`.

        Raises LibreImsError.
        """
        settings = self._reading.impu(impu)
        if impi == ECHO:
            key = self._add_echo(settings)
        else:
            subscriber = self._user(impi)
            entry = ImpuEntry.of(settings, multi_sim=subscriber.multi_sim)
            key = entry.key
            if any((each.key, each.imei) == (key, entry.imei) for each in subscriber.impus):
                raise LibreImsError(f"impu: {impi} has the IMPU {key} already")
            changed = _with_impus(subscriber, [*(each.settings for each in subscriber.impus), settings])
            self._replace(changed)
            self._database.doubt([changed])
        self._log.info(f"IMPU {key} was added to {impi}")

    def _add_echo(self, settings: ImpuSettings) -> str:
        key = ImpuEntry.of(settings).key
        for owner, _ in self._database.owners(key):
            if owner is None:
                raise LibreImsError(f"impu: {key} is in the echo list already")
            self._log.warn(f"{key} was added to echo, but it is an IMPU of {owner.impi} too, who is called.")
        before = self._database.echo
        self._database.add_echo(settings)
        self._echo_changed(before)
        return key

    def delete_impu(self, impu: object, impi: str) -> None:
        """Take an IMPU (a string, or an object whose `impu` and `imei` count) from a user or from `echo`.

        A phone that is registered as it and has no other IMPU is de-registered (TS 24.229 §5.4.1.5).
        Raises LibreImsError.
        """
        name, imei = _name_of(impu)
        subscriber = None if impi == ECHO else self._user(impi)
        entries = self._database.echo if subscriber is None else subscriber.impus
        keys = {each.key for each in entries if not imei or each.imei == imei}
        key = next((each for each in (normalise(name), *candidates_of(name)) if each in keys), None)
        if key is None:
            whose = "the echo list" if subscriber is None else impi
            known = ", ".join(each.key for each in entries[:20]) or "none"
            raise LibreImsError(f"impu: {name} is no IMPU of {whose}; those are {known}")
        if subscriber is None:
            self._database.remove_echo(key)
            self._echo_changed(entries)
        else:
            left = [each for each in entries if each.key != key or (imei and each.imei != imei)]
            self._replace(_with_impus(subscriber, [each.settings for each in left]))
            self._deregister(impi, key, left)
        self._log.info(f"IMPU {key} was taken from {impi}")

    def _deregister(self, impi: str, key: str, left: list[ImpuEntry]) -> None:
        gone = [
            binding
            for binding in self._bindings.of(impi)
            if binding.aor == key and not any(entry.applies_to(binding.imei) for entry in left)
        ]
        self._bindings.remove(gone, Cause.DEACTIVATED)

    # --- inside

    def _user(self, impi: str) -> Subscriber:
        subscriber = self._database.by_impi(impi)
        if subscriber is None:
            closest = self._database.closest_impi(impi)
            hint = f"; is {closest} meant?" if closest else ""
            raise LibreImsError(f"impi: there is no user {impi}{hint}")
        return subscriber

    def _meant(self, impu: str, imei: object) -> tuple[Found, ...]:
        """The entries that `impu_set` is about."""
        found = self._database.named(impu)
        if not found:
            raise LibreImsError(f"impu: no user has {impu}, and it is not in the echo list")
        if isinstance(imei, str):
            own = tuple([each for each in found if each.entry.imei and each.entry.imei == imei_key(imei)])
            return own or found
        return found

    def _replace(self, subscriber: Subscriber) -> None:
        before = self._user(subscriber.impi)
        self._database.replace(subscriber)
        event = UserChanged(
            subscriber.impi,
            identities=_identities(before) != _identities(subscriber),
            modifiers=_modifiers(before.impus) != _modifiers(subscriber.impus),
        )
        self._bus.publish(event)

    def _echo_changed(self, before: Iterable[ImpuEntry]) -> None:
        modifiers = _modifiers(before) != _modifiers(self._database.echo)
        self._bus.publish(UserChanged(ECHO, identities=True, modifiers=modifiers))


def _with_impus(subscriber: Subscriber, impus: Iterable[ImpuSettings]) -> Subscriber:
    """The user with these IMPUs instead of its own. Raises LibreImsError."""
    settings = dataclasses.replace(subscriber.settings, impu=tuple(impus))
    changed = Subscriber.of(settings)
    if len(changed.impus) != len(settings.impu):
        raise LibreImsError(f"impu: {subscriber.impi} would have an IMPU twice, for the same phone")
    return changed


def _identities(subscriber: Subscriber) -> list[tuple[object, ...]]:
    """What `Subscriber.registered_with` and `users.profile.public_uri` read."""
    return [
        (each.key, each.imei, each.settings.associated, each.settings.domain, each.settings.phone)
        for each in subscriber.impus
    ]


def _modifiers(entries: Iterable[ImpuEntry]) -> list[tuple[object, ...]]:
    # By identity: what was set anew counts anew, even where it is the same.
    return [(each.key, each.imei, id(each.settings.callflow_modifier)) for each in entries]


def _name_of(impu: object) -> tuple[str, str]:
    """What `impu_del` names: an IMPU, and the IMEI of the phone that it belongs to where that is said."""
    if isinstance(impu, str):
        return impu, ""
    if isinstance(impu, dict):
        name, imei = impu.get("impu"), impu.get("imei")
        if isinstance(name, str) and (imei is None or isinstance(imei, str)):
            return name, imei_key(imei) if imei else ""
        match = impu.get("match")
        if name is None and isinstance(match, str):
            return f"match:{match}", ""
    raise LibreImsError("impu: a string, or an object with impu, expected")
