"""`libreims ue`: a simulated phone that does what the words on its command line say."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from libreims.base.errors import LibreImsError
from libreims.base.timers import TimerWheel
from libreims.base.tokens import Tokens
from libreims.net import address
from libreims.net.sockets import SocketNetwork
from libreims.proto.sip.stack import SipTimers
from libreims.ue import arguments, ipsec, ladder, report
from libreims.ue.config import PhoneConfig, PhoneConfigError
from libreims.ue.load import LoadRun
from libreims.ue.phone import Phone
from libreims.ue.recorder import Entry, Note, SipRecord
from libreims.ue.script import Script, Step, StepError, StepResult, parse_steps, steps_help
from libreims.ue.security import Ipsec
from libreims.ue.security_offer import SecurityError


def main(argv: Sequence[str] | None = None) -> int:
    """Run a phone with these arguments (those of the process by default); returns the exit status."""
    options = arguments.parser().parse_intermixed_args(argv)
    try:
        config = arguments.config(options)
        steps = parse_steps(options.steps)
        if not steps:
            raise StepError(f"what shall the phone do? Give steps:\n{steps_help()}")
    except (PhoneConfigError, SecurityError, StepError) as error:
        print(f"libreims ue: {error}", file=sys.stderr)
        return 2
    try:
        work = _load(config, steps, options) if options.count > 1 else _one(config, steps, options)
        return 0 if asyncio.run(work) else 1
    except (LibreImsError, OSError) as error:
        print(f"libreims ue: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


# -- one phone -------------------------------------------------------------------------------------


class _Printer:
    """Says what happens as it happens."""

    def __init__(self, options: argparse.Namespace, loop: asyncio.AbstractEventLoop) -> None:
        self._json: bool = options.json
        self._trace: bool = options.trace
        self._start = loop.time()
        self.offset = time.time() - loop.time()

    def entry(self, entry: Entry) -> None:
        """Something was sent, received or noted."""
        if self._json:
            self._line(report.json_entry(entry, self.offset))
        elif isinstance(entry, Note):
            self._say(entry.time, entry.text)
        elif self._trace:
            self._message(entry)

    def _message(self, record: SipRecord) -> None:
        way = "to" if record.sent else "from"
        flow = record.flow
        self._say(record.time, f"{way} {address.text(flow.remote)} over {flow.transport}")
        for line in record.data.decode("utf-8", "replace").splitlines():
            print(f"          {line}")

    def step(self, result: StepResult, now: float) -> None:
        """A step is over."""
        if self._json:
            step = result.step
            fields = {"name": step.name, "arguments": step.arguments, "ok": result.ok, "text": result.text}
            self._line({"type": "step", "time": now + self.offset, "seconds": result.seconds, **fields})
        else:
            self._say(now, f"[{'ok' if result.ok else 'FAILED'}] {result.step}: {result.text}")

    def summary(self, ok: bool, script: Script, tunnel: Ipsec | None) -> None:
        """The last line."""
        phone = script.phone
        esp = None if tunnel is None else ipsec.counts(tunnel)
        failed = next((result for result in script.results if not result.ok), None)
        if self._json:
            failure = {"step": str(failed.step), "text": failed.text} if failed else None
            line = {"type": "summary", "ok": ok, "failed": failure, "phone": report.json_phone(phone)}
            self._line({**line, "esp": esp})
            return
        if esp is not None:
            print(report.of_ipsec(phone, esp), flush=True)
        if ok:
            print(f"All {len(script.results)} steps succeeded.", flush=True)
        elif failed is not None:
            print(f"Failed at `{failed.step}`: {failed.text}", flush=True)

    def _say(self, when: float, text: str) -> None:
        print(f"{when - self._start:8.3f}  {text}", flush=True)

    @staticmethod
    def _line(value: dict[str, Any]) -> None:
        print(json.dumps(value, default=asdict), flush=True)


async def _one(config: PhoneConfig, steps: Sequence[Step], options: argparse.Namespace) -> bool:
    network = SocketNetwork(asyncio.get_running_loop())
    try:
        config = ipsec.placed(config, network, Tokens())
        with ipsec.opened(config, arguments.evidence(options), Tokens()) as tunnel:
            return await _run(network, tunnel, config, steps, options)
    finally:
        network.close()


async def _run(
    network: SocketNetwork,
    tunnel: Ipsec | None,
    config: PhoneConfig,
    steps: Sequence[Step],
    options: argparse.Namespace,
) -> bool:
    loop = asyncio.get_running_loop()
    phone = Phone(
        network,
        loop,
        Tokens(),
        config,
        timers=SipTimers(options.t1, 8 * options.t1, 10 * options.t1),
        answer_mode=arguments.answer_mode(options),
        audio_file=options.audio,
        ipsec=tunnel,
    )
    printer = _Printer(options, loop)
    phone.recorder.listener = printer.entry
    script = Script(phone)
    script.listener = lambda result: printer.step(result, loop.time())
    await phone.start()
    try:
        ok = await _until_signal(script.run(steps))
        await script.tidy_up()
        if options.ladder and not options.json:
            _print_ladder(phone)
        printer.summary(ok, script, tunnel)
        return ok
    finally:
        phone.close()


async def _until_signal(work: Any) -> bool:
    """Run the script; SIGINT and SIGTERM stop it in order."""
    loop = asyncio.get_running_loop()
    task: asyncio.Task[bool] = loop.create_task(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        print("stopped", file=sys.stderr, flush=True)
        return False
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _print_ladder(phone: Phone) -> None:
    rows = report.rows(phone.recorder.entries, "phone", "server")
    print("\n".join(ladder.render(("phone", "server"), rows, width=70)), flush=True)


async def _load(config: PhoneConfig, steps: Sequence[Step], options: argparse.Namespace) -> bool:
    loop = asyncio.get_running_loop()
    network = SocketNetwork(loop)
    began = loop.time()
    try:
        config = ipsec.placed(config, network, Tokens())
        with ipsec.opened(config, arguments.evidence(options), Tokens()) as tunnel:
            run = LoadRun(
                network,
                TimerWheel(loop),
                config,
                steps,
                count=options.count,
                rate=options.rate,
                answer_mode=arguments.answer_mode(options),
                say=lambda text: print(f"{loop.time() - began:8.1f}  {text}", flush=True),
                ipsec=tunnel,
            )
            ok = await run.run()
            print("\n".join(run.summary()), flush=True)
            return ok
    finally:
        network.close()
