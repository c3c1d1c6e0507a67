"""Who is shown how: identities of a call through the whole server (manual §5.2.1, RFC 3323, RFC 3325)."""

from __future__ import annotations

import asyncio

import pytest

from libreims.proto.sip.message import Request, Response
from support.lab import DOMAIN, Lab, Peer, play

HEAD = """
domain: "ims.test", sip_addr: ["10.0.0.1"], timer_t1: 0.5, timer_t2: 4, timer_t4: 5,
log_options: "all.level=debug,all.max_size=1", user_agent: "Ours",
"""


def config(alice: str = '"sip:alice", "tel:0601"', bob: str = '"sip:bob", "tel:0602"', more: str = "") -> str:
    def user(name: str, impus: str) -> str:
        return f'{{ impi: "{name}@ims.test", authent_type: "none", impu: [{impus}] }}'

    return f"{HEAD}{more}ue_db: [{user('alice', alice)}, {user('bob', bob)}],"


async def registered(lab: Lab, bob_contact: str = "", **bob_headers: str) -> tuple[Peer, Peer]:
    (alice,) = await lab.registered("alice")
    bob = await lab.peer("bob")
    assert (await bob.register(contact=bob_contact, **bob_headers)).status == 200
    return alice, bob


class Seen:
    """What both sides of a call saw of each other."""

    def __init__(self, invite: Request, ringing: Response, answer: Response, bye: Request) -> None:
        self.invite = invite
        self.ringing = ringing
        self.answer = answer
        self.bye = bye

    @property
    def asserted(self) -> list[str]:
        return self.invite.get_all("P-Asserted-Identity")


def call(
    configuration: str,
    *headers: tuple[str, str],
    uri: str = "tel:0602",
    answering: tuple[tuple[str, str], ...] = (),
    contact: str = "",
    **bob_headers: str,
) -> Seen:
    """Alice calls bob, who rings and answers; then alice hangs up."""
    seen: list[Seen] = []

    async def scenario(lab: Lab) -> None:
        alice, bob = await registered(lab, contact, **bob_headers)
        outcome = alice.send("INVITE", uri, headers, alice.sdp())
        invite = await bob.expect("INVITE")
        bob.respond(invite, 180, headers=answering)
        ringing = await outcome.response(180)
        bob.respond(invite, 200, bob.sdp(), answering)
        answer = await outcome.response(200)
        dialog = alice.ack(outcome, answer)
        await bob.expect_ack()
        await asyncio.sleep(0.1)
        bye = alice.in_dialog(dialog, "BYE")
        ended = await bob.expect("BYE")
        bob.respond(ended, 200)
        assert (await bye.final()).status == 200
        seen.append(Seen(invite.request, ringing, answer, ended.request))

    play(scenario, configuration)
    return seen[0]


def test_the_identities_of_the_caller() -> None:
    """RFC 3325 §9.1: at most one SIP and one tel URI; the one that the phone chose is From."""
    seen = call(config('"sip:alice", "tel:0601", "tel:0603", "sip:other"'))
    assert seen.invite.from_.uri_text == f"sip:alice@{DOMAIN}"
    assert seen.asserted == [f"<sip:alice@{DOMAIN}>", "<tel:0601>"]
    assert seen.invite.get("P-Preferred-Identity") is None
    assert seen.invite.get("Privacy") is None
    assert seen.invite.to.uri_text == "tel:0602"


@pytest.mark.parametrize("header", ["P-Preferred-Identity", "P-Asserted-Identity"])
def test_the_phone_chooses_its_identity(header: str) -> None:
    """TS 24.229 §5.2.6.3: a preferred identity of the user's own is asserted."""
    seen = call(config(), (header, "<tel:0601>"))
    assert seen.invite.from_.uri_text == "tel:0601"
    assert seen.asserted == ["<tel:0601>", f"<sip:alice@{DOMAIN}>"]


@pytest.mark.parametrize("header", ["P-Preferred-Identity", "P-Asserted-Identity", "From"])
def test_an_identity_of_somebody_else_is_replaced(header: str) -> None:
    seen = call(
        config(), (header, f"<sip:bob@{DOMAIN}>;tag=x" if header == "From" else f"<sip:bob@{DOMAIN}>")
    )
    assert seen.invite.from_.uri_text == f"sip:alice@{DOMAIN}"
    assert seen.asserted == [f"<sip:alice@{DOMAIN}>", "<tel:0601>"]


@pytest.mark.parametrize("name", ["preferred", "prefered"])
def test_preferred(name: str) -> None:
    seen = call(config(f'"sip:alice", {{ impu: "tel:0601", {name}: true }}'))
    assert seen.invite.from_.uri_text == "tel:0601"
    assert seen.invite.get("P-Preferred-Identity") == "<tel:0601>"
    assert seen.asserted == [f"<sip:alice@{DOMAIN}>", "<tel:0601>"]


