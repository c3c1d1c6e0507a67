from __future__ import annotations

import errno
import gc
import random

import pytest

from libreims.media.channel import Channel
from libreims.media.delay import LIMIT, DelayLine
from libreims.media.ports import OutOfPorts
from libreims.media.relay import MediaPort, bridge
from support.media_rig import PHONE_A, V4, V6, MediaRig, packet


@pytest.fixture
def rig() -> MediaRig:
    return MediaRig()


@pytest.fixture
def call(rig: MediaRig) -> tuple[MediaPort, MediaPort]:
    a, b = rig.port(rig.a), rig.port(rig.b)
    bridge(a, b)
    return a, b


def test_ports_are_even_and_rtcp_is_the_next(rig: MediaRig) -> None:
    port = rig.port()
    assert port.local[0] == V4
    assert port.local[1] % 2 == 0
    assert port.rtcp.local == (V4, port.local[1] + 1)


def test_packets_pass_unchanged_between_ipv4_and_ipv6(
    rig: MediaRig, call: tuple[MediaPort, MediaPort]
) -> None:
    a, b = call
    garbage = [
        b"",
        b"\0",
        b"\r\n\r\n",
        bytes.fromhex("000100002112a442") + bytes(12),
        b"\x16\xfe\xfd" + bytes(1400),
    ]
    sent = [packet(number) for number in range(5)] + garbage
    for data in sent:
        rig.a.talk(a, data)
        rig.a.report(a, b"report" + data)
    rig.b.talk(b, b"back")
    rig.run()
    assert rig.b.rtp_in == [(data, b.local) for data in sent]
    assert rig.b.rtcp_in == [(b"report" + data, (V6, b.local[1] + 1)) for data in sent]
    assert rig.a.rtp_in == [(b"back", a.local)]


def test_counters_of_each_direction(rig: MediaRig, call: tuple[MediaPort, MediaPort]) -> None:
    a, b = call
    for _ in range(3):
        rig.a.talk(a, bytes(50))
    rig.b.talk(b, bytes(7))
    rig.a.report(a, bytes(28))
    rig.run()
    assert (a.rtp_received, a.octets_received, a.rtp_sent, a.octets_sent) == (3, 150, 1, 7)
    assert (b.rtp_received, b.octets_received, b.rtp_sent, b.octets_sent) == (1, 7, 3, 150)
    assert (a.rtcp_received, a.rtcp_sent, b.rtcp_received, b.rtcp_sent) == (1, 0, 0, 1)
    assert a.rtp.dropped == b.rtp.dropped == 0


def test_blocked_streams(rig: MediaRig, call: tuple[MediaPort, MediaPort]) -> None:
    a, b = call
    b.rtp_enabled = False
    rig.a.talk(a, b"1")
    rig.a.report(a, b"r1")
    rig.run()
    b.rtp_enabled, b.rtcp_enabled = True, False
    rig.a.talk(a, b"2")
    rig.a.report(a, b"r2")
    rig.b.talk(b, b"back")
    rig.run()
    assert (rig.b.heard, rig.b.reports, rig.a.heard) == ([b"2"], [b"r1"], [b"back"])
    assert (b.rtp.dropped, b.rtcp.dropped) == (1, 1)
    assert (b.rtp_enabled, b.rtcp_enabled) == (True, False)


def test_media_delay(rig: MediaRig, call: tuple[MediaPort, MediaPort]) -> None:
    a, b = call
    b.delay = 2.0
    assert b.delay == 2.0
    rig.a.talk(a, b"1")
    rig.b.talk(b, b"at once")
    rig.run(1.9)
    assert (rig.b.heard, rig.a.heard, b.rtp_sent) == ([], [b"at once"], 0)
    rig.run(0.2)
    assert (rig.b.heard, b.rtp_sent, b.octets_sent) == ([b"1"], 1, 1)
    rig.a.talk(a, b"2")
    rig.run(0.1)
    b.delay = 0.0
    rig.a.talk(a, b"3")
    rig.run(0.1)
    assert rig.b.heard == [b"1"]
    rig.run(2)
    rig.a.talk(a, b"4")
    rig.run(0.01)
    assert rig.b.heard == [b"1", b"2", b"3", b"4"]


def test_a_block_or_hold_catches_packets_that_wait_already(
    rig: MediaRig, call: tuple[MediaPort, MediaPort]
) -> None:
    a, b = call
    b.delay = 1.0
    rig.a.talk(a, b"1")
    rig.run(0.5)
    b.rtp_enabled = False
    rig.run(1)
    assert (rig.b.heard, b.rtp.dropped, b.rtp_sent) == ([], 1, 0)


def test_a_delay_holds_up_a_bounded_number_of_packets(
    rig: MediaRig, call: tuple[MediaPort, MediaPort]
) -> None:
    a, b = call
    b.delay = 1000.0
    for number in range(LIMIT + 5):
        rig.a.talk(a, number.to_bytes(4, "big"))
    rig.run()
    assert b.rtp.dropped == 5


