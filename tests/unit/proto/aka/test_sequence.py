"""SQN management of TS 33.102 Annex C, both ends."""

from __future__ import annotations

import pytest

from libreims.proto.aka.sequence import DELTA, CardSequence, following, resynchronised, split


def test_next_sqn_counts_seq_and_turns_ind() -> None:
    assert following(0) == (1 << 5 | 1)
    assert split(following(7 << 5 | 31)) == (8, 0)
    assert following((1 << 48) - 1) == 0


def test_card_takes_each_number_once() -> None:
    card = CardSequence()
    sqn = 0
    for _ in range(100):
        sqn = following(sqn)
        assert card.accept(sqn)
        assert not card.accept(sqn)
    assert card.highest == sqn


def test_card_takes_vectors_out_of_order_but_not_old_ones_of_the_same_ind() -> None:
    card = CardSequence()
    first = following(0)
    second = following(first)
    assert card.accept(second)
    assert card.accept(first)
    assert card.highest == second
    assert not card.accept(first)


def test_card_with_a_history_refuses_old_numbers_for_every_ind() -> None:
    card = CardSequence(5000 << 5 | 7)
    assert card.highest == 5000 << 5 | 7
    assert not any(card.accept(4969 << 5 | ind) for ind in range(32))
    assert card.accept(5001 << 5 | 8)


def test_card_refuses_a_number_too_far_ahead() -> None:
    card = CardSequence(5 << 5)
    assert not card.accept((5 + DELTA + 1) << 5)
    assert card.accept((5 + DELTA) << 5)


@pytest.mark.parametrize(
    ("network", "card", "wanted"),
    [
        (0, 1000 << 5 | 3, 1000 << 5 | 3),  # the network was reset: take the card's
        (1000 << 5, 5 << 5, 1000 << 5),  # the next one will do: stay, another card may need it
        ((5 + DELTA) << 5, 5 << 5, 5 << 5),  # the next one would be too far: go back to the card's
        (9 << 5, 10 << 5 | 1, 10 << 5 | 1),  # equal SEQ is not fresh
    ],
)
def test_resynchronisation(network: int, card: int, wanted: int) -> None:
    sqn = resynchronised(network, card)
    assert sqn == wanted
    assert CardSequence(card).accept(following(sqn))