def test_the_preferred_identity_of_the_callee_is_the_request_uri() -> None:
    bob = '{ impu: "sip:bob", preferred: true }, "tel:0602"'
    seen = call(config(bob=bob))
    assert seen.invite.uri == f"sip:bob@{DOMAIN}"
    assert seen.bye.uri.startswith("sip:bob@10.0.1."), "in-dialog requests go to the remote target"


def test_a_proxy_on_the_path_gets_the_contact_all_the_same() -> None:
    bob = '{ impu: "sip:bob", preferred: true }, "tel:0602"'
    contact = "<sip:bob@10.0.9.9:5060>"
    seen = call(config(bob=bob), contact=contact, Path="<sip:10.0.1.2;lr>", Supported="path")
    assert seen.invite.uri == "sip:bob@10.0.9.9:5060"
    assert seen.invite.get("Route") == "<sip:10.0.1.2;lr>"


def test_asserted() -> None:
    alice = '"sip:alice", "tel:0601", { impu: "tel:+33601", asserted: true, associated: false }'
    seen = call(config(alice))
    assert seen.invite.from_.uri_text == f"sip:alice@{DOMAIN}"
    assert seen.asserted == ["<tel:+33601>"]


@pytest.mark.parametrize(
    ("impu", "shown"),
    [
        ('{ impu: "tel:0601", verstat: "TN-Validation-Passed" }', "<tel:0601;verstat=TN-Validation-Passed>"),
        (
            '{ impu: "sip:0601", phone: true, verstat: "No-TN-Validation" }',
            f"<sip:0601;verstat=No-TN-Validation@{DOMAIN};user=phone>",
        ),
        ('{ impu: "sip:0601", phone: true }', f"<sip:0601@{DOMAIN};user=phone>"),
        ('{ impu: "sip:0601", domain: "other.test" }', "<sip:0601@other.test>"),
    ],
)
def test_verstat_phone_and_domain(impu: str, shown: str) -> None:
    """TS 24.229 §7.2A.20: verstat is a parameter of the number."""
    registers = '{ impu: "sip:alice", associated: false }'
    seen = call(config(f"{impu}, {registers}"), ("From", "<sip:0601@ims.test>;tag=a"))
    assert seen.asserted == [shown]
    assert "verstat" not in (seen.invite.get("From") or "")


def test_display_names() -> None:
    alice = '{ impu: "sip:alice", display_name: "Alice \\"the\\" Great" }, "tel:0601"'
    seen = call(config(alice, '"sip:bob", { impu: "tel:0602", display_name: "Bob" }'))
    assert seen.invite.from_.display == 'Alice "the" Great'
    assert seen.asserted[0] == f'"Alice \\"the\\" Great" <sip:alice@{DOMAIN}>'
    assert seen.asserted[1] == "<tel:0601>"
    assert seen.invite.to.display == "Bob"


def test_the_name_that_the_phone_gives_itself_is_not_asserted() -> None:
    seen = call(config(), ("From", '"I am" <sip:alice@ims.test>;tag=a'))
    assert seen.invite.from_.display == "I am"
    assert seen.asserted[0] == f"<sip:alice@{DOMAIN}>"


PRIVATE = (
    ("Subject", "alice writes"),
    ("Organization", "alice & co"),
    ("Call-Info", "<http://alice.test/a.png>"),
    ("Reply-To", "<sip:alice@ims.test>"),
    ("User-Agent", "alice phone"),
    ("History-Info", "<sip:alice@ims.test>;index=1"),
)


@pytest.mark.parametrize("privacy", ["id", "user;id", "header", "ID; critical"])
def test_privacy_masks_who_calls(privacy: str) -> None:
    """RFC 3323 §4.1.1.3 and §5.3, RFC 3325 §7."""
    more = "force_user_agent: false,"
    seen = call(config(more=more), ("Privacy", privacy), ("Priority", "urgent"), *PRIVATE)
    text = seen.invite.encode().decode()
    assert seen.invite.get("From").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=')
    assert "alice" not in text.partition("\r\n\r\n")[0]
    assert "P-Asserted-Identity" not in text
    assert seen.invite.get("Privacy") == privacy
    assert seen.invite.get("Priority") == "urgent"
    assert "alice" not in seen.bye.encode().decode()


