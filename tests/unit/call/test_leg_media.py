"""The media of one dialog: ports that come and go with what is agreed."""

from __future__ import annotations

import pytest

from libreims.base.errors import Reject
from libreims.call.leg_media import LegMedia
from libreims.media.relay import MediaPort
from libreims.proto.sdp.description import SessionDescription
from support.lab import sdp
from support.media_rig import V4, MediaRig

BOTH = ("audio", "video")


def phone(**changes: object) -> SessionDescription:
    """What the phone says."""
    return SessionDescription.parse(sdp("198.51.100.1", **changes))  # type: ignore[arg-type]


def far(**changes: object) -> SessionDescription:
    """What the other phone says."""
    return SessionDescription.parse(sdp("203.0.113.9", 50000, **changes))  # type: ignore[arg-type]


class Rig(MediaRig):
    def __init__(self, most: int = 99) -> None:
        super().__init__()
        self.most = most
        self.media = LegMedia(self.open, "192.0.2.200", 7)

    def open(self, kind: str) -> MediaPort:
        if len(self.relay) >= self.most:
            raise Reject(503, "no media port is free")
        return self.relay.open(V4, 10000, 10999, kind=kind)

    def agreed(self, **changes: object) -> Rig:
        """The phone offered, the far side accepted."""
        self.media.offered(phone(**changes))
        self.media.shown(far(**changes))
        self.media.settle()
        return self

    @property
    def remotes(self) -> list[object]:
        return [port.rtp.remote if port is not None else None for port in self.media.ports]


def test_an_offer_takes_effect_when_it_is_answered() -> None:
    rig = Rig()
    rig.media.offered(phone())
    assert len(rig.relay) == 1 and rig.remotes == [None]
    shown = SessionDescription.parse(rig.media.shown(far()))
    (port,) = rig.media.ports
    assert port is not None
    assert shown.rtp_address(0) == ("192.0.2.200", port.local[1])
    rig.media.settle()
    assert rig.remotes == [("198.51.100.1", 40000)]
    assert rig.media.agreed == phone()


def test_a_preview_aims_and_binds_nothing() -> None:
    rig = Rig()
    rig.media.offered(phone(media=BOTH))
    rig.media.shown(far(media=("audio", "-video")))
    rig.media.preview()
    assert rig.remotes[0] == ("198.51.100.1", 40000) and len(rig.relay) == 2
    rig.media.shown(far(media=BOTH))
    rig.media.settle()
    assert rig.remotes == [("198.51.100.1", 40000), ("198.51.100.1", 40002)]


@pytest.mark.parametrize(
    ("mine", "theirs"), [(("audio", "-video"), BOTH), (BOTH, ("audio", "-video")), (("audio", "-video"),) * 2]
)
def test_a_stream_that_one_side_switches_off_gives_its_port_back(
    mine: tuple[str, ...], theirs: tuple[str, ...]
) -> None:
    rig = Rig().agreed(media=BOTH)
    assert len(rig.relay) == 2
    rig.media.offered(phone(media=mine))
    rig.media.shown(far(media=theirs))
    rig.media.settle()
    assert len(rig.relay) == 1 and rig.media.ports[1] is None


def test_a_refused_offer_leaves_nothing() -> None:
    rig = Rig().agreed()
    before = rig.media.last_shown
    rig.media.offered(phone(port=41000, media=BOTH))
    rig.media.withdraw()
    assert len(rig.relay) == 1 and rig.remotes[0] == ("198.51.100.1", 40000)
    rig.media.shown(far(media=BOTH))  # and one that we made
    assert len(rig.relay) == 2
    rig.media.withdraw()
    assert len(rig.relay) == 1 and rig.media.last_shown is before
    rig.media.settle()
    assert len(rig.relay) == 1


def test_running_out_of_ports_in_the_middle_can_be_taken_back() -> None:
    rig = Rig(most=2).agreed()
    with pytest.raises(Reject):
        rig.media.offered(phone(media=("audio", "video", "text")))
    rig.media.withdraw()
    assert len(rig.relay) == 1


def test_an_offer_to_the_phone_never_has_fewer_m_lines_than_before() -> None:
    """RFC 3264 §8."""
    rig = Rig().agreed(media=BOTH)
    shown = SessionDescription.parse(rig.media.shown(far()))
    assert [(media.kind, media.port != 0) for media in shown.media] == [("audio", True), ("video", False)]


def test_an_answer_to_the_phone_never_has_more_than_its_offer() -> None:
    """RFC 3264 §6."""
    rig = Rig()
    rig.media.offered(phone())
    shown = SessionDescription.parse(rig.media.shown(far(media=("audio", "-video"))))
    assert len(shown.media) == 1


def test_the_version_of_our_origin_rises_with_changes_only() -> None:
    """RFC 3264 §8."""
    rig = Rig().agreed()
    versions = []
    for description in (far(), far(), far(direction="sendonly"), far(direction="sendonly"), far()):
        origin = SessionDescription.parse(rig.media.shown(description)).origin
        assert origin is not None and origin.session_id == "7"
        versions.append(origin.version)
    assert [each - versions[0] for each in versions] == [0, 0, 1, 1, 2]


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        ("sendrecv", "sendrecv", True),
        ("sendonly", "recvonly", False),
        ("sendrecv", "inactive", False),
        ("sendrecv", "recvonly", False),
        ("inactive", "inactive", False),
    ],
)
def test_silence_is_odd_only_where_both_are_to_talk(mine: str, theirs: str, expected: bool) -> None:
    rig = Rig()
    assert not rig.media.expects_packets()
    rig.media.offered(phone(direction=mine))
    rig.media.shown(far(direction=theirs))
    rig.media.settle()
    assert rig.media.expects_packets() is expected
    rig.media.close()
    assert not rig.media.expects_packets() and len(rig.relay) == 0


def test_close_is_final_and_harmless_twice() -> None:
    rig = Rig().agreed(media=BOTH)
    assert rig.media.last_activity() == rig.clock.time()
    rig.media.close()
    rig.media.close()
    assert len(rig.relay) == 0 and rig.media.last_activity() == float("-inf")
