"""What a phone says: RTP payloads at the rate of a codec.

Every source is made from a seed, so that no two phones of a run say the same octets: a phone knows its own
voice again when it comes back from an echo.  Codecs are RFC 3551 (PCMU, PCMA), RFC 4867 (AMR, AMR-WB),
RFC 6184 (H264) and RFC 4103 (T140).
"""

from __future__ import annotations

import math
import random
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from libreims.base.errors import LibreImsError


class AudioFileError(LibreImsError):
    """A file that cannot be played; the text says what to change."""


@dataclass(frozen=True, slots=True)
class Codec:
    """What SDP and RTP need to know of a codec."""

    name: str
    media: str
    clock_rate: int
    payload_type: int
    """The static number, or the dynamic one that this phone offers."""
    fmtp: str = ""
    channels: int = 1
    interval: float = 0.02
    """Seconds between two packets."""

    @property
    def rtpmap(self) -> str:
        """`name/rate` as in a=rtpmap (RFC 8866 §6.6)."""
        suffix = "/1" if self.name.startswith("AMR") else ""
        return f"{self.name}/{self.clock_rate}{suffix}"

    @property
    def ticks(self) -> int:
        """Timestamp units between two packets."""
        return round(self.clock_rate * self.interval)


CODECS: dict[str, Codec] = {
    codec.name.lower(): codec
    for codec in (
        Codec("PCMU", "audio", 8000, 0),
        Codec("PCMA", "audio", 8000, 8),
        Codec("AMR-WB", "audio", 16000, 104, "octet-align=1; mode-change-capability=2; max-red=0"),
        Codec("AMR", "audio", 8000, 102, "octet-align=1; mode-change-capability=2; max-red=0"),
        Codec("H264", "video", 90000, 113, "profile-level-id=42C01F; packetization-mode=1", interval=0.04),
        Codec("T140", "text", 1000, 112, interval=0.3),
    )
}
"""By lower-case name."""

PayloadSource = Iterator[bytes]
"""Endless payloads, one for each packet."""


def linear_to_ulaw(sample: int) -> int:
    """One 16-bit linear sample as a G.711 mu-law octet."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), 32635) + 132
    exponent = magnitude.bit_length() - 8
    return ~(sign | exponent << 4 | (magnitude >> (exponent + 3)) & 0x0F) & 0xFF


def linear_to_alaw(sample: int) -> int:
    """One 16-bit linear sample as a G.711 A-law octet."""
    sign = 0 if sample < 0 else 0x80
    magnitude = min(abs(sample) >> 3, 4095)
    exponent = max(0, magnitude.bit_length() - 5)
    mantissa = magnitude >> (exponent if exponent else 1) & 0x0F
    return (sign | exponent << 4 | mantissa) ^ 0x55


_ULAW = [linear_to_ulaw(((index << 2) ^ 0x8000) - 0x8000) for index in range(1 << 14)]
"""Octet for each 14-bit two's complement sample."""


def ulaw(samples: list[int]) -> bytes:
    """16-bit linear samples as mu-law octets."""
    return bytes(_ULAW[(sample & 0xFFFF) >> 2] for sample in samples)


def tone(seed: int, encode: Callable[[int], int], rate: int, frame: int) -> PayloadSource:
    """A sine with a breath of noise: the frequency and the noise come from the seed."""
    noise = random.Random(seed)
    frequency = 300 + noise.randrange(700)
    position = 0
    while True:
        samples = (
            int(8000 * math.sin(2 * math.pi * frequency * (position + index) / rate))
            + noise.randint(-600, 600)
            for index in range(frame)
        )
        yield bytes(encode(sample) for sample in samples)
        position += frame


# Frame type and speech bits of the mode that is sent (RFC 4867 §4.3.2; TS 26.101, TS 26.201).
_AMR_MODE = (7, 244)  # 12.2 kbit/s
_AMR_WB_MODE = (2, 253)  # 12.65 kbit/s


def amr_size(codec: Codec, aligned: bool) -> int:
    """Octets of a payload with one speech frame."""
    bits = (_AMR_WB_MODE if codec.name == "AMR-WB" else _AMR_MODE)[1]
    return 2 + (bits + 7) // 8 if aligned else (10 + bits + 7) // 8


