"""`/metrics`: what Prometheus gets when it asks (`com_metrics`, a property of our own).

Gathered on request from integers that are counted anyway; asking costs some microseconds for each call that
is on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from libreims import __version__
from libreims.base.counters import Counters
from libreims.base.metrics import Family, Histogram, Sample, counter, exposition, gauge, labelled
from libreims.call.calls import Calls
from libreims.call.session import INIT, NEW, RINGING, START
from libreims.media.relay import MediaRelay
from libreims.net.tunnel import Tunnel
from libreims.proto.sip.stack import SipStack
from libreims.registrar.authentication import Authenticator
from libreims.sms.centre import SmsCentre
from libreims.users.bindings import Bindings

_SIP = "sip_"


@dataclass(frozen=True, slots=True)
class MetricSources:
    """Where the numbers are; made by the composition root."""

    bindings: Bindings
    calls: Calls
    relay: MediaRelay
    stack: SipStack
    authenticator: Authenticator
    sms: SmsCentre
    counters: Counters
    registration: Histogram
    """Seconds from a REGISTER to its answer."""
    tunnel: Callable[[], Tunnel | None]
    """IPsec, where there is any."""

    def text(self) -> str:
        """The whole page."""
        return exposition(self._families())

    def _families(self) -> Iterator[Family]:
        yield Family(
            "libreims_info", "gauge", "Version of the program.", (Sample(1, (("version", __version__),)),)
        )
        yield counter("process_cpu_seconds_total", "CPU time used.", time.process_time())
        yield from self._registrations()
        yield from self._calls()
        yield from self._sip()
        yield from self._media()
        yield from self._sms()
        tunnel = self.tunnel()
        if tunnel is not None:
            yield from self._ipsec(tunnel)

    def _registrations(self) -> Iterator[Family]:
        yield gauge("libreims_registrations", "Contacts that are registered.", len(self.bindings))
        yield counter(
            "libreims_authentication_failures_total",
            "Answers to challenges that were wrong.",
            self.authenticator.failed,
        )
        yield self.registration.family(
            "libreims_registration_seconds", "From a REGISTER to its answer, challenges included."
        )

    def _calls(self) -> Iterator[Family]:
        states = dict.fromkeys((INIT, RINGING, START), 0)
        for session in self.calls.sessions:
            state = INIT if session.state == NEW else session.state
            states[state] = states.get(state, 0) + 1
        statistics = self.calls.statistics
        yield labelled("libreims_calls", "gauge", "Calls that are on, by state.", "state", states)
        yield labelled(
            "libreims_calls_ended_total",
            "counter",
            "Calls that are over: normal, stopped, cancelled, or the status code of the refusal.",
            "cause",
            statistics.ended,
        )
        yield statistics.setup.family(
            "libreims_call_setup_seconds", "From the INVITE of a call to its answer."
        )

    def _sip(self) -> Iterator[Family]:
        messages, errors = self.counters.totals()
        sip = {name[len(_SIP) :]: count for name, count in messages.items() if name.startswith(_SIP)}
        others = {name: count for name, count in messages.items() if not name.startswith(_SIP)}
        yield labelled(
            "libreims_sip_messages_total",
            "counter",
            "SIP messages, in and out, without retransmissions: methods and status codes.",
            "name",
            sip,
        )
        yield labelled(
            "libreims_events_total", "counter", "Other things that `stats` counts.", "name", others
        )
        yield labelled("libreims_errors_total", "counter", "Errors that `stats` counts.", "name", errors)
        yield gauge("libreims_sip_transactions", "SIP transactions that are not over.", self.stack.active)
        yield labelled(
            "libreims_sip_retransmissions_total",
            "counter",
            "SIP messages that came or went again.",
            "direction",
            {"received": self.stack.retransmissions_received, "sent": self.stack.retransmissions_sent},
        )

    def _media(self) -> Iterator[Family]:
        rtp, rtcp = self.relay.packets()
        samples = [
            Sample(count, (("protocol", protocol), ("direction", direction)))
            for protocol, counts in (("rtp", rtp), ("rtcp", rtcp))
            for direction, count in zip(("received", "sent"), counts, strict=True)
        ]
        yield Family("libreims_media_packets_total", "counter", "RTP and RTCP packets.", tuple(samples))
        yield gauge("libreims_media_ports", "Media ports that are open.", len(self.relay))

    def _ipsec(self, tunnel: Tunnel) -> Iterator[Family]:
        yield gauge("libreims_ipsec_associations", "Security associations in force.", sum(1 for _ in tunnel))
        yield labelled(
            "libreims_ipsec_packets_total",
            "counter",
            "Packets of IPsec: sent, received, or why they were dropped.",
            "result",
            tunnel.packets,
        )

    def _sms(self) -> Iterator[Family]:
        yield gauge("libreims_sms_pending", "Short messages that wait.", len(self.sms))
        yield counter("libreims_sms_accepted_total", "Short messages accepted.", self.sms.accepted)
        yield labelled(
            "libreims_sms_settled_total",
            "counter",
            "Short messages that are done with, by what became of them (TP-ST).",
            "status",
            {status.name.lower(): count for status, count in self.sms.settled.items()},
        )
