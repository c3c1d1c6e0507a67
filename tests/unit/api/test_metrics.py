"""`api.metrics`: the page of Prometheus, over a real socket and after real work."""

import asyncio
import re
from typing import Any

from support.api_server import QUIET, Served, serving
from support.calls import connected, hung_up
from support.lab import CONFIG, Lab, play
from support.secure_phone import SECURE, secure_phone

LINE = re.compile(r'([a-z_]+)(?:\{([a-z]+="[^"\n]*"(?:,[a-z]+="[^"\n]*")*)\})? (\d+(?:\.\d+)?(?:e-?\d+)?)')


def parsed(text: str) -> dict[str, float]:
    """Samples by name with labels; every line has to be one that Prometheus accepts."""
    samples = {}
    kinds = {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds, f"{name} is there twice"
            kinds[name] = kind
        elif not line.startswith("# HELP "):
            found = LINE.fullmatch(line)
            assert found is not None, line
            name = found[1] + (f"{{{found[2]}}}" if found[2] else "")
            assert name not in samples, name
            family = re.sub("_(bucket|sum|count)$", "", found[1]) if "seconds_" in found[1] else found[1]
            assert found[1] in kinds or kinds[family] == "histogram"
            samples[name] = float(found[3])
    return samples


def metrics(lab: Lab) -> dict[str, float]:
    return parsed(lab.server.api._metrics.text())


def test_what_happens_is_counted() -> None:
    async def scenario(lab: Lab) -> None:
        before = metrics(lab)
        assert before["libreims_registrations"] == 0
        alice, bob = await lab.registered("alice", "bob")
        mo, _ = await connected(alice, bob)
        now = metrics(lab)
        assert now["libreims_registrations"] == 2
        assert now["libreims_registration_seconds_count"] == 2
        assert now['libreims_registration_seconds_bucket{le="0.001"}'] == 2
        assert now['libreims_calls{state="start"}'] == 1
        assert now["libreims_call_setup_seconds_count"] == 0
        assert now["libreims_media_ports"] == 2
        assert now['libreims_sip_messages_total{name="register"}'] == 2
        assert now["libreims_sip_transactions"] > 0
        socket = lab.network.udp((alice.host, 40000), lambda data, source: None)
        other = lab.network.udp((bob.host, 40000), lambda data, source: None)
        session = lab.server.calls.sessions[0]
        port = session.mo.media.ports[0]
        assert port is not None
        for number in range(10):
            socket.send(b"\x80\x00" + bytes((0, number)) + bytes(8) + b"x" * 20, port.local)
        await asyncio.sleep(0.5)
        assert metrics(lab)['libreims_media_packets_total{protocol="rtp",direction="received"}'] == 10
        await hung_up(alice, mo, bob)
        await asyncio.sleep(1)
        lab.server.counters.take()  # `stats` does not take them away from Prometheus
        after = metrics(lab)
        assert after['libreims_calls_ended_total{cause="normal"}'] == 1
        assert after["libreims_call_setup_seconds_count"] == 1
        assert after['libreims_media_packets_total{protocol="rtp",direction="received"}'] == 10
        assert after['libreims_media_packets_total{protocol="rtp",direction="sent"}'] == 10
        assert after['libreims_sip_messages_total{name="register"}'] == 2
        assert after['libreims_events_total{name="call"}'] == 1
        socket.close()
        other.close()

    play(scenario)


def test_ipsec_where_there_is_any() -> None:
    async def scenario(lab: Lab) -> None:
        before = metrics(lab)
        assert before["libreims_ipsec_associations"] == 0
        alice = await secure_phone(lab, "alice")
        assert (await alice.secure()).status == 200
        now = metrics(lab)
        assert now["libreims_ipsec_associations"] == 4
        assert now['libreims_ipsec_packets_total{result="no_sa"}'] == 0
        assert (await alice.refresh(Expires="0")).status == 200
        await asyncio.sleep(40)
        alice.forget()
        assert metrics(lab)["libreims_ipsec_associations"] == 0

    play(scenario, SECURE)


def test_no_ipsec_has_no_numbers() -> None:
    async def scenario(lab: Lab) -> None:
        assert not any("ipsec" in name for name in metrics(lab))

    play(scenario, config=f"{CONFIG}\nipsec: false,")


def test_retransmissions_are_counted_both_ways() -> None:
    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.registered("alice", "bob")
        lab.network.cut(bob.host)
        call = alice.send("INVITE", "sip:bob@ims.test", body=alice.sdp())
        await asyncio.sleep(3)
        assert metrics(lab)['libreims_sip_retransmissions_total{direction="sent"}'] >= 2
        lab.network.mend(bob.host)
        invite = await bob.expect("INVITE")
        bob.respond(invite, 486)
        await call.final()
        await asyncio.sleep(1)
        register = alice.build("REGISTER", "sip:ims.test", [("Contact", f"<{alice.uri}>")])
        first = alice.send_request(register)
        await first.final()
        sent = metrics(lab)['libreims_sip_retransmissions_total{direction="received"}']
        alice.stack.transmit(alice.stack.encoded(register), alice.flow)
        await asyncio.sleep(0.1)
        assert metrics(lab)['libreims_sip_retransmissions_total{direction="received"}'] == sent + 1

    play(scenario)


def test_authentication_failures_are_counted() -> None:
    async def scenario(lab: Lab) -> None:
        alice = await lab.peer("alice")
        challenge = await alice.register()
        assert challenge.status == 401
        nonce = (challenge.get("WWW-Authenticate") or "").split('nonce="')[1].split('"')[0]
        wrong = (
            f'Digest username="alice@ims.test", realm="ims.test", nonce="{nonce}", uri="sip:ims.test", '
            f'response="{"0" * 32}", algorithm=MD5, qop=auth, nc=00000001, cnonce="a"'
        )
        await alice.register(Authorization=wrong)
        assert metrics(lab)["libreims_authentication_failures_total"] == 1

    old = 'impi: "alice@ims.test", authent_type: "none"'
    play(scenario, CONFIG.replace(old, 'impi: "alice@ims.test", authent_type: "MD5", pwd: "secret"'))


async def get(served: Served, path: str) -> tuple[bytes, str]:
    reader, writer = await asyncio.open_connection(served.host, served.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(10):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return head, body.decode()


async def test_the_page_is_there_only_where_it_is_configured() -> None:
    async with serving("com_metrics: true", config=QUIET) as served:
        head, body = await get(served, "/metrics")
        assert b" 200 " in head
        assert b"Content-Type: text/plain; version=0.0.4" in head
        assert parsed(body)['libreims_calls{state="start"}'] == 0
        async with served.client() as client:
            assert "products" in await client.ask("license")
    async with serving(config=QUIET) as served:
        head, body = await get(served, "/metrics")
        assert b" 404 " in head
        assert "com_metrics" in body


def test_nothing_in_it_is_secret(tmp_path: Any) -> None:
    async def scenario(lab: Lab) -> None:
        await lab.registered("alice", "bob")
        text = lab.server.api._metrics.text()
        assert "alice" not in text
        assert "10.0.1" not in text

    play(scenario)