def test_closing_with_delayed_packets_leaves_no_timer(
    rig: MediaRig, call: tuple[MediaPort, MediaPort]
) -> None:
    a, b = call
    b.delay = 5.0
    rig.a.talk(a, b"1")
    rig.run(0.1)
    a.close()
    b.close()
    assert rig.clock.waiting == 0
    rig.run(10)
    assert rig.b.heard == []


def test_last_activity_is_of_what_the_phone_sends(rig: MediaRig, call: tuple[MediaPort, MediaPort]) -> None:
    a, b = call
    opened = rig.clock.time()
    rig.run(10)
    assert a.last_activity == b.last_activity == opened
    rig.a.report(a, bytes(28))
    rig.run(0.5)
    assert a.last_activity == pytest.approx(opened + 10.001)
    assert b.last_activity == opened


@pytest.mark.parametrize("missing", [5, 0])
def test_loss_estimate_over_a_wrap(rig: MediaRig, missing: int) -> None:
    port = rig.port(rig.a)
    for sequence in range(65500, 65500 + 200):
        if not 65530 <= sequence < 65530 + missing:
            rig.a.talk(port, packet(sequence))
    rig.run()
    assert port.lost == missing
    assert port.ssrc == 0xAAAA
    rig.a.talk(port, packet(200, ssrc=0xBBBB))
    rig.run()
    assert port.lost is None
    assert port.ssrc == 0xBBBB


def test_duplicates_are_no_negative_loss(rig: MediaRig) -> None:
    port = rig.port(rig.a)
    assert port.lost is None
    for sequence in (1, 2, 2, 2):
        rig.a.talk(port, packet(sequence))
    rig.run()
    assert port.lost == 0
    rig.a.talk(port, b"STUN")
    rig.run()
    assert (port.lost, port.ssrc) == (None, None)


# --- addresses


def test_before_the_address_is_known_packets_are_dropped_and_told_of_now_and_then(rig: MediaRig) -> None:
    a, b = rig.port(rig.a), rig.port(rig.b)
    b.set_remote(None, None)
    bridge(a, b)
    for _ in range(500):
        rig.a.talk(a, packet())
        rig.run(0.02)
    assert (rig.b.heard, b.rtp.dropped, b.rtp_sent) == ([], 500, 0)
    assert sum("not known" in message for _, _, message in rig.logged()) == 1
    b.set_remote(*rig.b.addresses)
    rig.a.talk(a, b"now")
    rig.run()
    assert rig.b.heard == [b"now"]


def test_another_source_address_is_used_but_not_followed(
    rig: MediaRig, call: tuple[MediaPort, MediaPort]
) -> None:
    a, b = call
    stranger = rig.network.udp(("203.0.113.66", 9), lambda data, source: pytest.fail("the relay followed"))
    for _ in range(3):
        stranger.send(packet(), a.local)
    rig.b.talk(b, b"back")
    rig.run()
    assert len(rig.b.heard) == 3
    assert rig.a.heard == [b"back"]
    (told,) = [entry for entry in rig.logged() if "203.0.113.66:9 but" in entry[2]]
    assert told[:2] == (2, "FROM")
    assert f"{PHONE_A}:4000" in told[2]
    assert "NAT" in told[2]


@pytest.mark.parametrize(
    ("remote", "reason"),
    [
        (("phone.example.com", 4000), "names are not looked up"),
        (("2001:db8::5", 4000), "this side of the call uses IPv4"),
        ((PHONE_A, 0), "no such port"),
        ((PHONE_A, 65536), "no such port"),
    ],
)
def test_addresses_that_cannot_be_sent_to(rig: MediaRig, remote: tuple[str, int], reason: str) -> None:
    port = rig.port()
    port.set_remote(remote, None)
    assert port.rtp.remote is None
    assert any(reason in message for _, _, message in rig.logged())


def test_a_port_that_is_told_to_send_to_itself_does_not_turn_in_a_circle(rig: MediaRig) -> None:
    a, b = rig.port(rig.a), rig.port()
    b.set_remote(b.local, None)
    bridge(a, b)
    rig.a.talk(a, packet())
    rig.run(1)
    assert b.rtp_sent == 0
    assert any("circle" in message for _, _, message in rig.logged())


def test_two_bridged_ports_that_are_told_to_send_to_each_other_do_not_either(rig: MediaRig) -> None:
    a, b = rig.port(rig.a), rig.port()
    b.set_remote(a.local, None)
    bridge(a, b)
    rig.a.talk(a, packet())
    rig.run(1)
    assert a.rtp_received <= 2


# --- connecting and closing


def test_one_side_closed_ends_the_bridge_for_both(rig: MediaRig, call: tuple[MediaPort, MediaPort]) -> None:
    a, b = call
    a.close()
    rig.b.talk(b, b"x")
    rig.run()
    assert (b.rtp_received, b.rtp.dropped, rig.a.heard) == (1, 1, [])


