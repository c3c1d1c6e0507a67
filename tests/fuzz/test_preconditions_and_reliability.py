"""Any lines give a statement, two sides agree after each exchange, and reliable responses arrive in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from libreims.base.errors import Reject
from libreims.proto.sdp.bandwidth import bandwidth
from libreims.proto.sdp.precondition import Preconditions, Statement, Way
from libreims.proto.sdp.precondition_decision import decide, situation
from libreims.proto.sip.reliable import (
    Due,
    Provisional,
    ProvisionalAcknowledger,
    ReliableProvisionals,
    Verdict,
)
from support.precondition import AUDIO, VIDEO, audio
from support.reliable import invite, prack, provisional
from support.sdp import session

WORDS = st.sampled_from(
    ["qos", "QOS", "sec", "x", "local", "remote", "e2e", "none", "send", "recv", "sendrecv", "mandatory"]
) | st.sampled_from(["optional", "failure", "unknown", ""])
LINES = st.builds(
    lambda name, words: f"a={name}:{' '.join(words)}",
    st.sampled_from(["curr", "des", "conf"]),
    st.lists(WORDS, max_size=5),
)


@given(st.lists(st.lists(LINES, max_size=8), max_size=5), st.booleans())
def test_any_lines_can_be_worked_with(descriptions: list[list[str]], caller: bool) -> None:
    table = Preconditions()
    for lines in descriptions:
        description = audio(*lines)
        table.received_offer(description)
        answer = table.answer(description)
        said = Statement.parse(answer.media[0])
        assert Statement.parse(audio(*said.lines).media[0]) == said
        assert not table.is_met() or table.peer_is_met()
        assert table.told
        decide(situation("MO" if caller else "MT", "on", table, "pending", ready=True))
        table.refusal(description)
        bandwidth(description, 0)


DEMANDS = st.sampled_from(["none", "optional", "mandatory"])
WAYS = st.sampled_from(list(Way))


@given(st.lists(st.tuples(st.booleans(), DEMANDS, DEMANDS, WAYS, WAYS), min_size=1, max_size=8))
def test_both_sides_agree_after_each_exchange(steps: list[tuple[bool, str, str, Way, Way]]) -> None:
    """RFC 3312 §5: after offer and answer both have the same table, seen from their ends."""
    sides = Preconditions(), Preconditions()
    bare = session(AUDIO, VIDEO)
    for first_offers, demand, other_demand, way, other_way in steps:
        offerer, answerer = sides if first_offers else sides[::-1]
        offerer.demand(demand)  # type: ignore[arg-type]
        answerer.demand(other_demand)  # type: ignore[arg-type]
        offerer.reserve(way)
        answerer.reserve(other_way)
        answerer.received_offer(offerer.offer(bare))
        offerer.received_answer(answerer.answer(bare))
        for one, other in zip(offerer.tables, answerer.tables, strict=True):
            assert one is not None and other is not None
            assert one.current("remote") == other.current("local").flipped
            assert other.current("remote") == one.current("local").flipped
            assert one.missing("remote") == other.missing("local").flipped
            assert one.missing("local") == other.missing("remote").flipped
        assert offerer.is_met() == answerer.is_met()
        assert offerer.told and answerer.told


@given(
    st.lists(st.tuples(st.integers(101, 199), st.booleans()), min_size=1, max_size=6),
    st.data(),
)
def test_in_order_and_once_over_a_lossy_way(wanted: list[tuple[int, bool]], data: st.DataObject) -> None:
    server, client = ReliableProvisionals(invite(), 7, 0.5), ProvisionalAcknowledger()
    sent = []
    for status, with_sdp in wanted:
        numbered = server.submit(Provisional(status, (), b"v=0" if with_sdp else b""), 0.0)
        if numbered is not None:
            sent.append(numbered)
    seen: list[int] = []
    racks: list[str] = []
    now = 0.0
    for _ in range(60):
        action = data.draw(st.sampled_from(["old response", "last response", "prack", "time"]))
        if action == "time":
            if server.due is not None:
                now = server.due
                if server.timeout(now) is Due.EXPIRED:
                    break
        elif action == "prack":
            if racks:
                try:
                    done = server.prack(prack(data.draw(st.sampled_from(racks))), now)
                except Reject as reject:
                    assert reject.status == 481
                else:
                    sent += [done.send] if done.send is not None else []
        else:
            chosen = sent[-1] if action == "last response" else data.draw(st.sampled_from(sent))
            heard = client.received(provisional(chosen.provisional.status, str(chosen.rseq)))
            assert (heard.rack is not None) == (heard.verdict is Verdict.NEW)
            assert heard.verdict in (Verdict.NEW, Verdict.REPEATED)
            if heard.rack is not None:
                seen.append(chosen.provisional.status)
                racks.append(str(heard.rack))
    assert seen == [status for status, _ in wanted][: len(seen)]
    assert [each.rseq for each in sent] == list(range(7, 7 + len(sent)))
    assert len(sent) <= len(seen) + 1
