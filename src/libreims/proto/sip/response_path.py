"""Where a response goes: `received` and `rport` in the topmost Via, then the way back.

RFC 3261 §18.2.1 and §18.2.2, RFC 3581 §4.
"""

from __future__ import annotations

from libreims.proto.sip.flow import Address, Flow
from libreims.proto.sip.headers import Via
from libreims.proto.sip.message import Request

DEFAULT_PORT = 5060


def stamp(request: Request, via: Via, flow: Flow) -> Flow:
    """Write into the topmost Via (`via`) where the request came from; returns the flow for responses.

    UDP: back to the source address, and to its port with `rport`, else to the port of sent-by.  `maddr` is
    not followed: anyone could aim our responses at anyone.  TCP: the same connection, or when that is
    closed a new one to the port of sent-by.
    """
    host, port = flow.remote
    params = via.params
    if "rport" in params:
        request.replace_via(_with_source(via, host, port))
        if flow.transport == "UDP":
            return flow
    elif via.host != host or "received" in params:
        request.replace_via(via.with_params(received=_received(host)))
    return _back(flow, (host, via.port or DEFAULT_PORT))


def _with_source(via: Via, host: str, port: int) -> Via:
    """RFC 3581 §4: `rport` gets its value and `received` is there even when it says nothing new."""
    received = _received(host)
    text = ""
    before, name, after = str(via).partition(";rport")
    if name and "received" not in via.params and (not after or after[0] == ";") and ";rport" not in after:
        text = f"{before};rport={port};received={received}{after}"
    params = {**via.params, "rport": str(port), "received": received}
    return Via(via.transport, via.host, via.port, params, version=via.version, text=text)


def _received(host: str) -> str:
    """RFC 3261 §25.1 writes an IPv6 address here without brackets; a zone is ours alone."""
    return host.partition("%")[0]


def _back(flow: Flow, remote: Address) -> Flow:
    return flow if flow.remote == remote else Flow(flow.transport, flow.local, remote, flow.connection)
