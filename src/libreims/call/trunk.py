"""The SIP trunk: another network that calls us and takes the calls to numbers that nobody here has.

It is no phone: it does not register, it is known by the address that its requests come from, and it is
trusted to say who calls (RFC 3325 §4).  To a call it is one more caller or target.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from libreims.base.errors import Reject
from libreims.base.log import LayerLog
from libreims.base.tokens import Tokens
from libreims.call import charging
from libreims.call.caller import Caller
from libreims.call.events import Refused
from libreims.call.uac_leg import Target
from libreims.config.schema import Settings, Trunk
from libreims.config.store import ConfigStore
from libreims.net.address import bracketed, text
from libreims.proto.sip.flow import Address, Flow
from libreims.proto.sip.grammar import quote
from libreims.proto.sip.message import Request
from libreims.proto.sip.uri import Uri
from libreims.users.identity import ANONYMOUS, ANONYMOUS_HOST, Identity, hides, privacy_of

Resolve = Callable[[str], Awaitable[list[str]]]
"""The IP addresses of a host name; raises OSError."""
LocalFor = Callable[[str], Address]
"""Which of our addresses faces a host."""

OUT_OF_ORDER = Refused(503, None, (("Reason", 'Q.850;cause=38;text="Network out of order"'),))
"""The trunk does not answer."""


class TrunkPeer:
    """The far end of the trunk, or nothing where none is configured."""

    def __init__(self, config: ConfigStore, local_for: LocalFor, resolve: Resolve, log: LayerLog) -> None:
        self._config = config
        self._local_for = local_for
        self._resolve = resolve
        self._log = log
        trunk = config.current.trunk
        self._hosts: tuple[str, ...] = (trunk.addr[0],) if trunk is not None else ()
        """Where it is; the first one is called."""

    async def start(self) -> None:
        """Find the addresses of a trunk that is configured by name, and say what is odd."""
        settings = self._config.current
        trunk = settings.trunk
        if trunk is None:
            if any(each.trunk for each in settings.sip_addr):
                self._log.warn("sip_addr has an entry with trunk: true, but no trunk is configured")
            return
        host = trunk.addr[0]
        if _is_literal(host):
            return
        try:
            self._hosts = tuple(await self._resolve(host))
        except OSError as error:
            self._hosts = ()
            self._log.error(
                f"the trunk cannot be used: its name {host} is unknown ({error.strerror or error}); give "
                "its IP address in trunk.addr, or repair the name service, and start again"
            )

    # -- calls from the trunk ----------------------------------------------------------------------

    def sends(self, flow: Flow) -> bool:
        """Whether a request that came this way is the trunk's: any port of its address will do."""
        return flow.remote[0] in self._hosts

    @property
    def elsewhere(self) -> str:
        """Part of the sentence that refuses a stranger."""
        trunk = self._config.current.trunk
        return "" if trunk is None else f", and the trunk is {trunk.addr[0]} (trunk.addr)"

    def caller(self, request: Request, tokens: Tokens) -> Caller:
        """Who calls, as the trunk says."""
        trunk = self._config.current.trunk
        assert trunk is not None
        fields = request.fields
        from_ = request.from_
        privacy = privacy_of(fields["Privacy"]) if "Privacy" in fields else ""
        hidden = from_.uri.host == ANONYMOUS_HOST or (privacy != "" and hides(privacy))
        asserted = request.elements("P-Asserted-Identity") if "P-Asserted-Identity" in fields else []
        if not asserted and not hidden:
            asserted = [f"<{from_.uri_text}>"]
        identity = Identity(
            from_=ANONYMOUS if hidden else str(from_.without_params()),
            asserted=tuple(asserted),
            privacy=privacy or ("id" if hidden else ""),
            hidden=hidden,
            display_name=from_.display,
        )
        domain = self._config.current.domain
        back: tuple[tuple[str, str], ...] = ()
        if charging.NAME in fields:
            vector = fields[charging.NAME][0]
            charging.icid_of(vector)
            back = ((charging.NAME, charging.answered(vector, domain)),)
        else:
            vector = charging.new_vector(tokens.call_id(), domain)
        return Caller(
            _name(trunk), identity, charging=vector, answer_headers=back, tcp_threshold=trunk.tcp_threshold
        )

    def hint(self, request: Request, caller: Caller) -> str:
        """What else may help where nobody has the number."""
        trunk = self._config.current.trunk
        if trunk is None:
            return ""
        if not caller.from_trunk:
            return ". The trunk is not asked: it takes numbers and names, not this"
        if request.target.user == trunk.name:
            return ". The trunk calls its account name: give it to the user who is to be called"
        return ". It came from the trunk, to which it is not sent back"

    # -- calls to the trunk ----------------------------------------------------------------------------

    def takes(self, request: Request, caller: Caller) -> bool:
        """Whether a call to nobody we know goes to the trunk. Raises Reject (433, 503) where it must not."""
        trunk = self._config.current.trunk
        if trunk is None or not _number(request.target):
            return False
        if caller.identity.hidden and not trunk.anonymous:
            raise Reject(
                433,
                f"{_what(request)} of {caller.phone} to {request.uri} refused: the trunk takes no anonymous "
                "calls and messages; set trunk.anonymous to true to allow them",
            )
        if not self._hosts:
            raise Reject(
                503,
                f"{_what(request)} to {request.uri} refused: the address of the trunk {trunk.addr[0]} could "
                "not be found when the server started",
                headers=OUT_OF_ORDER.headers,
            )
        return True

    def target(self, request: Request, caller: Caller) -> Target:
        """Where a call to a number that nobody here has goes."""
        settings = self._config.current
        trunk = settings.trunk
        assert trunk is not None
        remote = (self._hosts[0], trunk.addr[1])
        domain = trunk.domain or bracketed(trunk.addr[0])
        account = _uri(trunk.name, domain)
        called = _uri(_number(request.target), domain)
        identity = caller.identity
        name = f"{quote(identity.display_name)} " if identity.display_name else ""
        headers = [("P-Asserted-Identity", f"<{account}>")]
        if identity.privacy:
            headers.append(("Privacy", identity.privacy))
        return Target(
            uri=called,
            flow=Flow("UDP", self._local(settings, remote[0]), remote),
            route=(),
            from_=ANONYMOUS if identity.hidden else f"{name}<{account}>",
            to=f"<{called}>",
            headers=tuple(headers),
            phone=_name(trunk),
            tcp_threshold=trunk.tcp_threshold,
            silent=OUT_OF_ORDER,
            advice=f"is trunk.addr {text(trunk.addr)} right, and does the far end know this server?",
        )

    def _local(self, settings: Settings, host: str) -> Address:
        """Our address towards the trunk: the `sip_addr` with `trunk`, or the one that faces it."""
        for each in settings.sip_addr:
            if each.trunk and (":" in each.addr[0]) == (":" in host):
                return each.addr
        return self._local_for(host)


def _what(request: Request) -> str:
    return "call" if request.method == "INVITE" else request.method


def _name(trunk: Trunk) -> str:
    return f"trunk {trunk.addr[0]}"


def _number(uri: Uri) -> str:
    """The number or user that a Request-URI names; empty for what no other network can know."""
    if uri.scheme not in ("sip", "sips", "tel"):
        return ""
    return uri.user.partition(";")[0]


def _uri(user: str, domain: str) -> str:
    home = Uri.parse(f"sip:{domain}")
    return str(Uri.sip(user, home.host, home.port))


def _is_literal(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()
