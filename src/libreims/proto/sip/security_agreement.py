"""Security-Client, Security-Server and Security-Verify (RFC 3329 §2.2, TS 33.203 Annex H).

Read by `ipsec.agreements` on the server's side and by the simulated phone.  A mechanism is kept in a form in
which two of the same meaning are equal: names in lower case, values without quotes, numbers without leading
zeros, parameters in order of their names, defaults filled in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from libreims.proto.sip.grammar import LWS, decimal, generic_params, split_list
from libreims.proto.sip.message import Request, Response

OPTION_TAG = "sec-agree"
IPSEC_3GPP = "ipsec-3gpp"

_DEFAULTS = {"prot": "esp", "mod": "trans", "ealg": "null"}
"""What a mechanism ipsec-3gpp means where it does not say (TS 33.203 Annex H)."""
_SPI_LIMIT = 1 << 32
_PORT_LIMIT = 1 << 16


@dataclass(frozen=True, slots=True)
class Ipsec3gpp:
    """The mechanism ipsec-3gpp: ESP in transport mode, the SPIs and ports of who names it."""

    alg: str
    ealg: str
    spi_c: int
    """Of packets to its client port."""
    spi_s: int
    """Of packets to its server port."""
    port_c: int
    port_s: int

    def __str__(self) -> str:
        """An element of Security-Server, with its preference."""
        return f"{IPSEC_3GPP};q=0.1;{self._parameters}"

    @property
    def proposal(self) -> str:
        """An element of Security-Client."""
        return f"{IPSEC_3GPP};{self._parameters}"

    @property
    def _parameters(self) -> str:
        return (
            f"prot=esp;mod=trans;spi-c={self.spi_c};spi-s={self.spi_s};"
            f"port-c={self.port_c};port-s={self.port_s};alg={self.alg};ealg={self.ealg}"
        )


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One mechanism of a list, known or not."""

    name: str
    params: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> Mechanism:
        """Read one element. Raises SipParseError (400)."""
        name, _, rest = text.partition(";")
        name = name.strip(LWS).lower()
        params = {key: _normal(value or "") for key, value in generic_params(rest).items()} if rest else {}
        if name == IPSEC_3GPP:
            params = {**_DEFAULTS, **params}
        return cls(name, tuple(sorted(params.items())))

    def ipsec(self) -> Ipsec3gpp | None:
        """The mechanism as ipsec-3gpp with ESP in transport mode; None where it is another or incomplete."""
        params = dict(self.params)
        if self.name != IPSEC_3GPP or params["prot"] != "esp" or params["mod"] != "trans":
            return None
        spi_c, spi_s = (_number(params.get(key), 0, _SPI_LIMIT) for key in ("spi-c", "spi-s"))
        port_c, port_s = (_number(params.get(key), 1, _PORT_LIMIT) for key in ("port-c", "port-s"))
        alg = params.get("alg")
        if not alg or spi_c is None or spi_s is None or port_c is None or port_s is None:
            return None
        return Ipsec3gpp(alg, params["ealg"], spi_c, spi_s, port_c, port_s)


def mechanisms(values: Iterable[str]) -> tuple[Mechanism, ...]:
    """The mechanisms of all lines of a header, in order. Raises SipParseError (400)."""
    return tuple(Mechanism.parse(element) for value in values for element in split_list(value))


def same(ours: Iterable[str], theirs: Iterable[str]) -> bool:
    """Whether two headers mean the same: what one names, with the same parameters, the other one does too.

    Raises SipParseError (400).
    """
    ours, theirs = tuple(ours), tuple(theirs)
    return ours == theirs or frozenset(mechanisms(ours)) == frozenset(mechanisms(theirs))


def is_required(message: Request | Response) -> bool:
    """Whether the peer insists on an agreement: `sec-agree` in Require or Proxy-Require (RFC 3329 §2.3.1)."""
    fields = message.fields
    if "Require" not in fields and "Proxy-Require" not in fields:
        return False
    return OPTION_TAG in message.tokens("Require") or OPTION_TAG in message.tokens("Proxy-Require")


def _normal(value: str) -> str:
    """A value in the one form that stands for all forms of the same meaning."""
    number = decimal(value)
    if number is not None:
        return str(number)
    before, dot, after = value.partition(".")
    if dot and (before + after).isascii() and (before + after).isdigit():
        # A q value: `0.5`, `0.50` and `.5` say the same, and so do `1` and `1.0`.
        after = after.rstrip("0")
        before = before.lstrip("0") or "0"
        return f"{before}.{after}" if after else before
    return value.lower()


def _number(text: str | None, low: int, limit: int) -> int | None:
    number = None if text is None else decimal(text)
    return number if number is not None and low <= number < limit else None
