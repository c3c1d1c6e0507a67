"""Two engines back to back: the way of packets through associations, and everything that is refused."""

from dataclasses import replace

import pytest
from scapy.layers.inet import ICMP, IP, IPOption_NOP
from scapy.layers.inet import TCP as ScapyTcp
from scapy.layers.inet import UDP as ScapyUdp
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt

from libreims.net.esp_drops import REASONS
from libreims.net.esp_engine import EspEngine
from libreims.net.port import Address
from libreims.net.tunnel import SecurityAssociation
from libreims.proto.ip.packet import Fragment, Packet, parse
from libreims.proto.ip.transport import udp
from support.esp_rig import (
    PHONE,
    PHONE6,
    SERVER,
    SERVER6,
    Side,
    associations,
    carry,
    datagram,
    joined,
    packed,
)

FAMILIES = pytest.mark.parametrize(("server_at", "phone_at"), [(SERVER, PHONE), (SERVER6, PHONE6)])


@FAMILIES
def test_there_and_back(server_at: Address, phone_at: Address) -> None:
    server, phone = joined()
    for source, target, here, there in (
        (phone, server, phone_at, server_at),
        (server, phone, server_at, phone_at),
    ):
        packet = datagram(here, there, b"REGISTER")
        source.engine.outbound(packet)
        assert [sent[1:] for sent in source.outside] == [(here[0], there[0])]
        assert b"REGISTER" not in source.outside[0][0]
        carry(source, target)
        assert target.inside == [packet]
        assert (source.engine.sent, target.engine.received) == (1, 1)
    assert server.drops == phone.drops == {}


@FAMILIES
def test_tcp_has_the_same_association(server_at: Address, phone_at: Address) -> None:
    """TS 33.203 §7.1: the transport protocol is no selector."""
    server, phone = joined()
    header = IP if "." in server_at[0] else IPv6
    segment = bytes(
        header(src=phone_at[0], dst=server_at[0]) / ScapyTcp(sport=phone_at[1], dport=server_at[1]) / b"data"
    )
    phone.engine.outbound(segment)
    carry(phone, server)
    assert parse(server.inside[0]) == parse(segment)


def test_options_and_extension_headers_stay_behind() -> None:
    server, phone = joined()
    layer = ScapyUdp(sport=PHONE[1], dport=SERVER[1]) / b"odd"
    v4 = IP(src=PHONE[0], dst=SERVER[0], options=[IPOption_NOP()] * 4) / layer
    v6 = IPv6(src=PHONE6[0], dst=SERVER6[0]) / IPv6ExtHdrDestOpt() / layer
    for packet in (v4, v6):
        phone.engine.outbound(bytes(packet))
    carry(phone, server)
    assert server.inside == [datagram(PHONE, SERVER, b"odd"), datagram(PHONE6, SERVER6, b"odd")]


@FAMILIES
def test_fragments_are_put_together_before_esp(server_at: Address, phone_at: Address) -> None:
    """RFC 4303 §3.3.4: transport mode is for whole datagrams."""
    server, phone = joined()
    whole = datagram(phone_at, server_at, bytes(4000))
    packet = parse(whole)
    for at in range(0, 4008, 1376):
        piece = packet.payload[at : at + 1376]
        fragment = Fragment(9, at, at + 1376 < 4008)
        phone.engine.outbound(replace(packet, payload=piece, fragment=fragment).encode())
        assert not phone.outside or at > 2700
    carry(phone, server)
    assert server.inside == [whole]


def test_what_became_of_packets() -> None:
    server, phone = joined()
    phone.engine.outbound(datagram(PHONE, SERVER, b"x"))
    sent = phone.outside[0]
    server.engine.inbound(*sent)
    server.engine.inbound(*sent)
    assert phone.engine.packets["sent"] == server.engine.packets["received"] == 1
    assert server.engine.packets["replay"] == 1
    assert set(server.engine.packets) == {"sent", "received", *REASONS}


def test_what_no_association_leads_to_goes_nowhere() -> None:
    """TS 33.203 §7.2; the kernel's resets to strangers are of this kind."""
    server, _ = joined()
    odd = [
        datagram((SERVER[0], 5060), PHONE, b"x"),
        datagram(SERVER, (PHONE[0], 5060), b"x"),
        datagram(SERVER, ("192.0.2.8", PHONE[1]), b"x"),
        datagram(SERVER6, (PHONE6[0], 1), b"x"),
        bytes(IP(src=SERVER[0], dst="192.0.2.9") / ScapyTcp(sport=5064, dport=7, flags="RA")),
        bytes(IP(src=SERVER[0], dst=PHONE[0]) / ICMP() / bytes(40)),
        bytes(IP(src=SERVER[0], dst=PHONE[0], proto=132) / bytes(ScapyUdp(sport=5064, dport=40002))),
    ]
    for packet in odd:
        server.engine.outbound(packet)
    assert server.outside == []
    assert server.drops == {"no_outbound_sa": len(odd)}
    assert "to 192.0.2.7 dropped, no security association leads there: UDP 192.0.2.1:5060" in server.lines[4]


