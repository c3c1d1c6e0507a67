"""What a phone says: sizes, difference between phones, G.711, files."""

from __future__ import annotations

import struct
import wave
from itertools import islice
from pathlib import Path

import pytest

from libreims.ue.audio import (
    CODECS,
    AudioFileError,
    from_file,
    invented,
    linear_to_alaw,
    linear_to_ulaw,
    ulaw,
)


@pytest.mark.parametrize(
    ("codec", "size"), [("pcmu", 160), ("pcma", 160), ("amr", 33), ("amr-wb", 34), ("t140", 1)]
)
def test_a_packet_has_the_size_of_its_codec(codec: str, size: int) -> None:
    assert {len(payload) for payload in islice(invented(CODECS[codec], 1), 40)} == {size}


def test_amr_frames_name_their_mode_and_are_good() -> None:
    # RFC 4867 §4.4.1, 4.4.2: CMR 15 (no request), F=0, FT, Q=1.
    assert next(invented(CODECS["amr"], 1))[:2] == bytes((0xF0, 7 << 3 | 4))
    assert next(invented(CODECS["amr-wb"], 1))[:2] == bytes((0xF0, 2 << 3 | 4))


def test_bandwidth_efficient_amr_has_no_spare_bits() -> None:
    # RFC 4867 §4.3: 4 bits CMR, 6 bits table of contents, 244 or 253 bits of speech, padded with zeros.
    narrow = next(invented(CODECS["amr"], 1, aligned=False))
    wide = next(invented(CODECS["amr-wb"], 1, aligned=False))
    assert (len(narrow), len(wide)) == (32, 33)
    assert int.from_bytes(narrow[:2], "big") >> 6 == 15 << 6 | 7 << 1 | 1
    assert int.from_bytes(wide[:2], "big") >> 6 == 15 << 6 | 2 << 1 | 1
    assert narrow[-1] & 0b11 == 0 and wide[-1] & 1 == 0


def test_video_begins_with_a_picture_that_stands_alone() -> None:
    assert next(invented(CODECS["h264"], 1))[0] & 0x1F == 5


@pytest.mark.parametrize("codec", ["pcmu", "pcma", "amr", "amr-wb", "h264"])
def test_no_two_phones_say_the_same(codec: str) -> None:
    one = set(islice(invented(CODECS[codec], 1), 50))
    other = set(islice(invented(CODECS[codec], 2), 50))
    assert not one & other
    assert list(islice(invented(CODECS[codec], 1), 3)) == list(islice(invented(CODECS[codec], 1), 3))


# G.711 tables 1a and 2a: the octets of silence, full scale and a middle value.
@pytest.mark.parametrize(
    ("sample", "octet"), [(0, 0xFF), (32767, 0x80), (-32768, 0x00), (1000, 0xCE), (-1000, 0x4E)]
)
def test_mu_law(sample: int, octet: int) -> None:
    assert linear_to_ulaw(sample) == octet


@pytest.mark.parametrize(("sample", "octet"), [(8, 0xD5), (32767, 0xAA), (-32767, 0x2A), (1000, 0xFA)])
def test_a_law(sample: int, octet: int) -> None:
    assert linear_to_alaw(sample) == octet


def test_the_fast_table_is_mu_law() -> None:
    samples = list(range(-32768, 32768, 4))
    assert ulaw(samples) == bytes(linear_to_ulaw(sample) for sample in samples)


def _wav(path: Path, rate: int, width: int, channels: int, frames: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        one = struct.pack("<h", 1000) if width == 2 else bytes((131,) * width)
        file.writeframes(one * (frames * channels))
    return path


@pytest.mark.parametrize(("rate", "width", "channels"), [(8000, 2, 1), (16000, 2, 2), (8000, 1, 1)])
def test_a_wav_becomes_pcmu_packets(tmp_path: Path, rate: int, width: int, channels: int) -> None:
    path = _wav(tmp_path / "a.wav", rate, width, channels, rate // 10)
    packets = list(islice(from_file(path, CODECS["pcmu"]), 7))
    assert {len(packet) for packet in packets} == {160}
    expected = linear_to_ulaw(1000 if width == 2 else (131 - 128) << 8)
    assert packets[0] == packets[6] == bytes((expected,)) * 160


def test_a_raw_file_is_cut_into_packets_and_repeated(tmp_path: Path) -> None:
    path = tmp_path / "speech.raw"
    path.write_bytes(bytes(range(66)))
    packets = list(islice(from_file(path, CODECS["amr"]), 3))
    assert packets == [bytes(range(33)), bytes(range(33, 66)), bytes(range(33))]


def test_files_that_cannot_be_played_say_why(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match="cannot read"):
        from_file(tmp_path / "none.raw", CODECS["pcmu"])
    short = tmp_path / "short.raw"
    short.write_bytes(b"x")
    with pytest.raises(AudioFileError, match="shorter than one PCMU packet"):
        from_file(short, CODECS["pcmu"])
    wav = _wav(tmp_path / "a.wav", 8000, 2, 1, 800)
    with pytest.raises(AudioFileError, match="sent as PCMU"):
        from_file(wav, CODECS["amr"])
    with pytest.raises(AudioFileError, match="not a"):
        short.rename(tmp_path / "x.wav")
        from_file(tmp_path / "x.wav", CODECS["pcmu"])
    deep = _wav(tmp_path / "deep.wav", 8000, 3, 1, 800)
    with pytest.raises(AudioFileError, match="24 bits"):
        from_file(deep, CODECS["pcmu"])
