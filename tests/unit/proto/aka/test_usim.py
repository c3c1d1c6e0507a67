"""The card of the simulated phone."""

from __future__ import annotations

import pytest

from libreims.proto.aka.factory import ALGORITHMS, sim_algorithm
from libreims.proto.aka.usim import SynchronisationFailure, Usim
from libreims.proto.aka.vector import MacFailure, generate, open_auts

K = bytes(range(16))
RAND = bytes(16)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_card_answers_then_refuses_the_same_challenge(name: str) -> None:
    sim = sim_algorithm(name, K, op=bytes(32 if name == "tuak" else 16))
    card = Usim(sim)
    vector = generate(sim, RAND, 33, 0)
    assert card.authenticate(RAND, vector.autn).res == vector.xres
    with pytest.raises(SynchronisationFailure) as failure:
        card.authenticate(RAND, vector.autn)
    assert open_auts(sim, RAND, failure.value.auts) == 33


def test_card_tells_a_network_with_another_key() -> None:
    vector = generate(sim_algorithm("xor", K[::-1]), RAND, 33, 0)
    card = Usim(sim_algorithm("xor", K))
    with pytest.raises(MacFailure):
        card.authenticate(RAND, vector.autn)
    assert card.sequence.highest == 0