def test_the_end_of_a_connection_that_outlives_its_associations_is_no_news() -> None:
    """It is counted; every phone that leaves has one."""
    server, _ = joined()
    for flags in ("FA", "RA", "R"):
        server.engine.outbound(
            bytes(IP(src=SERVER[0], dst=PHONE[0]) / ScapyTcp(sport=5064, dport=7, flags=flags))
        )
    lines = len(server.lines)
    server.engine.outbound(bytes(IP(src=SERVER[0], dst=PHONE[0]) / ScapyTcp(sport=5064, dport=7, flags="PA")))
    assert server.drops == {"no_outbound_sa": 4}
    assert len(server.lines) == lines + 1 and " PSH,ACK" in server.lines[-1]


def test_what_the_kernel_sends_to_groups_is_no_drop() -> None:
    server, _ = joined()
    server.engine.outbound(bytes(IPv6(src="fe80::1", dst="ff02::2", nh=58) / bytes(16)))
    server.engine.outbound(bytes(IP(src=SERVER[0], dst="224.0.0.22", proto=2) / bytes(16)))
    assert (server.engine.quiet, server.drops, server.outside) == (2, {}, [])


def test_malformed_outbound() -> None:
    server, _ = joined()
    for octets in (b"", b"\x45", bytes(60), b"\x45" + bytes(60)):
        server.engine.outbound(octets)
    assert server.drops == {"malformed": 4}


def test_an_unknown_spi() -> None:
    server, phone = joined()
    phone.engine.outbound(datagram(PHONE, SERVER, b"x"))
    carry(phone, server, lambda esp: b"\0\0\x7f\xff" + esp[4:])
    server.engine.inbound(b"short", PHONE[0], SERVER[0])
    server.engine.inbound(b"", PHONE[0], SERVER[0])
    assert server.drops == {"no_sa": 1, "malformed": 2}
    assert server.lines[4] == (
        "Packet from 192.0.2.7 dropped, no security association has this SPI: SPI 0x7fff, which ended with "
        "the registration or with a restart of this program: the phone registers again when it notices, at "
        "once after flight mode"
    )


def test_altered_replayed_cut() -> None:
    server, phone = joined()
    phone.engine.outbound(datagram(PHONE, SERVER, b"x"))
    sent = phone.outside[0]
    carry(phone, server, lambda esp: esp[:-1] + bytes([esp[-1] ^ 1]))
    server.engine.inbound(*sent)
    server.engine.inbound(*sent)
    server.engine.inbound(sent[0][:20], *sent[1:])
    assert server.drops == {"bad_icv": 1, "replay": 1, "malformed": 1}
    assert len(server.inside) == 1


def test_another_address() -> None:
    """RFC 4301 §5.2; whoever sends it does not even get the window moved."""
    server, phone = joined()
    phone.engine.outbound(datagram(PHONE, SERVER, b"x"))
    esp, local, remote = phone.outside[0]
    server.engine.inbound(esp, "192.0.2.8", remote)
    server.engine.inbound(esp, local, "192.0.2.99")
    assert server.drops == {"wrong_address": 2}
    server.engine.inbound(esp, local, remote)
    assert len(server.inside) == 1


@pytest.mark.parametrize(("server_port", "phone_port"), [(5060, PHONE[1]), (SERVER[1], 5060)])
def test_other_ports_inside(server_port: int, phone_port: int) -> None:
    """TS 33.203 §7.2: what comes out of ESP has to have the ports that were agreed on."""
    server, phone = Side(SERVER[0]), Side(PHONE[0])
    server.engine.install(associations(SERVER, PHONE, 1000, 2000))
    phone.engine.install(associations((PHONE[0], phone_port), (SERVER[0], server_port), 2000, 1000))
    phone.engine.outbound(datagram((PHONE[0], phone_port), (SERVER[0], server_port), b"x"))
    carry(phone, server)
    assert (server.inside, server.drops) == ([], {"wrong_port": 1})
    assert f"UDP 192.0.2.7:{phone_port} > 192.0.2.1:{server_port}, 1 octets instead of" in server.lines[-1]


