"""A user of the database at run time: the configured entry with its IMPUs in normal form.

Immutable; a run-time change (remote API) makes a new `Subscriber` and hands it to
`SubscriberDatabase.replace`, so whoever holds one during a procedure sees one consistent state.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from libreims.base.errors import LibreImsError
from libreims.config.schema import ImpuSettings, UserSettings
from libreims.proto.sip.uri import Uri
from libreims.users.ere import compile_ere
from libreims.users.impu import imei_key, normalise, subject

_is_plain = re.compile(r"[A-Za-z0-9+._-]+").fullmatch


@dataclass(frozen=True, slots=True)
class ImpuEntry:
    """One configured IMPU."""

    key: str
    """Normal form (`users.impu`)."""
    settings: ImpuSettings
    imei: str = ""
    """The 14 digits of the only phone that has this IMPU; empty for every phone."""
    pattern: re.Pattern[str] | None = None
    """The `match` expression."""

    @classmethod
    def of(cls, settings: ImpuSettings, *, multi_sim: bool = False) -> ImpuEntry:
        """Make the entry; `imei` counts with `multi_sim` only (manual).

        Raises LibreImsError where `match` is not a regular expression.
        """
        try:
            pattern = compile_ere(settings.match) if settings.match else None
        except ValueError as error:
            raise LibreImsError(f"The match of the IMPU {settings.impu} cannot be used: {error}.") from error
        key = normalise(settings.impu) if settings.impu else f"match:{settings.match}"
        return cls(key, settings, imei_key(settings.imei) if multi_sim and settings.imei else "", pattern)

    def applies_to(self, imei: str) -> bool:
        """Whether a phone with this IMEI (14 digits, empty when unknown) has the IMPU."""
        return not self.imei or self.imei == imei

    def matches(self, key: str) -> bool:
        """Whether `match` covers an IMPU; compared without its scheme first (manual §7.1: `^\\+33`)."""
        pattern = self.pattern
        return pattern is not None and (
            pattern.search(subject(key)) is not None or pattern.search(key) is not None
        )

    def uri(self, domain: str) -> str:
        """The IMPU as a public URI of the domain; `phone` adds `user=phone`."""
        scheme, _, rest = self.key.partition(":")
        if scheme != "sip":
            return self.key
        uri = f"sip:{rest}@{domain}" if _is_plain(rest) else str(Uri.sip(rest, domain))
        return f"{uri};user=phone" if self.settings.phone else uri


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One user: a private identity and the public ones that are registered with it."""

    impi: str
    imsi: str
    """Empty where the entry has none."""
    impus: tuple[ImpuEntry, ...]
    settings: UserSettings
    multi_sim: bool = False
    """Several phones share the IMPI and are told apart by their IMEI."""
    marked: bool = False
    """One of the IMPUs is `preferred` or `asserted`."""

    @classmethod
    def of(cls, settings: UserSettings) -> Subscriber:
        """Make the run-time form of a `ue_db` entry.

        Without an IMPI the NAI or the IMSI stands for it: such a user registers with the IMPI derived from
        the IMSI (TS 23.003 §13.3). Raises LibreImsError where there is none of the three.
        """
        imsi = settings.imsi or ""
        impi = settings.impi or settings.nai or imsi
        if not impi:
            raise LibreImsError("A ue_db entry has no impi, no nai and no imsi: give it one of them.")
        return cls(
            impi,
            imsi,
            _unique(ImpuEntry.of(each, multi_sim=settings.multi_sim) for each in settings.impu),
            settings,
            settings.multi_sim,
            any(each.preferred or each.asserted for each in settings.impu),
        )

    def entry(self, keys: Iterable[str], imei: str = "") -> ImpuEntry | None:
        """The IMPU that the first fitting key names, for a phone with this IMEI; `match` comes last."""
        keys = tuple(keys)
        for key in keys:
            for entry in self.impus:
                if entry.key == key and (not imei or entry.applies_to(imei)):
                    return entry
        for entry in self.impus:
            if entry.pattern is not None and any(map(entry.matches, keys)):
                return entry
        return None

    def registered_with(self, imei: str) -> list[ImpuEntry]:
        """The implicit registration set of a phone (TS 23.228 §5.2.1a): SIP IMPUs first, then tel.

        `associated: false`, emergency services and IMPUs of other phones do not belong to it.
        """
        chosen = [
            entry
            for entry in self.impus
            if entry.key[:4] in ("sip:", "tel:") and entry.settings.associated and entry.applies_to(imei)
        ]
        if len(chosen) > 1:
            chosen.sort(key=_is_tel)
        return chosen


def _is_tel(entry: ImpuEntry) -> bool:
    return entry.key[:4] == "tel:"


def _unique(entries: Iterable[ImpuEntry]) -> tuple[ImpuEntry, ...]:
    return tuple({(entry.key, entry.imei): entry for entry in reversed(tuple(entries))}.values())[::-1]
