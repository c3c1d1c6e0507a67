"""Every way in which a call is set up, as ladders in files: method or status, SDP, its direction and qos.

The matrix: {phone calls echo, phone calls phone} x what each phone can do x what the configuration says.
`LIBREIMS_LADDERS=write` makes the files anew; look at the difference before it is committed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from libreims.base.tokens import Tokens
from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sdp.precondition import Statement
from libreims.proto.sip.message import Request, Response
from libreims.ue.config import PhoneConfig
from libreims.ue.phone import Phone
from libreims.ue.recorder import SipRecord
from support.lab import SERVER, Lab, play
from support.phones import MILENAGE, OPC, K

LADDERS = Path(__file__).parent / "ladders"

BASE = (
    'domain: "ims.test", sip_addr: ["10.0.0.1"], timer_t1: 0.5, timer_t2: 4, timer_t4: 5, echo: ["tel:666"],'
    'log_options: "all.level=debug,all.max_size=1", ue_db: ['
    + "".join(
        f'{{ sim_algo: "milenage", imsi: "00101{number:010d}", K: "{K.hex()}", opc: "{OPC.hex()}", '
        f'impi: "00101{number:010d}@ims.test", authent_type: "AKAv1", '
        f'impu: ["sip:00101{number:010d}", "tel:100{number}"] }},'
        for number in (1, 2)
    )
    + "],"
)

PHONES: dict[str, dict[str, bool]] = {
    "plain": {},
    "rel": {"rel100": True},
    "pre": {"rel100": True, "precondition": True},
}
SERVERS = {
    "on": "",
    "off": 'precondition: "off",',
    "silent": 'precondition: "silent",',
    "norel": '"100rel": false,',
    "nomedia": "early_media: false,",
    "no183": "use183: false,",
}


class Row(NamedTuple):
    """One call of the matrix."""

    caller: str
    callee: str
    server: str

    def __str__(self) -> str:
        return f"{self.caller}-{self.callee}-{self.server}"


def rows() -> Iterator[Row]:
    for server in SERVERS:
        for caller in PHONES:
            for callee in ("echo", *PHONES):
                yield Row(caller, callee, server)


async def phone(lab: Lab, number: int, **abilities: bool) -> Phone:
    user = f"00101{number:010d}"
    config = PhoneConfig(
        impi=f"{user}@ims.test",
        impu=f"sip:{user}@ims.test",
        server=(SERVER, 5060),
        local=(f"10.0.1.{number}", 5060),
        sim=MILENAGE,
        scheme="AKAv1-MD5",
        **abilities,  # type: ignore[arg-type]
    )
    one = Phone(lab.network, lab.loop, Tokens(1000 + number), config)
    await one.start()
    await one.register()
    return one


def label(message: Request | Response) -> str:
    """Method or status, and what the SDP says: `183 sdp sendrecv local none remote sendrecv`."""
    if isinstance(message, Request):
        text = message.method
    else:
        text = f"{message.status}"
        if message.cseq.method != "INVITE":
            text += f" ({message.cseq.method})"
        if "100rel" in message.tokens("Require"):
            text += " reliable"
    if message.body:
        description = SessionDescription.parse(message.body)
        text += f" sdp {description.direction(0)}"
        for status in Statement.parse(description.media[0]).current:
            text += f", {status.segment} {status.way.tag}"
        for status in Statement.parse(description.media[0]).confirm:
            text += f", confirm {status.segment} {status.way.tag}"
    return text


def ladder(caller: Phone, callee: Phone | None, qos: list[str]) -> str:
    """Both phones' messages in the order of time; what the server does at one moment: the caller's first."""
    lines = []
    for place, one in enumerate((caller, callee)):
        for entry in one.recorder.entries if one is not None else ():
            if isinstance(entry, SipRecord):
                message = entry.message()
                assert message is not None
                if message.cseq.method == "REGISTER":
                    continue
                arrow = "->" if entry.sent else "<-"
                lines.append((entry.time, place, f"{'MO' if place == 0 else 'MT'} {arrow} {label(message)}"))
    lines.sort(key=lambda line: line[:2])
    return "\n".join([*(text for _, _, text in lines), *qos]) + "\n"


def call(row: Row, *, seconds: float = 1.0, **network: float) -> str:
    """Make the call of a row and write down its ladder."""
    result = ""

    async def scenario(lab: Lab) -> None:
        nonlocal result
        a = await phone(lab, 1, **PHONES[row.caller])
        b = await phone(lab, 2, **PHONES[row.callee]) if row.callee != "echo" else None
        made = a.call("666" if b is None else "1002")
        await made.wait_answered(120)
        await asyncio.sleep(seconds)
        qos = [f"# {each.type}: {each.medias[0].qos}" for each in lab.server.control.dialog_get()]
        counts = made.counts["audio"]
        assert counts.packets > 20
        made.hang_up()
        await made.wait_ended(300)
        for other in b.calls if b is not None else ():
            await other.wait_ended(300)
        result = ladder(a, b, qos)

    play(scenario, BASE + SERVERS[row.server], **network)
    return result


@pytest.mark.parametrize("row", list(rows()), ids=str)
def test_the_ladder_of_a_call(row: Row) -> None:
    seen = call(row)
    path = LADDERS / f"{row}.txt"
    if os.environ.get("LIBREIMS_LADDERS") == "write":
        LADDERS.mkdir(exist_ok=True)
        path.write_text(seen)
    assert seen == path.read_text()


def test_no_ladder_is_left_of_a_row_that_is_gone() -> None:
    assert {each.stem for each in LADDERS.iterdir()} == {str(row) for row in rows()}


LOSSY = [row for row in rows() if row.server == "on" and row.callee != "echo"]


@pytest.mark.parametrize("row", LOSSY, ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_one_packet_in_ten_is_lost(row: Row, seed: int) -> None:
    seen = call(row, seconds=2.0, seed=seed, loss=0.1, duplicate=0.05)
    assert "BYE" in seen
