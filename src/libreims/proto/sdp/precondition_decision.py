"""May this phone be shown alerting, may it be answered, does it have to be told: one table.

Asked for each leg on its own; a call goes on when both of its legs allow it.  What a leg knows of its phone
comes from `precondition.Preconditions`, what it knows of the bearer from policy control.

| leg | mode       | phone               | its resources | bearer | then                                |
|-----|------------|---------------------|---------------|--------|-------------------------------------|
| any | off,silent | any                 | any           | any    | go on                               |
| any | on         | no preconditions    | any           | any    | go on                               |
| any | on         | preconditions       | failed        | any    | 580                                 |
| any | on         | preconditions       | unmet         | failed | 580                                 |
| MO  | on         | preconditions       | unmet         | other  | wait; UPDATE if asked for           |
| MO  | on         | preconditions       | met           | any    | go on; UPDATE if asked for          |
| MT  | on         | preconditions       | unmet, met    | other  | go on; UPDATE once our side is there|

The caller's phone (MO) says by UPDATE when its resources are there, and 180 and 200 wait for that, whoever
is called.  The callee's phone (MT) waits by itself: when it rings, it has judged what it needs met, so only
our side remains to be told to it.  A phone's own word counts for more than the bearer's state: one that is
`disabled` (no policy control) or still `pending` here does not contradict a phone that has what it needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from libreims.proto.sdp.precondition import Preconditions

Role = Literal["MO", "MT"]
"""The caller's phone, which makes the offer, or the callee's."""

Mode = Literal["on", "off", "silent"]
"""`precondition` of the configuration: by the standard; neither preconditions nor bearers; bearers without
a word about them in SIP and SDP."""

Resources = Literal["unmet", "met", "failed"]
"""What the phone's SDP says of its own side."""

Bearer = Literal["disabled", "required", "pending", "erab_set", "failed"]
"""The dedicated bearer: `qos` of the remote API's dialog_get, or refused by the network."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of one leg."""

    role: Role
    mode: Mode
    supports: bool
    """Whether preconditions are used with this phone: they stand in its SDP."""
    resources: Resources
    bearer: Bearer
    ready: bool = True
    """Whether our side is there: the far phone's resources, or nothing to wait for."""
    told: bool = True
    """Whether our last description to the phone said so."""
    asked: bool = False
    """Whether the phone asked to be told (`a=conf`)."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What may or has to be done on the leg now."""

    alert: bool
    """MO: 180 may be sent to the phone.  MT: its ringing counts."""
    answer: bool
    """MO: 200 may be sent to the phone.  MT: its answer counts."""
    update: bool = False
    """An UPDATE that says that our side is there has to be sent, as soon as no other offer is under way."""
    fail: bool = False
    """The preconditions cannot be met: 580 (RFC 3312 §8)."""


GO_ON: Final = Decision(alert=True, answer=True)
GO_ON_AND_TELL: Final = Decision(alert=True, answer=True, update=True)
WAIT: Final = Decision(alert=False, answer=False)
WAIT_AND_TELL: Final = Decision(alert=False, answer=False, update=True)
FAIL: Final = Decision(alert=False, answer=False, fail=True)


def decide(situation: Situation) -> Decision:
    """The row of the table above."""
    if situation.mode != "on" or not situation.supports:
        return GO_ON
    if situation.resources == "failed" or (situation.resources == "unmet" and situation.bearer == "failed"):
        return FAIL
    news = situation.ready and not situation.told
    if situation.role == "MT":
        return GO_ON_AND_TELL if news else GO_ON
    tell = news and situation.asked
    if situation.resources == "met":
        return GO_ON_AND_TELL if tell else GO_ON
    return WAIT_AND_TELL if tell else WAIT


def situation(role: Role, mode: Mode, preconditions: Preconditions, bearer: Bearer, ready: bool) -> Situation:
    """What a leg knows, put together."""
    resources: Resources = "met" if preconditions.peer_is_met() else "unmet"
    if preconditions.has_failed() or preconditions.unknown:
        resources = "failed"
    return Situation(
        role=role,
        mode=mode,
        supports=preconditions.in_use or bool(preconditions.unknown),
        resources=resources,
        bearer=bearer,
        ready=ready,
        told=preconditions.told,
        asked=preconditions.asked,
    )