def test_the_session_description_of_a_hidden_caller_tells_nothing_either() -> None:
    telling = b"s=alice\r\ni=alice\r\nu=http://alice.test\r\ne=alice@ims.test\r\np=+33 alice\r\n"
    for privacy, hidden in (("id", True), ("none", False)):

        async def scenario(lab: Lab, privacy: str = privacy, hidden: bool = hidden) -> None:
            alice, bob = await registered(lab)
            offer = alice.sdp().replace(b"o=-", b"o=alice").replace(b"s=-\r\n", telling)
            outcome = alice.send("INVITE", "tel:0602", (("Privacy", privacy),), offer)
            invite = await bob.expect("INVITE")
            assert (b"alice" in invite.request.body) is not hidden
            assert (b"s=-" in invite.request.body) is hidden
            bob.respond(invite, 200, bob.sdp())
            dialog = alice.ack(outcome, await outcome.response(200))
            await bob.expect_ack()
            change = alice.in_dialog(dialog, "INVITE", offer)
            asked = await bob.expect("INVITE")
            assert (b"alice" in asked.request.body) is not hidden
            bob.respond(asked, 200, bob.sdp())
            alice.send_ack(dialog, (await change.response(200)).cseq.number)
            await bob.expect_ack()
            bye = alice.in_dialog(dialog, "BYE")
            bob.respond(await bob.expect("BYE"), 200)
            assert (await bye.final()).status == 200

        play(scenario, config())


@pytest.mark.parametrize("privacy", ["none", "none;id", "session"])
def test_privacy_that_hides_nothing(privacy: str) -> None:
    seen = call(config(), ("Privacy", privacy), *PRIVATE)
    assert seen.asserted == [f"<sip:alice@{DOMAIN}>", "<tel:0601>"]
    assert seen.invite.get("Subject") == "alice writes"
    assert seen.invite.get("Privacy") == privacy


@pytest.mark.parametrize("privacy", ["", "none", "id"])
def test_anonymous_masks_whatever_the_phone_says(privacy: str) -> None:
    headers = (("Privacy", privacy),) if privacy else ()
    seen = call(config('{ impu: "sip:alice", anonymous: true }, "tel:0601"'), *headers, *PRIVATE)
    assert seen.invite.from_.uri_text == "sip:anonymous@anonymous.invalid"
    assert seen.asserted == []
    assert seen.invite.get_all("Privacy") == ["id"]
    assert "alice" not in seen.invite.encode().decode()


def test_an_anonymous_from_with_a_preferred_identity() -> None:
    """TS 24.607 §4.5.2.1: how phones ask for it."""
    seen = call(
        config(),
        ("From", '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=a'),
        ("P-Preferred-Identity", "<tel:0601>"),
        ("Privacy", "id"),
    )
    assert seen.invite.from_.uri_text == "sip:anonymous@anonymous.invalid"
    assert seen.asserted == []


def test_who_answers_is_shown_to_the_caller() -> None:
    """TS 24.608: the called identity in 18x and 2xx."""
    bob = '"sip:bob", { impu: "tel:0602", display_name: "Bob" }'
    seen = call(config(bob=bob))
    for response in (seen.ringing, seen.answer):
        assert response.get_all("P-Asserted-Identity") == ['"Bob" <tel:0602>']


@pytest.mark.parametrize(
    ("bob", "answering"),
    [
        ('"sip:bob", "tel:0602"', (("Privacy", "id"),)),
        ('"sip:bob", { impu: "tel:0602", anonymous: true }', ()),
    ],
)
def test_who_answers_may_hide(bob: str, answering: tuple[tuple[str, str], ...]) -> None:
    seen = call(config(bob=bob), answering=answering)
    for response in (seen.ringing, seen.answer):
        assert response.get("P-Asserted-Identity") is None


def test_the_identity_that_a_phone_claims_in_its_answer_does_not_count() -> None:
    seen = call(config(), answering=(("P-Asserted-Identity", "<tel:112>"),))
    assert seen.answer.get_all("P-Asserted-Identity") == ["<tel:0602>"]


@pytest.mark.parametrize(
    ("more", "bob", "shown"),
    [
        ("", '"sip:bob", "tel:0602"', []),
        ("p_called_party_id: true,", '"sip:bob", "tel:0602"', ["<tel:0602>"]),
        ("", '{ impu: "tel:0602", p_called_party_id: "tel:+33602" }', ["<tel:+33602>"]),
        ("", '{ impu: "tel:0602", p_called_party_id: "robert" }', ["<sip:robert@ims.test>"]),
        ("", '{ impu: "tel:0602", p_called_party_id: "sip:robert@x.test" }', ["<sip:robert@x.test>"]),
        (
            "p_called_party_id: true,",
            '{ impu: "tel:0602", p_called_party_id: "\\"B\\" <tel:1>" }',
            ['"B" <tel:1>'],
        ),
    ],
)
def test_p_called_party_id(more: str, bob: str, shown: list[str]) -> None:
    seen = call(config(bob=f'{bob}, "sip:bob"', more=more))
    assert seen.invite.get_all("P-Called-Party-ID") == shown


