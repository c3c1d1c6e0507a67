"""Where a registered phone is: what its contact says and where it was seen."""

from __future__ import annotations

from libreims.net.address import canonical_host
from libreims.proto.sip.flow import Flow
from libreims.proto.sip.uri import Uri


def hidden_by_nat(contact: str, flow: Flow) -> bool:
    """Whether a contact names another host than its phone is seen at: a NAT lies between, or a name."""
    host = Uri.parse(contact).host
    return host != flow.remote[0] and canonical_host(host) != flow.remote[0]
