"""CPU microseconds to write and read a typical short message, beside pycrate in the same run.

    python bench/sms.py

A message of 100 characters in the GSM 7 bit alphabet, with RP around it, as it comes from a phone
(SMS-SUBMIT) and goes to one (SMS-DELIVER).  Each figure is the best of several runs, since everything that
disturbs a run makes it slower.
"""

from __future__ import annotations

import platform
import sys
import time
import timeit
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

from pycrate_mobile import TS23040_SMS as SMS
from pycrate_mobile import TS24011_PPSMS as PPSMS

from libreims.proto.sms import rp
from libreims.proto.sms.address import Address
from libreims.proto.sms.deliver import Deliver
from libreims.proto.sms.rp import RpData
from libreims.proto.sms.segments import segment
from libreims.proto.sms.submit import Submit
from libreims.proto.sms.timestamp import Timestamp
from libreims.proto.sms.tpdu import decode_from_phone, decode_to_phone
from libreims.proto.sms.user_data import UserData
from libreims.proto.sms.validity import RelativeValidity

RUNS = 7
TEXT = "The quick brown fox jumps over the lazy dog, twice: [the quick brown fox] jumps over it again today!"
CENTRE = Address.of_number("+33600000000")
NUMBER = Address.of_number("+33600000124")
UTC = 1_795_977_005.0
LONG = TEXT * 5


def write_submit() -> bytes:
    submit = Submit(7, NUMBER, UserData.of_text(TEXT), validity=RelativeValidity(167))
    return rp.encode_from_phone(RpData(1, CENTRE, submit.encode()))


def read_submit(octets: bytes) -> tuple[str, str | None]:
    message = rp.decode_from_phone(octets)
    assert isinstance(message, RpData)
    submit = decode_from_phone(message.user_data)
    assert isinstance(submit, Submit)
    return submit.destination.number, submit.user_data.text(submit.dcs)


def write_deliver() -> bytes:
    deliver = Deliver(NUMBER, Timestamp.at(UTC), UserData.of_text(TEXT))
    return rp.encode_to_phone(RpData(1, CENTRE, deliver.encode()))


def read_deliver(octets: bytes) -> tuple[str, str | None]:
    message = rp.decode_to_phone(octets)
    assert isinstance(message, RpData)
    deliver = decode_to_phone(message.user_data)
    assert isinstance(deliver, Deliver)
    return deliver.originator.number, deliver.user_data.text(deliver.dcs)


def relay(octets: bytes) -> bytes:
    """What a centre does with a text that it does not look into: SUBMIT in, DELIVER out."""
    message = rp.decode_from_phone(octets)
    assert isinstance(message, RpData)
    submit = decode_from_phone(message.user_data)
    assert isinstance(submit, Submit)
    deliver = Deliver(NUMBER, Timestamp.at(UTC), submit.user_data, submit.pid, submit.dcs)
    return rp.encode_to_phone(RpData(2, CENTRE, deliver.encode()))


def address(number: Address) -> dict[str, object]:
    return {"Type": 1, "NumberingPlan": 1, "Num": number.digits}


def pycrate_write_submit() -> bytes:
    submit = SMS.SMS_SUBMIT(val={"TP_MR": 7, "TP_VPF": 2})
    submit["TP_DA"].set_val(address(NUMBER))
    submit[10].set_val(167)
    submit["TP_UD"]["UD"].encode(TEXT)
    message = PPSMS.RP_DATA_MO(val={"Ref": 1})
    message["RPDestinationAddress"]["V"].set_val(PPSMS.RPDestinationAddress(val=address(CENTRE)).to_bytes())
    message.set_tpdu(submit)
    return bytes(message.to_bytes())


def pycrate_read_submit(octets: bytes) -> tuple[str, str]:
    message = PPSMS.RP_DATA_MO()
    message.from_bytes(octets)
    submit = message["RPUserData"]["SMS_SUBMIT"]
    return submit["TP_DA"]["Num"].decode(), submit["TP_UD"]["UD"].decode()


def pycrate_write_deliver() -> bytes:
    deliver = SMS.SMS_DELIVER(val={"TP_MMS": 1})
    deliver["TP_OA"].set_val(address(NUMBER))
    deliver["TP_SCTS"].set_val((time.gmtime(UTC), 0.0))
    deliver["TP_UD"]["UD"].encode(TEXT)
    message = PPSMS.RP_DATA_MT(val={"Ref": 1})
    message["RPOriginatorAddress"]["V"].set_val(PPSMS.RPOriginatorAddress(val=address(CENTRE)).to_bytes())
    message.set_tpdu(deliver)
    return bytes(message.to_bytes())


def pycrate_read_deliver(octets: bytes) -> tuple[str, str]:
    message = PPSMS.RP_DATA_MT()
    message.from_bytes(octets)
    deliver = message["RPUserData"]["SMS_DELIVER"]
    return deliver["TP_OA"]["Num"].decode(), deliver["TP_UD"]["UD"].decode()


def microseconds(function: Callable[[], object], loops: int) -> float:
    return min(timeit.repeat(function, timer=time.process_time, number=loops, repeat=RUNS)) / loops * 1e6


def main() -> None:
    submit, deliver = write_submit(), write_deliver()
    # Both write the same octets and read the same text, else there is nothing to compare.
    assert pycrate_write_submit() == submit
    assert pycrate_write_deliver() == deliver
    assert read_submit(submit) == ("+" + pycrate_read_submit(submit)[0], TEXT)
    assert read_deliver(deliver) == ("+" + pycrate_read_deliver(deliver)[0], TEXT)
    assert pycrate_read_submit(submit)[1] == pycrate_read_deliver(deliver)[1] == TEXT

    print(f"{platform.python_implementation()} {platform.python_version()}, microseconds, best of {RUNS}")
    print(f"{'':32}{'libreims':>10}{'pycrate':>10}{'times':>8}")
    for name, ours, theirs in (
        ("SUBMIT in RP-DATA, written", write_submit, pycrate_write_submit),
        ("SUBMIT in RP-DATA, read", lambda: read_submit(submit), lambda: pycrate_read_submit(submit)),
        ("DELIVER in RP-DATA, written", write_deliver, pycrate_write_deliver),
        ("DELIVER in RP-DATA, read", lambda: read_deliver(deliver), lambda: pycrate_read_deliver(deliver)),
    ):
        fast, slow = microseconds(ours, 2000), microseconds(theirs, 100)
        print(f"{name:32}{fast:10.1f}{slow:10.1f}{slow / fast:8.0f}")
    print(f"{'SUBMIT in, DELIVER out':32}{microseconds(lambda: relay(submit), 2000):10.1f}")
    print(f"{f'text of {len(LONG)} cut into parts':32}{microseconds(lambda: segment(LONG, 1), 500):10.1f}")


if __name__ == "__main__":
    main()