def test_what_the_phone_says_of_the_network_stays_in_the_network() -> None:
    """RFC 7315 §5.4, TS 24.229 §5.2.6.3: neither is the other phone's business."""
    ours = (
        ("P-Access-Network-Info", "3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=0010100010000001"),
        ("P-Charging-Vector", 'icid-value="forged"'),
        ("P-Charging-Function-Addresses", "ccf=1.1.1.1"),
        ("P-Visited-Network-ID", "other"),
    )
    seen = call(config(more="p_called_party_id: true,"), *ours, answering=ours[:2])
    for message in (seen.invite, seen.ringing, seen.answer):
        for name, _ in ours:
            assert message.get(name) is None


def test_a_proxy_on_the_path_gets_the_charging_vector() -> None:
    """TS 24.229 §5.4.3.3: network elements share one icid."""
    seen = call(config(), contact="<sip:bob@10.0.9.9>", Path="<sip:10.0.1.2;lr>", Supported="path")
    vector = seen.invite.get("P-Charging-Vector") or ""
    assert vector.startswith('icid-value="') and vector.endswith(f";orig-ioi={DOMAIN}")


def test_the_charging_vector_of_a_proxy_is_kept_on_both_legs() -> None:
    vector = 'icid-value="abc+1";icid-generated-at=10.0.1.1;orig-ioi=visited.test'

    async def scenario(lab: Lab) -> None:
        alice, bob = await lab.peer("alice"), await lab.peer("bob")
        for peer in (alice, bob):
            contact = f"<sip:{peer.name}@10.0.9.9>"
            path = {"Path": f"<sip:{peer.host};lr>", "Supported": "path"}
            assert (await peer.register(contact=contact, **path)).status == 200
        outcome = alice.send("INVITE", "tel:0602", (("P-Charging-Vector", vector),), alice.sdp())
        invite = await bob.expect("INVITE")
        assert invite.request.get("P-Charging-Vector") == vector
        bob.respond(invite, 180)
        bob.respond(invite, 486)
        ringing = await outcome.response(180)
        assert ringing.get("P-Charging-Vector") == f"{vector};term-ioi={DOMAIN}"
        assert (await outcome.final()).status == 486

    play(scenario, config())


@pytest.mark.parametrize("vector", ["orig-ioi=a", 'icid-value="abc', "icid-value="])
def test_a_charging_vector_that_cannot_be_read(vector: str) -> None:
    async def scenario(lab: Lab) -> None:
        alice = await lab.peer("alice")
        path = {"Path": f"<sip:{alice.host};lr>", "Supported": "path"}
        assert (await alice.register(contact="<sip:alice@10.0.9.9>", **path)).status == 200
        refusal = await alice.send(
            "INVITE", "tel:0602", (("P-Charging-Vector", vector),), alice.sdp()
        ).final()
        assert refusal.status == 400
        assert "P-Charging-Vector" in lab.log_text()

    play(scenario, config())


AGENTS = (("User-Agent", "Alice phone/1"),)
ANSWERED_BY = (("Server", "Bob phone/2"),)


def test_our_user_agent() -> None:
    seen = call(config(), *AGENTS, answering=ANSWERED_BY)
    assert seen.invite.get_all("User-Agent") == seen.bye.get_all("User-Agent") == ["Ours"]
    assert seen.ringing.get_all("Server") == seen.answer.get_all("Server") == ["Ours"]


def test_the_user_agent_of_the_other_phone() -> None:
    seen = call(config(more="force_user_agent: false,"), *AGENTS, answering=ANSWERED_BY)
    assert seen.invite.get_all("User-Agent") == seen.bye.get_all("User-Agent") == ["Alice phone/1"]
    assert seen.ringing.get_all("Server") == seen.answer.get_all("Server") == ["Bob phone/2"]


def test_a_phone_without_user_agent_gets_ours() -> None:
    seen = call(config(more="force_user_agent: false,"))
    assert seen.invite.get_all("User-Agent") == ["Ours"]
    assert seen.answer.get_all("Server") == ["Ours"]


def test_match_stands_for_what_was_named() -> None:
    """The definition is the IMPU's, the number is the one that was dialled or claimed."""
    alice = '{ impu: "sip:alice", match: "^77", display_name: "Range" }'
    bob = '"sip:bob", { match: "^088[0-9]+$", p_called_party_id: "tel:088", display_name: "Many" }'
    seen = call(config(alice, bob), ("From", f"<sip:7712@{DOMAIN}>;tag=a"), uri="tel:0881234")
    assert seen.invite.get("From").startswith(f'"Range" <sip:7712@{DOMAIN}>')
    assert seen.invite.get("To") == '"Many" <tel:0881234>'
    assert seen.invite.get("P-Called-Party-ID") == "<tel:088>"
    assert seen.answer.get("P-Asserted-Identity") == '"Many" <tel:0881234>'