def amr(seed: int, codec: Codec, aligned: bool) -> PayloadSource:
    """Good frames with invented speech bits: no mode request, one frame a packet (RFC 4867 §4.3, §4.4)."""
    speech = random.Random(seed)
    frame_type, bits = _AMR_WB_MODE if codec.name == "AMR-WB" else _AMR_MODE
    # CMR 15; table of contents F=0, FT, Q=1.
    head, head_bits = (
        (0xF0 << 8 | frame_type << 3 | 4, 16) if aligned else (15 << 6 | frame_type << 1 | 1, 10)
    )
    size = amr_size(codec, aligned)
    padding = 8 * size - head_bits - bits
    while True:
        yield ((head << bits | speech.getrandbits(bits)) << padding).to_bytes(size, "big")


def video(seed: int) -> PayloadSource:
    """Single NAL unit packets of invented slices, every 25th of an instantaneous decoding refresh."""
    picture = random.Random(seed)
    while True:
        for number in range(25):
            yield bytes((0x65 if number == 0 else 0x41,)) + picture.randbytes(picture.randint(200, 900))


def typed_text(seed: int) -> PayloadSource:
    """Someone who types, a letter or two a packet."""
    typist = random.Random(seed)
    sentence = f"Hello from phone {typist.randrange(10**6)}. "
    while True:
        for letter in sentence:
            yield letter.encode()


def invented(codec: Codec, seed: int, aligned: bool = True) -> PayloadSource:
    """A source for any codec of `CODECS`; `aligned`: AMR in its octet-aligned form."""
    samples = round(codec.clock_rate * codec.interval)
    match codec.name:
        case "PCMU":
            return tone(seed, linear_to_ulaw, codec.clock_rate, samples)
        case "PCMA":
            return tone(seed, linear_to_alaw, codec.clock_rate, samples)
        case "AMR" | "AMR-WB":
            return amr(seed, codec, aligned)
        case "H264":
            return video(seed)
        case "T140":
            return typed_text(seed)
    raise ValueError(codec.name)


def from_file(path: Path, codec: Codec, aligned: bool = True) -> PayloadSource:
    """Play a file over and over: a .wav (any rate, 8 or 16 bits, sent as PCMU) or raw payload octets.

    A raw file is cut into frames of the codec's size: 20 ms of PCMU or PCMA, one frame of AMR or AMR-WB
    as it stands in a packet.  Raises AudioFileError.
    """
    try:
        data = _wav(path) if path.suffix.lower() == ".wav" else path.read_bytes()
    except OSError as error:
        raise AudioFileError(f"cannot read {path}: {error}") from error
    if path.suffix.lower() == ".wav" and codec.name != "PCMU":
        raise AudioFileError(
            f"{path}: a .wav is sent as PCMU, but the call uses {codec.name}; offer PCMU only"
        )
    size = amr_size(codec, aligned) if codec.name.startswith("AMR") else codec.ticks
    frames = [data[start : start + size] for start in range(0, len(data) - size + 1, size)]
    if not frames:
        raise AudioFileError(f"{path} is shorter than one {codec.name} packet ({size} octets)")
    return _repeat(frames)


def _repeat(frames: list[bytes]) -> PayloadSource:
    while True:
        yield from frames


def _wav(path: Path) -> bytes:
    try:
        with wave.open(str(path), "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise AudioFileError(f"{path} is not a .wav that can be read: {error}") from error
    if width not in (1, 2):
        raise AudioFileError(f"{path} has {8 * width} bits a sample; 8 or 16 are needed")
    if width == 1:
        samples = [(value - 128) << 8 for value in data[::channels]]
    else:
        samples = [
            int.from_bytes(data[start : start + 2], "little", signed=True)
            for start in range(0, len(data) - 1, 2 * channels)
        ]
    return ulaw(_resampled(samples, rate))


def _resampled(samples: list[int], rate: int) -> list[int]:
    """To 8 kHz, by the nearest earlier sample; good enough to be heard."""
    if rate == 8000:
        return samples
    return [samples[index * rate // 8000] for index in range(len(samples) * 8000 // rate)]
