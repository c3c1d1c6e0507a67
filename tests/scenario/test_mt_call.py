"""`mt_call`: calls that the server makes (manual §6.6), through the whole server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from libreims.base.errors import LibreImsError
from libreims.proto.sdp.description import SessionDescription
from libreims.proto.sip.dialog import Dialog
from libreims.proto.sip.message import Message
from support.lab import CONFIG, DOMAIN, Lab, Peer, play
from support.stream import Stream


def described(message: Message) -> SessionDescription:
    return SessionDescription.parse(message.body)


async def answered(lab: Lab, bob: Peer, **parameters: object) -> tuple[str, Dialog, Message]:
    """A call of the server to bob that is on."""
    session_id = lab.server.control.mt_call(**{"impi": "bob@ims.test", **parameters})  # type: ignore[arg-type]
    invite = await bob.expect("INVITE")
    bob.respond(invite, 180)
    await asyncio.sleep(0.1)
    bob.respond(invite, 200, bob.sdp())
    await bob.expect_ack()
    await asyncio.sleep(0.1)
    return session_id, bob.answered(invite), invite.request


def test_a_call_of_the_server_echoes_and_ends_after_its_duration() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        stream = Stream(bob)
        session_id, _, request = await answered(lab, bob, caller="Lab", duration=10)
        assert request.from_.display == "Lab"
        assert request.from_.uri_text == f"sip:Lab@{DOMAIN}"
        assert not request.get_all("P-Asserted-Identity")
        assert request.uri == bob.uri
        offer = described(request)
        address = offer.rtp_address(0)
        assert address is not None and address[0] == "10.0.0.1"
        assert {"AMR-WB", "AMR", "PCMA", "PCMU"} <= {each.name for each in offer.media[0].codecs()}
        stream.send(address, 3)
        stream.report(address)
        await asyncio.sleep(1)
        assert len(stream.rtp) == 3 and len(stream.rtcp) == 1
        (dialog,) = lab.server.control.dialog_get(session_id)
        assert (dialog.type, dialog.state, dialog.to, dialog.from_) == ("mt call", "start", "sip:bob", "Lab")
        assert dialog.mo_dialog is None and dialog.mt_dialog is None
        (media,) = dialog.medias
        assert (media.type, media.dir, media.qos) == ("audio", "sendrecv", "disabled")
        assert (media.rtp_recv_count, media.rtp_send_count, media.rtcp_recv_count) == (3, 3, 1)
        assert media.rtp_addr == f"{bob.host}:40000" and media.rtcp_addr == f"{bob.host}:40001"
        begin = lab.loop.time()
        bye = await bob.expect("BYE")
        assert 8 < lab.loop.time() - begin < 9
        assert "cause=200" in (bye.request.get("Reason") or "")
        bob.respond(bye, 200)
        await asyncio.sleep(0.1)
        (dialog,) = lab.server.control.dialog_get(session_id)
        assert dialog.state == "stop" and 9.9 < dialog.duration < 10.2
        assert dialog.medias[0].rtp_recv_count == 3
        stream.close()

    play(scenario)


@pytest.mark.parametrize(
    ("caller", "from_"),
    [
        (None, f"<sip:ims@{DOMAIN}>"),
        ("0611223344", f"<sip:0611223344@{DOMAIN};user=phone>"),
        ("tel:+33611223344", "<tel:+33611223344>"),
        ("sip:test@elsewhere.example", "<sip:test@elsewhere.example>"),
        ("sip:test", f"<sip:test@{DOMAIN}>"),
        ("Test Lab", f'"Test Lab" <sip:Test%20Lab@{DOMAIN}>'),
    ],
)
def test_who_calls(caller: str | None, from_: str) -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        _, dialog, request = await answered(lab, bob, caller=caller)
        assert str(request.from_.without_params()) in (from_, from_.replace('"', ""))
        assert not request.get_all("P-Asserted-Identity")
        assert (await bob.in_dialog(dialog, "BYE").final()).status == 200

    play(scenario)


def test_a_caller_who_is_a_user_is_asserted() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        _, dialog, request = await answered(lab, bob, caller="0600000001")
        asserted = " ".join(request.get_all("P-Asserted-Identity"))
        assert "sip:alice@ims.test" in asserted and "tel:0600000001" in asserted
        assert (await bob.in_dialog(dialog, "BYE").final()).status == 200

    play(scenario)


def test_the_callee_by_each_of_its_names() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        for name, value in (
            ("impu", "0600000002"),
            ("impu", "tel:0600000002"),
            ("impu", "sip:bob"),
            ("contact", bob.uri),
        ):
            _, dialog, _ = await answered(lab, bob, impi=None, **{name: value})
            assert (await bob.in_dialog(dialog, "BYE").final()).status == 200

    play(scenario)


def test_what_cannot_be_called_is_named() -> None:
    async def scenario(lab: Lab) -> None:
        await lab.registered("bob")
        mt_call = lab.server.control.mt_call
        for parameters, text in (
            ({}, "one of impi, impu and contact is needed, none of them is given"),
            ({"impi": "a", "impu": "b"}, "impi and impu are given"),
            ({"impi": "nobody"}, "impi: nobody is no user of ue_db"),
            ({"impu": "0777"}, "impu: 0777 belongs to no user"),
            ({"impu": "666"}, "impu: 666 is an echo number"),
            ({"impu": "sip:alice"}, "impu: sip:alice is not registered now"),
            ({"impi": "bob@ims.test", "sos": True}, "not registered for emergency calls (sos)"),
            ({"contact": "sip:x@10.9.9.9"}, "contact: sip:x@10.9.9.9 is not registered"),
            ({"impi": "bob@ims.test", "duration": -1.0}, "duration: -1 is out of range"),
            (
                {"impi": "bob@ims.test", "sdp_file": "/nowhere/x.sdp"},
                "sdp_file /nowhere/x.sdp cannot be read",
            ),
            ({"impi": "bob@ims.test", "caller": "a\r\nb"}, "caller: 'a\\r\\nb' has a line break"),
            ({"impi": "bob@ims.test", "caller": "sip:a@[x"}, "caller: sip:a@[x is no valid URI"),
        ):
            with pytest.raises(LibreImsError) as caught:
                mt_call(**parameters)  # type: ignore[arg-type]
            assert text in str(caught.value)

    play(scenario)


def test_an_emergency_registration_is_reached_with_sos_only() -> None:
    async def scenario(lab: Lab) -> None:
        bob = await lab.peer("bob")
        assert (await bob.register(contact=f"<{bob.uri};sos>")).status == 200
        with pytest.raises(LibreImsError):
            lab.server.control.mt_call(impi="bob@ims.test")
        _, dialog, _ = await answered(lab, bob, sos=True)
        assert (await bob.in_dialog(dialog, "BYE").final()).status == 200

    play(scenario)


FILE = (
    "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nc=IN IP4 0.0.0.0\nt=0 0\n"
    "m=audio 1234 RTP/AVP 96\nc=IN IP4 0.0.0.0\na=rtpmap:96 EVS/16000\na=x-marker:7\n"
    "m=video 1234 RTP/AVP 97\na=rtpmap:97 H265/90000\n"
)


def test_sdp_files(tmp_path: Path) -> None:
    """`sdp_file` before the user's `mt_call_sdp_file` before the server's; places in them are replaced."""
    names = {}
    for name in ("own", "user", "server"):
        names[name] = str(tmp_path / f"{name}.sdp")
        Path(names[name]).write_text(FILE.replace("marker:7", f"marker:{name}"))
    config = CONFIG + f'\nmt_call_sdp_file: "{names["server"]}",'
    config = config.replace(
        'impi: "bob@ims.test",', f'impi: "bob@ims.test", mt_call_sdp_file: "{names["user"]}",'
    )

    async def scenario(lab: Lab) -> None:
        bob, carol = await lab.registered("bob", "carol")
        for peer, parameters, marker in (
            (bob, {"sdp_file": names["own"]}, "own"),
            (bob, {}, "user"),
            (carol, {"impi": "carol@ims.test"}, "server"),
        ):
            lab.server.control.mt_call(**{"impi": "bob@ims.test", **parameters})  # type: ignore[arg-type]
            invite = await peer.expect("INVITE")
            offer = described(invite.request)
            assert [each.kind for each in offer.media] == ["audio", "video"]
            assert offer.media[0].attribute("x-marker") == marker
            for index in (0, 1):
                address = offer.rtp_address(index)
                assert address is not None and address[0] == "10.0.0.1" and address[1] != 1234
                assert offer.direction(index) == "sendrecv"
            peer.respond(invite, 486)
            await asyncio.sleep(0.1)

    play(scenario, config)


def test_hold_and_take_up_again() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        session_id, dialog, _ = await answered(lab, bob)
        control = lab.server.control
        for theirs, ours, state in (("sendonly", "recvonly", "hold"), ("sendrecv", "sendrecv", "start")):
            control.dialog_set("*", "hold")
            asked = await bob.expect("INVITE")
            assert described(asked.request).direction(0) == theirs
            bob.respond(asked, 200, bob.sdp(direction=ours))
            await bob.expect_ack()
            await asyncio.sleep(0.1)
            (view,) = control.dialog_get(session_id)
            assert (view.state, view.medias[0].dir) == (state, theirs)
        assert [each.state for each in view.event_list if each.type == "state"] == [
            "init",
            "ringing",
            "start",
            "hold",
            "start",
        ]
        assert (await bob.in_dialog(dialog, "BYE").final()).status == 200

    play(scenario)


def test_a_hold_that_is_refused_leaves_the_call_as_it_was() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        _, dialog, _ = await answered(lab, bob)
        for _ in range(2):  # the second is a hold again
            lab.server.control.dialog_set("*", "hold")
            asked = await bob.expect("INVITE")
            assert described(asked.request).direction(0) == "sendonly"
            bob.respond(asked, 488)
            await asyncio.sleep(0.1)
        assert "the phone refuses the change of the call (488)" in lab.log_text()
        assert (await bob.in_dialog(dialog, "BYE").final()).status == 200

    play(scenario)


def test_a_hold_that_meets_the_phones_own_is_tried_again() -> None:
    """RFC 3261 §14.1: we chose the Call-ID, so it takes 2.1 to 4 seconds."""

    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        _, dialog, _ = await answered(lab, bob)
        lab.server.control.dialog_set("*", "hold")
        change = bob.in_dialog(dialog, "INVITE", bob.sdp(version=2))
        asked = await bob.expect("INVITE")
        assert (await change.final()).status == 491
        bob.respond(asked, 491)
        begin = lab.loop.time()
        again = await bob.expect("INVITE")
        assert 2.1 <= lab.loop.time() - begin <= 4.1
        assert described(again.request).direction(0) == "sendonly"
        bob.respond(again, 200, bob.sdp(direction="recvonly"))
        await bob.expect_ack()
        await asyncio.sleep(5)
        assert not bob.incoming
        assert (await bob.in_dialog(dialog, "BYE").final()).status == 200

    play(scenario)


def test_the_call_ends_while_a_change_waits_to_be_tried_again() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        _, dialog, _ = await answered(lab, bob)
        lab.server.control.dialog_set("*", "hold")
        bob.respond(await bob.expect("INVITE"), 491)
        assert (await bob.in_dialog(dialog, "BYE").final()).status == 200
        await asyncio.sleep(10)
        assert not bob.incoming

    play(scenario)


def test_the_phones_changes_are_answered() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        session_id, dialog, _ = await answered(lab, bob)
        for media, directions in (
            (("audio", "video"), ["recvonly", "recvonly"]),
            (("audio", "-video"), ["recvonly"]),
        ):
            change = bob.in_dialog(dialog, "INVITE", bob.sdp(media=media, direction="sendonly"))
            done = await change.final()
            bob.send_ack(dialog, done.cseq.number)
            await asyncio.sleep(0.1)
            (view,) = lab.server.control.dialog_get(session_id)
            assert [each.dir for each in view.medias] == directions
        assert (await bob.in_dialog(dialog, "INFO", b"x", (("Content-Type", "a/b"),)).final()).status == 200
        assert (await bob.in_dialog(dialog, "BYE").final()).status == 200

    play(scenario)


def test_reinvite_with_another_description(tmp_path: Path) -> None:
    file = tmp_path / "more.sdp"
    file.write_text(FILE)

    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        session_id, dialog, _ = await answered(lab, bob)
        control = lab.server.control
        control.dialog_set(session_id, "reinvite")
        asked = await bob.expect("INVITE")
        assert [each.kind for each in described(asked.request).media] == ["audio"]
        bob.respond(asked, 200, bob.sdp())
        await bob.expect_ack()
        await asyncio.sleep(0.1)
        control.dialog_set(session_id, "reinvite", sdp_file=str(file))
        asked = await bob.expect("INVITE")
        offer = described(asked.request)
        assert offer.media[0].attribute("x-marker") == "7" and offer.media[1].kind == "video"
        bob.respond(asked, 200, bob.sdp(media=("audio", "video")))
        await bob.expect_ack()
        await asyncio.sleep(0.1)
        control.dialog_set(session_id, "downgrade")
        asked = await bob.expect("INVITE")
        assert [bool(each.port) for each in described(asked.request).media] == [True, False]
        bob.respond(asked, 200, bob.sdp(media=("audio", "-video")))
        await bob.expect_ack()
        await asyncio.sleep(0.1)
        assert len(lab.server.relay) == 1
        with pytest.raises(LibreImsError, match="only audio, use stop"):
            control.dialog_set(session_id, "downgrade")
        assert (await bob.in_dialog(dialog, "BYE").final()).status == 200

    play(scenario)


def test_nobody_answers_or_all_refuse() -> None:
    async def scenario(lab: Lab) -> None:
        one, two = await lab.registered("bob", "bob")
        session_id = lab.server.control.mt_call(impi="bob@ims.test")
        one.respond(await one.expect("INVITE"), 486)
        two.respond(await two.expect("INVITE"), 603)
        await asyncio.sleep(1)
        assert not lab.server.calls.sessions
        assert [each.state for each in lab.server.control.dialog_get()] == ["stop", "stop"]
        await asyncio.sleep(30)
        assert list(lab.server.control.dialog_get(session_id)) == []

    play(scenario)


def test_a_caller_with_a_host_but_without_a_scheme() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        for caller, uri in (
            ("test@elsewhere.example", "sip:test@elsewhere.example"),
            ("a@[b", f"sip:a%40%5Bb@{DOMAIN}"),
        ):
            _, dialog, request = await answered(lab, bob, caller=caller)
            assert request.from_.uri_text == uri
            assert (await bob.in_dialog(dialog, "BYE").final()).status == 200

    play(scenario)


def test_a_contact_that_is_not_registered_for_emergency_calls() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        with pytest.raises(LibreImsError, match="is not registered for emergency calls"):
            lab.server.control.mt_call(contact=f"<{bob.uri}>", sos=True)

    play(scenario)


def test_the_preferred_impu_of_the_callee_is_the_request_uri() -> None:
    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        _, dialog, request = await answered(lab, bob)
        assert request.uri == f"sip:bob@{DOMAIN}"
        assert (await bob.in_dialog(dialog, "BYE").final()).status == 200

    play(scenario, CONFIG.replace('impu: ["sip:bob"', 'impu: [{ impu: "sip:bob", preferred: true }'))


def test_a_phone_is_called_by_an_impu_that_it_has() -> None:
    """`imei` ties the first IMPU of the user to another phone."""
    config = CONFIG.replace(
        'impu: ["sip:bob", "tel:0600000002"]',
        'multi_sim: true, impu: [{ impu: "sip:bob", imei: "35000000000001" }, "tel:0600000002"]',
    )
    assert config != CONFIG

    async def scenario(lab: Lab) -> None:
        bob = await lab.peer("bob")
        headers = [("Contact", f"<{bob.uri}>"), ("From", "<tel:0600000002>;tag=1")]
        done = await bob.send("REGISTER", f"sip:{DOMAIN}", headers, to="<tel:0600000002>").final()
        assert done.status == 200
        _, dialog, request = await answered(lab, bob, impi=None, contact=bob.uri)
        assert request.to.uri_text == "tel:0600000002"
        assert (await bob.in_dialog(dialog, "BYE").final()).status == 200

    play(scenario, config)


def test_no_media_port_is_free() -> None:
    """A call that cannot be offered ends at once, and the history says so."""

    async def scenario(lab: Lab) -> None:
        (bob,) = await lab.registered("bob")
        _, dialog, _ = await answered(lab, bob)
        session_id = lab.server.control.mt_call(impi="bob@ims.test")
        assert [each.state for each in lab.server.control.dialog_get(session_id)] == ["stop"]
        assert "no media port is free" in lab.log_text()
        lab.server.control.dialog_set("*", "hold")  # the other call is still there
        bob.respond(await bob.expect("INVITE"), 200, bob.sdp(direction="recvonly"))
        await bob.expect_ack()
        assert (await bob.in_dialog(dialog, "BYE").final()).status == 200

    config = CONFIG.replace('"10.0.0.1",', '{ addr: "10.0.0.1", port_min: 10000, port_max: 10001 },')
    assert config != CONFIG
    play(scenario, config)
