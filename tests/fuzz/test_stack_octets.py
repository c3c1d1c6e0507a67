"""Damaged messages into a stack: it never raises, and each has exactly one of its few outcomes."""

from __future__ import annotations

import random

import pytest

from support.stack_rig import TCP, UDP, StackRig, peer_request, wire
from support.virtual import VirtualLoop

_PIECES = [
    b"\r\n",
    b"\r",
    b"\n",
    b"\0",
    b";",
    b",",
    b"<",
    b">",
    b'"',
    b":",
    b" ",
    b"\xff",
    b"tag=",
    b";rport",
    b"SIP/2.0",
]
_RESPONSE = wire(
    "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx\nFrom: <sip:a@b>;tag=1\n"
    "To: <sip:c@d>;tag=2\nCall-ID: x\nCSeq: 1 INVITE\nContent-Length: 0\n\n"
)


def damaged(dice: random.Random) -> bytes:
    method = dice.choice(["INVITE", "ACK", "CANCEL", "REGISTER", "MESSAGE", "FOO"])
    data = bytearray(_RESPONSE)
    if dice.random() < 0.9:
        params = dice.choice(["", ";rport", ";received=1.2.3.4;rport=5", ";rport, SIP/2.0/UDP b"])
        branch = dice.choice(["z9hG4bKpeer1", "", "old"])
        data = bytearray(wire(peer_request(method, via_params=params, branch=branch)))
    for _ in range(dice.randint(0, 4)):
        start = dice.randrange(len(data))
        end = start + dice.choice([0, 1, 1, 2, 10, 50])
        data[start:end] = dice.choice([b"", *_PIECES, bytes([dice.randrange(256)])])
        if not data:
            break
    return bytes(data)


@pytest.mark.parametrize("seed", range(4))
def test_any_octets(virtual_loop: VirtualLoop, seed: int) -> None:
    dice = random.Random(seed)
    rig = StackRig(virtual_loop)
    absorbed: list[object] = []
    rig.stack.absorbed = lambda request, _flow: absorbed.append(request)
    octets: list[bytes] = []
    rig.stack.transmit = lambda data, _flow: octets.append(data)

    def outcomes() -> int:
        user = rig.user
        heard = len(user.requests) + len(user.acks) + len(user.bad) + len(rig.strays)
        return heard + len(absorbed) + len(octets)

    seen = set()
    for _ in range(1500):
        before = outcomes()
        rig.stack.receive(damaged(dice), dice.choice([UDP, TCP]))
        assert outcomes() - before <= 2  # a CANCEL is absorbed and answered
        seen.add(outcomes() - before)
        for transaction in rig.user.requests:
            if dice.random() < 0.5 and not transaction.answered:
                rig.answer(transaction, dice.choice([200, 404]))
        if dice.random() < 0.05:
            virtual_loop.advance(1)
    assert 1 in seen
    assert all(data.startswith(b"SIP/2.0 ") for data in octets)
    for transaction in rig.user.requests:
        transaction.ignore()
    virtual_loop.advance(300)
    assert rig.stack.transactions == 0
