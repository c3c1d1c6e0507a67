"""The table of decisions, each of its rows; together they cover every situation exactly once."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from libreims.proto.sdp.precondition import Preconditions
from libreims.proto.sdp.precondition_decision import (
    FAIL,
    GO_ON,
    GO_ON_AND_TELL,
    WAIT,
    WAIT_AND_TELL,
    Bearer,
    Decision,
    Mode,
    Resources,
    Role,
    Situation,
    decide,
    situation,
)
from support.precondition import PHONE_ANSWER, PHONE_OFFER, audio, ready

ANY = "*"
NAMES = {
    "go on": GO_ON,
    "go on, tell": GO_ON_AND_TELL,
    "wait": WAIT,
    "wait, tell": WAIT_AND_TELL,
    "580": FAIL,
}

TABLE = """
role mode   supports resources bearer   ready told asked -> decision
*    off    *        *         *        *     *    *     -> go on
*    silent *        *         *        *     *    *     -> go on
*    on     no       *         *        *     *    *     -> go on
*    on     yes      failed    *        *     *    *     -> 580
*    on     yes      unmet     failed   *     *    *     -> 580
MO   on     yes      unmet     disabled no    *    *     -> wait
MO   on     yes      unmet     disabled yes   yes  *     -> wait
MO   on     yes      unmet     disabled yes   no   no    -> wait
MO   on     yes      unmet     disabled yes   no   yes   -> wait, tell
MO   on     yes      unmet     required no    *    *     -> wait
MO   on     yes      unmet     required yes   yes  *     -> wait
MO   on     yes      unmet     required yes   no   no    -> wait
MO   on     yes      unmet     required yes   no   yes   -> wait, tell
MO   on     yes      unmet     pending  no    *    *     -> wait
MO   on     yes      unmet     pending  yes   yes  *     -> wait
MO   on     yes      unmet     pending  yes   no   no    -> wait
MO   on     yes      unmet     pending  yes   no   yes   -> wait, tell
MO   on     yes      unmet     erab_set no    *    *     -> wait
MO   on     yes      unmet     erab_set yes   yes  *     -> wait
MO   on     yes      unmet     erab_set yes   no   no    -> wait
MO   on     yes      unmet     erab_set yes   no   yes   -> wait, tell
MO   on     yes      met       *        no    *    *     -> go on
MO   on     yes      met       *        yes   yes  *     -> go on
MO   on     yes      met       *        yes   no   no    -> go on
MO   on     yes      met       *        yes   no   yes   -> go on, tell
MT   on     yes      unmet     disabled no    *    *     -> go on
MT   on     yes      unmet     disabled yes   yes  *     -> go on
MT   on     yes      unmet     disabled yes   no   *     -> go on, tell
MT   on     yes      unmet     required no    *    *     -> go on
MT   on     yes      unmet     required yes   yes  *     -> go on
MT   on     yes      unmet     required yes   no   *     -> go on, tell
MT   on     yes      unmet     pending  no    *    *     -> go on
MT   on     yes      unmet     pending  yes   yes  *     -> go on
MT   on     yes      unmet     pending  yes   no   *     -> go on, tell
MT   on     yes      unmet     erab_set no    *    *     -> go on
MT   on     yes      unmet     erab_set yes   yes  *     -> go on
MT   on     yes      unmet     erab_set yes   no   *     -> go on, tell
MT   on     yes      met       *        no    *    *     -> go on
MT   on     yes      met       *        yes   yes  *     -> go on
MT   on     yes      met       *        yes   no   *     -> go on, tell
"""

YES_NO = ("yes", "no")
DOMAINS: tuple[tuple[str, ...], ...] = (
    get_args(Role),
    get_args(Mode),
    YES_NO,
    get_args(Resources),
    get_args(Bearer),
    YES_NO,
    YES_NO,
    YES_NO,
)


def rows() -> list[tuple[tuple[str, ...], Decision]]:
    found = []
    for line in TABLE.strip().splitlines()[1:]:
        left, right = line.split("->")
        found.append((tuple(left.split()), NAMES[right.strip()]))
    return found


def cases(pattern: tuple[str, ...]) -> list[tuple[str, ...]]:
    return list(product(*(DOMAINS[n] if each == ANY else (each,) for n, each in enumerate(pattern))))


def in_words(case: tuple[str, ...]) -> Situation:
    role, mode, supports, resources, bearer, is_ready, told, asked = case
    return Situation(
        role,  # type: ignore[arg-type]
        mode,  # type: ignore[arg-type]
        supports == "yes",
        resources,  # type: ignore[arg-type]
        bearer,  # type: ignore[arg-type]
        is_ready == "yes",
        told == "yes",
        asked == "yes",
    )


@pytest.mark.parametrize(
    ("pattern", "decision"), rows(), ids=lambda each: " ".join(each) if isinstance(each, tuple) else ""
)
def test_row(pattern: tuple[str, ...], decision: Decision) -> None:
    for case in cases(pattern):
        assert decide(in_words(case)) == decision, case


def test_every_situation_stands_in_one_row() -> None:
    covered = [case for pattern, _ in rows() for case in cases(pattern)]
    assert len(covered) == len(set(covered))
    assert set(covered) == set(product(*DOMAINS))


def test_alerting_and_answer_go_together() -> None:
    for case in product(*DOMAINS):
        decision = decide(in_words(case))
        assert decision.alert == decision.answer
        assert not (decision.fail and (decision.alert or decision.update))


def test_caller_with_preconditions_called_without_on_the_other_side() -> None:
    """The whole way: 180 and 200 wait for the caller's UPDATE although the callee has none."""
    leg = Preconditions()
    leg.reserve()  # nothing to wait for on the far side
    leg.received_offer(audio(*PHONE_OFFER))
    leg.answer(audio())
    assert decide(situation("MO", "on", leg, "disabled", ready=True)) == WAIT
    leg.received_offer(audio(*ready(PHONE_OFFER)))
    assert decide(situation("MO", "on", leg, "disabled", ready=True)) == GO_ON


def test_callee_is_told_when_the_caller_is_ready() -> None:
    leg = Preconditions()
    leg.demand("mandatory")
    offer = leg.offer(audio())
    leg.received_answer(audio(*PHONE_ANSWER))
    assert decide(situation("MT", "on", leg, "pending", ready=False)) == GO_ON
    leg.reserve()
    assert decide(situation("MT", "on", leg, "pending", ready=True)) == GO_ON_AND_TELL
    leg.offer(offer)
    assert decide(situation("MT", "on", leg, "pending", ready=True)) == GO_ON
    leg.untold()  # the UPDATE was refused with 491
    assert decide(situation("MT", "on", leg, "pending", ready=True)) == GO_ON_AND_TELL


def test_callee_without_preconditions_has_nothing_to_be_told() -> None:
    leg = Preconditions()
    leg.offer(audio())
    leg.received_answer(audio())
    leg.reserve()
    assert decide(situation("MT", "on", leg, "required", ready=True)) == GO_ON


def test_unknown_and_failed_preconditions_end_in_580() -> None:
    unknown, failed = Preconditions(), Preconditions()
    unknown.received_offer(audio("a=des:foo mandatory e2e sendrecv"))
    failed.offer(audio())
    failed.received_answer(audio("a=des:qos failure local sendrecv"))
    assert decide(situation("MO", "on", unknown, "disabled", ready=True)) == FAIL
    assert decide(situation("MT", "on", failed, "disabled", ready=True)) == FAIL
    assert decide(situation("MO", "off", unknown, "disabled", ready=True)) == GO_ON