def test_other_protocols_inside_and_dummies() -> None:
    server, phone = joined()
    (outward,) = [each for each in phone.engine if each.direction == "out" and "." in each.local[0]]
    sa = phone.engine.table[outward].sa
    ports = PHONE[1].to_bytes(2) + SERVER[1].to_bytes(2)
    for protocol in (1, 132, 4, 59):
        server.engine.inbound(sa.protect(ports + bytes(20), protocol), PHONE[0], SERVER[0])  # type: ignore[union-attr]
    assert server.inside == []
    assert server.drops == {"wrong_protocol": 3}
    assert server.engine.quiet == 1  # RFC 4303 §2.6: next header 59


def test_sequence_numbers_are_used_up() -> None:
    """RFC 4303 §3.3.3."""
    _, phone = joined()
    (outward,) = [each for each in phone.engine if each.direction == "out" and "." in each.local[0]]
    phone.engine.table[outward].sa.sequence = 0xFFFFFFFE  # type: ignore[misc]
    for _ in range(3):
        phone.engine.outbound(datagram(PHONE, SERVER, b"x"))
    assert (len(phone.outside), phone.drops) == (1, {"exhausted": 2})


class TestLog:
    def test_keys_are_shown_only_on_demand(self) -> None:
        for options, shown in (("ipsec.level=debug", False), ("ipsec.level=debug,ipsec.key=1", True)):
            side = Side(SERVER[0], options=options)
            side.engine.install(associations(SERVER, PHONE, 1000, 2000))
            assert (b"cipher key 16 oc".hex() in side.lines[0]) is shown
            assert "0x3e8 in force: 192.0.2.7:40002 > 192.0.2.1:5064, hmac-sha-1-96, aes-cbc" in side.lines[0]
            assert "0x7d0 in force: 192.0.2.1:5064 > 192.0.2.7:40002" in side.lines[1]
        assert "cipher" not in repr(next(iter(side.engine)))

    def test_verbose_has_a_line_for_every_packet(self) -> None:
        server, phone = joined("ipsec.level=info,ipsec.verbose=1")
        for _ in range(3):
            phone.engine.outbound(datagram(PHONE, SERVER, b"abc"))
        carry(phone, server, lambda esp: esp)
        passing = "Packet passes: SPI 0x3e8 UDP 192.0.2.7:40002 > 192.0.2.1:5064, 3 octets"
        assert phone.lines[-3:] == server.lines[-3:] == [passing] * 3
        for _ in range(50):
            server.engine.inbound(bytes(40), "192.0.2.9", SERVER[0])
        assert len([line for line in server.lines if "SPI 0x0" in line]) == 50

    def test_crypto_shows_both_forms(self) -> None:
        server, phone = joined("ipsec.level=debug,ipsec.crypto=1,ipsec.max_size=200")
        phone.engine.outbound(datagram(PHONE, SERVER, b"abcdefgh"))
        esp = phone.outside[0][0]
        carry(phone, server)
        for side in (phone, server):
            plain, ciphered = side.log.ring.since(0)[1][-2:]
            assert plain.message.startswith("Plain: SPI 0x3e8 UDP") and "61 62 63 64" in plain.dump
            assert ciphered.message == f"Ciphered: SPI 0x3e8, {len(esp)} octets"
            assert " ".join(f"{octet:02x}" for octet in esp[:4]) in ciphered.dump

    def test_silence_by_default(self) -> None:
        server, phone = joined("ipsec.level=warn")
        phone.engine.outbound(datagram(PHONE, SERVER, b"abc"))
        carry(phone, server)
        assert phone.lines == server.lines == []


def test_the_witness_sees_both_directions_in_clear() -> None:
    server, phone = joined()
    seen: list[tuple[SecurityAssociation, bytes]] = []
    server.engine.witness = lambda *what: seen.append(what)
    there, back = datagram(PHONE, SERVER, b"there"), datagram(SERVER, PHONE, b"back")
    phone.engine.outbound(there)
    carry(phone, server)
    server.engine.outbound(back)
    server.engine.outbound(datagram(SERVER, ("192.0.2.8", 1), b"dropped"))
    assert [(each.direction, packet) for each, packet in seen] == [("in", there), ("out", back)]


def test_a_datagram_whose_fragments_do_not_come_is_forgotten() -> None:
    _, phone = joined()
    a, b = packed(PHONE[0]), packed(SERVER[0])
    first = Packet(a, b, 17, udp(a, b, PHONE[1], SERVER[1], bytes(24))[:16], Fragment(1, 0, True))
    engine: EspEngine = phone.engine
    for number in range(100_000):
        engine.outbound(replace(first, fragment=Fragment(number & 0xFFFF, 0, True)).encode())
    assert engine._reassembler.held < 5 << 20
