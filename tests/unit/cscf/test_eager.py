"""Procedures are started at once and those of one key never overlap."""

from __future__ import annotations

import asyncio

import pytest

from libreims.cscf.eager import Serial


def steps(name: str, log: list[str], gate: asyncio.Future[None] | None = None):  # type: ignore[no-untyped-def]
    async def procedure() -> None:
        log.append(f"{name} begins")
        if gate is not None:
            await gate
        log.append(f"{name} ends")

    return procedure()


async def test_what_does_not_wait_is_done_before_run_returns() -> None:
    serial, log = Serial(), list[str]()
    serial.run("a", steps("one", log))
    assert log == ["one begins", "one ends"]
    assert len(serial) == 0


async def test_one_key_one_after_the_other_in_order_of_arrival() -> None:
    serial, log = Serial(), list[str]()
    gate = asyncio.get_running_loop().create_future()
    serial.run("a", steps("one", log, gate))
    serial.run("a", steps("two", log))
    serial.run("a", steps("three", log))
    serial.run("b", steps("other", log))
    assert log == ["one begins", "other begins", "other ends"]
    gate.set_result(None)
    while len(serial):
        await asyncio.sleep(0)
    assert log[3:] == ["one ends", "two begins", "two ends", "three begins", "three ends"]
    assert not serial._queues


async def test_a_procedure_that_waits_goes_on_where_it_was() -> None:
    serial, log = Serial(), list[str]()

    async def procedure() -> None:
        for number in range(3):
            await asyncio.sleep(0)
            log.append(str(number))

    serial.run("a", procedure())
    while len(serial):
        await asyncio.sleep(0)
    assert log == ["0", "1", "2"]


async def test_what_is_awaited_and_fails_is_raised_inside_the_procedure() -> None:
    serial, log = Serial(), list[str]()
    gate = asyncio.get_running_loop().create_future()

    async def procedure() -> None:
        try:
            await gate
        except ValueError as error:
            log.append(f"caught {error}")

    serial.run("a", procedure())
    gate.set_exception(ValueError("it"))
    while len(serial):
        await asyncio.sleep(0)
    assert log == ["caught it"]


async def test_a_fault_of_one_procedure_does_not_cost_those_behind_it() -> None:
    serial, log = Serial(), list[str]()
    gate = asyncio.get_running_loop().create_future()
    faults: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: faults.append(context["exception"]))
    serial.run("a", steps("one", log, gate))
    serial.run("a", steps("two", log))
    gate.set_exception(RuntimeError("fault"))
    while len(serial):
        await asyncio.sleep(0)
    assert log == ["one begins", "two begins", "two ends"]


async def test_a_fault_before_the_first_wait_is_the_callers_and_leaves_the_key_free() -> None:
    serial, log = Serial(), list[str]()

    async def fault() -> None:
        raise RuntimeError("at once")

    with pytest.raises(RuntimeError):
        serial.run("a", fault())
    serial.run("a", steps("two", log))
    assert log == ["two begins", "two ends"]


async def test_cancel_gives_up_what_waits_and_what_is_queued() -> None:
    serial, log = Serial(), list[str]()
    gate = asyncio.get_running_loop().create_future()
    serial.run("a", steps("one", log, gate))
    serial.run("a", steps("two", log))
    serial.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert log == ["one begins"]
    assert len(serial) == 0 and not serial._queues
