"""Other ways to read a user's SIM values, tried when a phone and the configuration disagree.

Nearly every "phone does not register" with SIM authentication is one of these: an OP entered as OPc or the
other way round, the wrong algorithm, the wrong length of RES.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from libreims.hss.profile import SimProfile


class Reading(NamedTuple):
    """A changed profile and how to make the configuration say so."""

    profile: SimProfile
    advice: str


def swapped_operator_value(profile: SimProfile) -> Reading | None:
    """The value given as `opc` taken as `op`, or the other way round (TOPc and TOP with TUAK)."""
    if profile.sim_algo == "xor":
        return None
    if profile.opc is not None:
        return Reading(
            replace(profile, opc=None, op=profile.opc),
            "The value given as opc fits as op: rename the property to op.",
        )
    if profile.op is not None:
        return Reading(
            replace(profile, op=None, opc=profile.op),
            "The value given as op fits as opc: rename the property to opc.",
        )
    return None


def other_algorithm(profile: SimProfile) -> Iterator[Reading]:
    """The same K with the other algorithms that its values allow."""
    if profile.sim_algo != "xor":
        yield Reading(replace(profile, sim_algo="xor", res_len=None), _algorithm_advice("xor"))
        return
    lengths = {len(value) for value in (profile.opc, profile.op) if value is not None}
    for name, length in (("milenage", 16), ("tuak", 32)):
        if length in lengths:
            yield Reading(replace(profile, sim_algo=name, res_len=None), _algorithm_advice(name))


def other_res_lengths(profile: SimProfile) -> Iterator[Reading]:
    """The same SIM with every length of RES that its algorithm can give."""
    lengths = {"xor": range(4, 17), "milenage": range(4, 9), "tuak": (4, 8, 16, 32)}[profile.sim_algo]
    for length in lengths:
        if length != (profile.res_len or 8):
            yield Reading(
                replace(profile, res_len=length),
                f"The phone's RES has {length} bytes: set res_len to {length}.",
            )


def readings(profile: SimProfile) -> Iterator[Reading]:
    """All of them, the likeliest first."""
    swapped = swapped_operator_value(profile)
    if swapped is not None:
        yield swapped
    yield from other_res_lengths(profile)
    yield from other_algorithm(profile)


def _algorithm_advice(name: str) -> str:
    return f"The SIM uses the {name} algorithm: set sim_algo to {name}."
