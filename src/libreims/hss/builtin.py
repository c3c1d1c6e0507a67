"""The built-in HSS: authentication vectors for the users of the configuration.

Nothing here waits, so that two requests for one user cannot interleave: each vector has its own SQN.
With a store the SQN go on after a restart (`hss.sequence_record`).  A phone whose SQN is ahead, after a
restart without store, puts that right by itself with a resynchronisation.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping

from libreims.base.tokens import Tokens
from libreims.hss.port import DigestSecret, HssError, HssFailure, Resync, Trial
from libreims.hss.profile import SimProfile
from libreims.hss.readings import Reading, other_algorithm, readings, swapped_operator_value
from libreims.hss.sequence_record import SequenceRecords
from libreims.proto.aka.algorithm import RAND_LENGTH, AkaKeyError, SimAlgorithm
from libreims.proto.aka.sequence import following, resynchronised
from libreims.proto.aka.vector import AkaVector, MacFailure, generate, open_auts
from libreims.store.port import StoreError

KEPT_ALGORITHMS = 4096
"""Users whose key schedule is kept; making one again costs 20 us, keeping it about 1 kB."""


class BuiltinHss:
    """Satisfies `hss.port.Hss`; `find` gives the profile of an IMPI, None for an unknown one."""

    def __init__(
        self,
        find: Callable[[str], SimProfile | None],
        tokens: Tokens,
        records: SequenceRecords | None = None,
    ) -> None:
        self._find = find
        self._tokens = tokens
        self._records = records
        self._sqn: dict[str, int] = {}
        self._algorithms: OrderedDict[str, tuple[SimProfile, SimAlgorithm]] = OrderedDict()

    async def authentication_vector(
        self, impi: str, scheme: str, resync: Resync | None = None
    ) -> AkaVector | DigestSecret:
        """See `Hss`."""
        profile = self._profile(impi)
        if scheme == "MD5":
            if profile.pwd is None:
                raise HssError(
                    HssFailure.NO_KEY, f"User {impi} has no password: set pwd, or authent_type to AKAv1."
                )
            return DigestSecret(password=profile.pwd.encode())
        algorithm = self._algorithm(profile)
        if resync is not None:
            self._resynchronise(profile, algorithm, resync)
        return self._generate(profile, algorithm)

    async def trial(self, impi: str) -> Trial | None:
        """See `Hss`."""
        profile = self._profile(impi)
        for reading in (swapped_operator_value(profile), *other_algorithm(profile)):
            algorithm = None if reading is None else _algorithm_of(reading)
            if reading is not None and algorithm is not None:
                return Trial(self._generate(profile, algorithm), reading.advice)
        return None

    def explain(self, impi: str, rand: bytes, fits: Callable[[AkaVector], bool]) -> str:
        """See `Hss`."""
        profile = self._find(impi)
        if profile is None:
            return ""
        for reading in readings(profile):
            algorithm = _algorithm_of(reading)
            # Only XRES, CK and IK are looked at, which do not depend on SQN.
            if algorithm is not None and fits(generate(algorithm, rand, 0, profile.amf)):
                return reading.advice
        return ""

    def sequence_numbers(self) -> Mapping[str, int]:
        """The last SQN used for each IMPI that has had a vector."""
        return self._sqn

    def restore(self, impi: str, sqn: int) -> None:
        """Go on after this SQN."""
        self._sqn[impi] = sqn

    def forget(self, impi: str) -> None:
        """A user has been removed: drop what is kept for it. Raises StoreError."""
        if self._records is not None:
            self._records.forget(impi)
        self._sqn.pop(impi, None)
        self._algorithms.pop(impi, None)

    def _profile(self, impi: str) -> SimProfile:
        profile = self._find(impi)
        if profile is None:
            raise HssError(
                HssFailure.UNKNOWN_USER, f"User {impi} is not in the user database: add it to ue_db."
            )
        return profile

    def _algorithm(self, profile: SimProfile) -> SimAlgorithm:
        impi = profile.impi
        kept = self._algorithms.get(impi)
        if kept is not None and (kept[0] is profile or kept[0] == profile):
            self._algorithms.move_to_end(impi)
            return kept[1]
        if profile.k is None:
            raise HssError(
                HssFailure.NO_KEY,
                f"User {impi} has no K for SIM authentication: set K, or pwd and authent_type MD5.",
            )
        try:
            algorithm = profile.algorithm()
        except AkaKeyError as error:
            raise HssError(
                HssFailure.NO_KEY, f"The SIM values of user {impi} cannot be used: {error}."
            ) from error
        self._algorithms[impi] = (profile, algorithm)
        if len(self._algorithms) > KEPT_ALGORITHMS:
            self._algorithms.popitem(last=False)
        return algorithm

    def _generate(self, profile: SimProfile, algorithm: SimAlgorithm) -> AkaVector:
        impi = profile.impi
        sqn = following(self._sqn.get(impi, profile.sqn))
        if self._records is not None:
            try:
                self._records.use(impi, sqn)
            except StoreError as error:
                raise HssError(
                    HssFailure.UNAVAILABLE,
                    f"User {impi} gets no challenge, as its SQN cannot be kept: {error}.",
                ) from error
        self._sqn[impi] = sqn
        return generate(algorithm, self._tokens.octets(RAND_LENGTH), sqn, profile.amf)

    def _resynchronise(self, profile: SimProfile, algorithm: SimAlgorithm, resync: Resync) -> None:
        impi = profile.impi
        try:
            sqn_ms = open_auts(algorithm, resync.rand, resync.auts)
        except MacFailure as error:
            raise HssError(HssFailure.BAD_AUTS, _explain_auts(profile, resync)) from error
        before = self._sqn.get(impi, profile.sqn)
        self._sqn[impi] = resynchronised(before, sqn_ms)
        if self._records is not None and self._sqn[impi] != before:
            self._records.moved(impi)


def _algorithm_of(reading: Reading) -> SimAlgorithm | None:
    """The algorithm of another reading; None where its values do not allow one."""
    try:
        return reading.profile.algorithm()
    except AkaKeyError:
        return None


def _explain_auts(profile: SimProfile, resync: Resync) -> str:
    head = f"The resynchronisation of user {profile.impi} has a wrong MAC-S"
    for reading in readings(profile):
        algorithm = _algorithm_of(reading)
        if algorithm is None:
            continue
        try:
            open_auts(algorithm, resync.rand, resync.auts)
        except MacFailure:
            continue
        return f"{head}. {reading.advice}"
    return (
        f"{head}: K or opc of the SIM differ from the configured ones and the phone did not check the "
        "challenge, or AUTS was damaged."
    )