def test_a_bridge_may_be_moved(rig: MediaRig, call: tuple[MediaPort, MediaPort]) -> None:
    a, b = call
    c = rig.port(rig.b)
    bridge(a, c)
    rig.a.talk(a, b"1")
    rig.b.talk(b, b"from the old one")
    rig.b.talk(c, b"from the new one")
    rig.run()
    assert [source for _, source in rig.b.rtp_in] == [c.local]
    assert rig.a.heard == [b"from the new one"]
    bridge(a, c)
    b.close()
    rig.a.talk(a, b"2")
    rig.run()
    assert rig.b.heard == [b"1", b"2"]


def test_bridging_a_closed_port_is_harmless(rig: MediaRig) -> None:
    a, b = rig.port(rig.a), rig.port(rig.b)
    b.close()
    bridge(a, b)
    b.set_remote(*rig.b.addresses)
    b.detach()
    rig.a.talk(a, packet())
    rig.run()
    assert a.rtp.dropped == 1


def test_ports_are_returned_whatever_the_order_and_however_often(rig: MediaRig) -> None:
    chance = random.Random(3)
    for _ in range(30):
        ports = [rig.port(chance.choice((rig.a, rig.b))) for _ in range(20)]
        for _ in range(15):
            bridge(*chance.sample(ports, 2))
        for port in ports:
            port.delay = chance.choice((0.0, 1.0))
        rig.a.talk(ports[0], packet())
        rig.run(0.01)
        chance.shuffle(ports)
        for port in ports + ports:
            port.close()
    assert len(rig.relay) == 0
    everything = [rig.port() for _ in range(500)]
    assert len([rig.port(rig.b) for _ in range(500)]) == 500
    with pytest.raises(OutOfPorts, match="port_max"):
        rig.port()
    everything[7].close()
    rig.port()


def test_nothing_of_a_closed_call_waits_for_the_garbage_collector(rig: MediaRig) -> None:
    a, b = rig.port(rig.a), rig.port(rig.b)
    bridge(a, b)
    b.delay = 1.0
    rig.a.talk(a, packet())
    rig.run(0.01)
    gc.collect()
    gc.disable()
    try:
        a.close()
        b.close()
        del a, b
        rig.run(5)
        left = [each for each in gc.get_objects() if isinstance(each, MediaPort | Channel | DelayLine)]
        assert left == []
    finally:
        gc.enable()


def test_a_port_that_another_program_has_is_passed_over(rig: MediaRig) -> None:
    taken = [rig.network.udp((V4, number), lambda data, source: None) for number in (10000, 10003, 10005)]
    ports = [rig.relay.open(V4, 10000, 10009) for _ in range(2)]
    assert {port.local[1] for port in ports} == {10006, 10008}
    with pytest.raises(OutOfPorts, match=r"no free pair.*2 media ports are open"):
        rig.relay.open(V4, 10000, 10009)
    taken[0].close()
    assert rig.relay.open(V4, 10000, 10009).local[1] == 10000


def test_an_address_that_is_not_here_is_told_at_once(rig: MediaRig) -> None:
    with pytest.raises(OutOfPorts, match=r"no RTP port on 0\.0\.0\.0") as caught:
        rig.relay.open("0.0.0.0", 10000, 10999)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.EADDRNOTAVAIL
    assert len(rig.relay) == 0


def test_the_relay_closes_everything(rig: MediaRig, call: tuple[MediaPort, MediaPort]) -> None:
    rig.relay.close()
    assert [port.closed for port in call] == [True, True]
    assert len(rig.relay) == 0


# --- log


def test_log_lines(rig: MediaRig, call: tuple[MediaPort, MediaPort]) -> None:
    a, _ = call
    rig.a.talk(a, packet(9))
    rig.run()
    a.close()
    messages = [
        (direction, message)
        for _, direction, message in rig.logged()
        if "4000" in message or "closed" in message
    ]
    assert messages == [
        ("TO", f"RTP/audio to {PHONE_A}:4000, RTCP to {PHONE_A}:4001"),
        ("FROM", f"RTP/audio first packet from {PHONE_A}:4000: pt=8 seq=9 ts=1440 ssrc=0000aaaa 32 octets"),
        (
            "-",
            f"RTP/audio closed {V4}:{a.local[1]}: received 1 packets 32 octets, 0 lost, "
            "sent 0 packets 0 octets; RTCP received 0, sent 0",
        ),
    ]


def test_each_packet_in_the_log_at_level_debug() -> None:
    rig = MediaRig(log="all.level=error,media.level=debug")
    port = rig.port(rig.a, kind="text")
    for number in range(3):
        rig.a.talk(port, packet(number))
    rig.run()
    lines = [message for level, _, message in rig.logged() if level == 4]
    assert lines == [
        f"RTP/text {PHONE_A}:4000 pt=8 seq={number} ts={number * 160} ssrc=0000aaaa 32 octets"
        for number in (1, 2)
    ]


def test_a_lossy_network_leaves_an_estimate() -> None:
    rig = MediaRig(loss=0.1)
    a, b = rig.port(rig.a), rig.port(rig.b)
    bridge(a, b)
    for number in range(1000):
        rig.a.talk(a, packet(number))
        rig.run(0.02)
    assert a.lost is not None
    assert 60 < a.lost < 140
    assert b.rtp_sent == a.rtp_received
    assert len(rig.b.heard) < b.rtp_sent
