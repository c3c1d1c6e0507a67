"""The media of one call: its streams, what was offered and answered, who holds whom (RFC 3264).

Synchronous; the call tells it what SDP came and asks it what SDP to send.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from libreims.base.clock import Clock
from libreims.base.errors import LibreImsError
from libreims.base.tokens import Tokens
from libreims.net.port import Network
from libreims.proto.sdp.description import Direction, SdpError, SessionDescription
from libreims.proto.sdp.offer_answer import (
    LocalOrigin,
    check_answer,
    check_offer,
    is_hold,
    strip_preconditions,
)
from libreims.proto.sdp.precondition import Preconditions
from libreims.ue import negotiation
from libreims.ue.audio import CODECS, Codec, PayloadSource, from_file, invented
from libreims.ue.config import PhoneConfig
from libreims.ue.negotiation import Choice
from libreims.ue.stream import RtpStream, StreamCounts


class MediaError(LibreImsError):
    """A description that this phone cannot work with; the text says why."""


class MediaSession:
    """Streams and descriptions of one call."""

    def __init__(
        self,
        network: Network,
        clock: Clock,
        tokens: Tokens,
        config: PhoneConfig,
        host: str,
        audio_file: Path | None = None,
    ) -> None:
        self._network = network
        self._clock = clock
        self._tokens = tokens
        self._config = config
        self._host = host
        self._audio_file = audio_file
        self._origin = LocalOrigin.start(tokens.integer(1, 2**61), host)
        self._streams: dict[int, RtpStream] = {}
        self._local: SessionDescription | None = None
        self._remote: SessionDescription | None = None
        self._offer: SessionDescription | None = None
        self._choices: list[Choice | None] = []
        self._kinds = {"audio"} | {kind for kind in ("video", "text") if getattr(config, kind)}
        self.preconditions: Preconditions | None = None
        """Where this phone has them: our own side, and what the other says of its."""
        if config.precondition:
            self.preconditions = Preconditions()
            self.preconditions.demand("mandatory")
        self._held = False
        self._talking = False
        self._known = False  # to both sides: what was agreed
        self._closed: dict[str, StreamCounts] | None = None

    # -- what we say -------------------------------------------------------------------------------

    def offer(self, kinds: Sequence[str]) -> bytes:
        """The first offer, with an m-line for each of `kinds`; opens ports. Raises NoPorts."""
        self._kinds.update(kinds)
        lines = []
        for index, kind in enumerate(kinds):
            stream = self._stream(index)
            lines.append(negotiation.offered_line(kind, stream.local[1], self._codecs(kind), "sendrecv"))
        described = negotiation.description(self._host, lines)
        if self.preconditions is not None:
            described = self.preconditions.offer(described)
        self._offer = self._origin.stamp(described)
        return self._offer.encode()

    def reoffer(self, *, held: bool | None = None) -> bytes:
        """The same m-lines again; `held` True or False holds or resumes."""
        if held is not None:
            self._held = held
        if self._local is None:
            raise MediaError("there is nothing to offer again")
        lines = [
            negotiation.with_direction(media, self._wanted) if media.port else media
            for media in self._local.media
        ]
        described = negotiation.description(self._host, lines)
        if self.preconditions is not None:
            used = self.preconditions.in_use
            described = self.preconditions.offer(described) if used else strip_preconditions(described)
        self._offer = self._origin.stamp(described)
        return self._offer.encode()

    @property
    def _wanted(self) -> Direction:
        return "sendonly" if self._held else "sendrecv"

    def _codecs(self, kind: str) -> list[Codec]:
        if kind == "audio":
            return [CODECS[name.lower()] for name in self._config.codecs]
        return [codec for codec in CODECS.values() if codec.media == kind]

    def _stream(self, index: int) -> RtpStream:
        stream = self._streams.get(index)
        if stream is None:
            stream = self._streams[index] = RtpStream(
                self._network,
                self._clock,
                self._tokens,
                self._host,
                self._config.rtp_ports,
                self._config.rtcp_interval,
            )
        return stream

    # -- what they say -----------------------------------------------------------------------------

    def offered(self, body: bytes) -> bytes:
        """Take an offer and give the answer. Raises MediaError, NoPorts; then nothing has changed."""
        offer = _parse(body)
        problems = check_offer(offer)
        if problems:
            raise MediaError("; ".join(problems))
        choices = [
            negotiation.choose(media, self._codecs(media.kind)) if media.kind in self._kinds else None
            for media in offer.media
        ]
        if not any(choices):
            raise MediaError(f"no codec in common: offered was {negotiation.summary(body) or 'nothing'}")
        lines = []
        for index, choice in enumerate(choices):
            port = self._stream(index).local[1] if choice is not None else 0
            lines.append(negotiation.answered_line(offer, index, choice, port, self._wanted))
        described = negotiation.description(self._host, lines)
        if self.preconditions is not None:
            self.preconditions.received_offer(offer)
            described = self.preconditions.answer(described)
        self._local = self._origin.stamp(described)
        self._remote = offer
        self._offer = None
        self._apply(choices)
        return self._local.encode()

    def answered(self, body: bytes) -> None:
        """Take the answer to our offer; a fork's answer may come after another's. Raises MediaError."""
        offer = self._offer or self._local
        if offer is None:
            raise MediaError("an answer came without an offer")
        answer = _parse(body)
        problems = check_answer(offer, answer)
        if problems:
            raise MediaError("; ".join(problems))
        choices = [negotiation.choose(media, self._codecs(media.kind)) for media in answer.media]
        if not any(choices):
            raise MediaError(f"the answer has no codec that was offered: {negotiation.summary(body)}")
        if self.preconditions is not None:
            self.preconditions.received_answer(answer)
        self._local, self._remote, self._offer = offer, answer, None
        self._known = True
        self._apply(choices)

    def abandon(self, *, held: bool) -> None:
        """Our last offer was refused: all is as before it (RFC 3264 §8), also who holds."""
        self._offer = None
        self._held = held
        if self.preconditions is not None:
            self.preconditions.untold()

    def _apply(self, choices: Sequence[Choice | None]) -> None:
        assert self._local is not None and self._remote is not None
        for index, choice in enumerate(choices):
            stream = self._streams.get(index)
            if choice is None:
                if stream is not None:
                    stream.close()
                    del self._streams[index]
                continue
            talking = self._talking and not self._held
            agreed = negotiation.agreement(
                self._local, self._remote, index, choice, talking=talking, reporting=self._known
            )
            stream = self._stream(index)
            stream.agree(agreed, partial(self._source, stream, choice))
        self._choices = list(choices)

    def _source(self, stream: RtpStream, choice: Choice) -> PayloadSource:
        if choice.codec.media == "audio" and self._audio_file is not None:
            return from_file(self._audio_file, choice.codec, choice.aligned)
        return invented(choice.codec, stream.ssrc, choice.aligned)

    def talk(self) -> None:
        """The call is up: send what the directions allow."""
        self._talking = self._known = True
        if self._local is not None and self._remote is not None:
            self._apply(self._choices)

    # -- what is known -----------------------------------------------------------------------------

    @property
    def offering(self) -> bool:
        """An offer of ours waits for its answer."""
        return self._offer is not None

    @property
    def held(self) -> bool:
        """We hold the other side."""
        return self._held

    @property
    def held_by_peer(self) -> bool:
        """The other side holds us."""
        return self._remote is not None and is_hold(self._remote)

    @property
    def directions(self) -> dict[str, Direction]:
        """Our direction of each media type that is on."""
        if self._local is None or self._remote is None:
            return {}
        return {
            media.kind: self._local.direction(index)
            for index, media in enumerate(self._local.media)
            if media.port and self._remote.media[index].port
        }

    @property
    def codecs(self) -> dict[str, str]:
        """The codec of each media type that is on."""
        return {
            stream.agreed.codec.media: stream.agreed.codec.name
            for stream in self._streams.values()
            if stream.agreed is not None
        }

    @property
    def counts(self) -> dict[str, StreamCounts]:
        """What was sent and heard by media type; stays readable after `close`."""
        if self._closed is not None:
            return self._closed
        return {
            stream.agreed.codec.media: stream.counts
            for stream in self._streams.values()
            if stream.agreed is not None
        }

    def close(self) -> None:
        """Stop and return the ports; harmless the second time."""
        if self._closed is None:
            self._closed = self.counts
            for stream in self._streams.values():
                stream.close()
            self._streams.clear()


def _parse(body: bytes) -> SessionDescription:
    try:
        return SessionDescription.parse(body)
    except SdpError as error:
        raise MediaError(f"SDP that cannot be read: {error}") from None
