"""`base.tokens.Tokens`."""

from __future__ import annotations

from libreims.base.tokens import BRANCH_COOKIE, Tokens


def test_the_same_seed_gives_the_same_values() -> None:
    def draw(tokens: Tokens) -> list[object]:
        return [
            tokens.tag(),
            tokens.branch(),
            tokens.call_id(),
            tokens.octets(16),
            tokens.hex(),
            tokens.integer(1, 9),
            tokens.uniform(0, 1),
        ]

    assert draw(Tokens(7)) == draw(Tokens(7))
    assert draw(Tokens(7)) != draw(Tokens(8))


def test_without_a_seed_two_servers_differ() -> None:
    assert Tokens().octets(16) != Tokens().octets(16)
    assert Tokens().branch() != Tokens().branch()


def test_forms() -> None:
    tokens = Tokens(1)
    assert tokens.branch().startswith(BRANCH_COOKIE)
    assert len(tokens.tag()) == 12  # 48 bits; RFC 3261 §19.3 asks for 32
    assert len(tokens.octets(5)) == 5
    assert len(tokens.hex(5)) == 10
    assert all(0.5 <= tokens.uniform(0.5, 2.0) <= 2.0 for _ in range(100))


def test_both_ends_of_an_integer_come_out() -> None:
    tokens = Tokens(1)
    assert {tokens.integer(1, 3) for _ in range(200)} == {1, 2, 3}


def test_a_seeded_generator_does_not_repeat_itself() -> None:
    tokens = Tokens(3)
    assert len({tokens.tag() for _ in range(10_000)}) == 10_000
