from __future__ import annotations

from libreims.media.pairs import RESTING
from libreims.media.relay import bridge
from support.media_rig import V4, MediaRig


def test_the_pair_of_a_call_that_is_over_serves_the_next() -> None:
    rig = MediaRig()
    first = rig.port(rig.a)
    number = first.local
    first.close()
    second = rig.port(rig.b)
    third = rig.port()
    assert second.local[0] != V4  # the other family has sockets of its own
    assert third.local == number
    assert len(rig.relay) == 2


def test_what_comes_late_from_the_phone_of_the_last_call_is_dropped() -> None:
    rig = MediaRig()
    rig.port(rig.a).close()
    port, other = rig.port(), rig.port(rig.b)
    bridge(port, other)
    port.set_remote(("198.51.100.7", 4000), ("198.51.100.7", 4001))
    rig.a.talk(port, b"late")
    rig.a.report(port, b"late")
    rig.run()
    assert (rig.b.rtp_in, rig.b.rtcp_in, port.rtp_received, port.rtp.dropped) == ([], [], 0, 1)
    new = rig.network.udp(("198.51.100.7", 4000), lambda data, source: None)
    new.send(b"new", port.local)
    rig.run()
    assert rig.b.heard == [b"new"]


def test_the_same_phone_in_the_next_call_is_not_late() -> None:
    rig = MediaRig()
    rig.port(rig.a).close()
    port, other = rig.port(rig.a), rig.port(rig.b)
    bridge(port, other)
    rig.a.talk(port, b"hello")
    rig.run()
    assert rig.b.heard == [b"hello"]


def test_packets_between_two_calls_go_nowhere() -> None:
    rig = MediaRig()
    port = rig.port(rig.a)
    port.close()
    rig.a.talk(port, b"late")
    rig.run()
    again = rig.port(rig.a)
    assert (again.local, again.rtp_received, again.rtp.dropped) == (port.local, 0, 0)
    assert port.rtp_received == 0


def test_only_so_many_pairs_stay_open_and_none_after_the_end() -> None:
    rig = MediaRig()
    ports = [rig.port() for _ in range(RESTING + 10)]
    numbers = {port.local[1] for port in ports}
    for port in ports:
        port.close()
    bound = [number for number in numbers if _is_bound(rig, number)]
    assert len(bound) == RESTING
    rig.relay.close()
    assert not any(_is_bound(rig, number) for number in numbers)


def _is_bound(rig: MediaRig, number: int) -> bool:
    try:
        rig.network.udp((V4, number), lambda data, source: None).close()
    except OSError:
        return True
    return False
