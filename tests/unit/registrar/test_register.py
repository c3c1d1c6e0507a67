from __future__ import annotations

import random

import pytest

from libreims.base.errors import LibreImsError, Reject
from libreims.registrar.draft import MAX_CONTACTS
from support.registrar_rig import CONFIG, Rig, finish, flow, header, headers

USERS = ("alice@ims.test", "bob@ims.test", "fleet@ims.test")
IMEI1 = '+sip.instance="<urn:gsma:imei:35000000-000001-0>"'
IMEI2 = '+sip.instance="<urn:gsma:imei:35000000-000002-0>"'


def test_authentication_is_asked_for_the_user_and_forced_by_the_impu() -> None:
    rig = Rig()
    rig.register("alice", "Contact: <sip:a@10.0.0.50>")
    rig.register("strict", "Contact: <sip:b@10.0.0.50>", username="bob@ims.test")
    rig.register("free", "Contact: <sip:b@10.0.0.50>", username="bob@ims.test")
    assert rig.gate.asked == [("alice@ims.test", False), ("bob@ims.test", True)]


def test_nothing_is_bound_without_authentication() -> None:
    rig = Rig()
    rig.gate.refusal = Reject(401, "first ask")
    with pytest.raises(Reject, match="first ask"):
        rig.register("alice", "Contact: <sip:a@10.0.0.50>")
    assert rig.contacts() == [] and rig.events == []


def test_a_user_removed_while_its_credentials_are_checked_is_not_bound() -> None:
    rig = Rig()
    authenticate = rig.gate.authenticate

    async def slow(*args: object, **more: object) -> object:
        rig.database.remove("alice@ims.test")
        return await authenticate(*args, **more)  # type: ignore[arg-type]

    rig.gate.authenticate = slow  # type: ignore[assignment]
    with pytest.raises(Reject, match="removed"):
        rig.register("alice", "Contact: <sip:a@10.0.0.50>")
    assert len(rig.bindings) == 0


def test_associated_uris_are_sip_first_and_leave_out_what_is_not_associated() -> None:
    answer = Rig().register("alice", "Contact: <sip:a@10.0.0.50>")
    assert header(answer, "P-Associated-URI") == "<sip:alice@ims.test>, <tel:+3312345>"


def test_domain_display_name_and_phone_of_associated_uris() -> None:
    rig = Rig(
        'domain: "ims.test", ue_db: [{ impi: "u@d", nai: "x", domain: "user.test", impu: ['
        '"a", {impu: "b", domain: "own.test", display_name: "Bea \\"B\\""}, {impu: "+331", phone: true}]}]'
    )
    answer = rig.register("a", "Contact: <sip:a@10.0.0.50>", username="u@d")
    assert header(answer, "P-Associated-URI") == (
        '<sip:a@user.test>, "Bea \\"B\\"" <sip:b@own.test>, <sip:+331@user.test;user=phone>'
    )


def test_what_is_kept_of_a_phone() -> None:
    rig = Rig()
    rig.register(
        "alice",
        f"User-Agent: Phone/1\nContact: <sip:10.0.0.50>;video;+g.3gpp.smsip;q=0.5;{IMEI1}",
        at=flow(transport="TCP"),
        call_id="abc",
    )
    (binding,) = rig.bindings.of("alice@ims.test")
    assert (binding.user_agent, binding.imei, binding.q, binding.call_id) == (
        "Phone/1",
        "35000000000001",
        0.5,
        "abc",
    )
    assert binding.features.sms and binding.features.video and not binding.features.volte
    assert binding.flow.transport == "TCP" and binding.aor == "sip:alice"


def test_a_refresh_keeps_number_and_start() -> None:
    rig = Rig()
    rig.register("alice", "Contact: <sip:a@10.0.0.50>")
    (first,) = rig.bindings.of("alice@ims.test")
    rig.clock.advance(100)
    rig.register("alice", "Contact: <sip:a@10.0.0.50;transport=udp>;expires=7200")
    (second,) = rig.bindings.of("alice@ims.test")
    assert second.number == first.number and second.registered_at == first.registered_at
    assert second.expires_at == first.expires_at + 100
    assert rig.causes() == ["registered", "refreshed"]
    rig.register("alice", "Contact: <sip:a@10.0.0.50>;expires=60")
    assert rig.causes() == ["refreshed"]


def test_a_phone_that_restarted_replaces_its_old_contact() -> None:
    rig = Rig()
    rig.register("alice", f"Contact: <sip:a@10.0.0.50>;{IMEI1}")
    rig.register("alice", f"Contact: <sip:a@10.0.0.77>;{IMEI1}", call_id="after restart", cseq=1)
    assert rig.contacts() == ["sip:a@10.0.0.77"]
    assert rig.causes() == ["registered", "unregistered", "registered"]


def test_a_phone_may_bind_udp_and_tcp_and_refresh_both() -> None:
    rig = Rig()
    lines = f"Contact: <sip:a@10.0.0.50>;{IMEI1}\nContact: <sip:a@10.0.0.50:5070>;{IMEI1}"
    rig.register("alice", lines)
    numbers = [binding.number for binding in rig.bindings.of("alice@ims.test")]
    rig.register("alice", lines)
    assert [binding.number for binding in rig.bindings.of("alice@ims.test")] == numbers
    assert rig.causes() == ["registered", "registered", "refreshed", "refreshed"]


def test_one_contact_twice_is_one() -> None:
    rig = Rig()
    rig.register("alice", "Contact: <sip:a@10.0.0.50>, <sip:a@10.0.0.50>")
    assert rig.contacts() == ["sip:a@10.0.0.50"]


def test_a_sim_that_moved_leaves_its_old_phone_behind() -> None:
    rig = Rig()
    rig.gate.scheme = "AKAv1"
    rig.register("alice", "Contact: <sip:a@10.0.0.50>")
    rig.register("alice", "Contact: <sip:a@10.0.0.51;sos>", at=flow("10.0.0.51"))
    rig.register("alice", "Contact: <sip:a@10.0.0.52>", at=flow("10.0.0.52"))
    assert sorted(rig.contacts()) == ["sip:a@10.0.0.51;sos", "sip:a@10.0.0.52"]
    assert rig.causes() == ["registered", "registered", "registered", "deactivated"]


def test_soft_phones_share_an_account() -> None:
    rig = Rig()
    rig.register("alice", "Contact: <sip:a@10.0.0.50>")
    answer = rig.register("alice", "Contact: <sip:a@10.0.0.51>", at=flow("10.0.0.51"))
    assert rig.contacts() == ["sip:a@10.0.0.50", "sip:a@10.0.0.51"]
    assert len(headers(answer, "Contact")) == 2


def test_the_oldest_of_too_many_contacts_goes() -> None:
    rig = Rig()
    for number in range(MAX_CONTACTS + 1):
        rig.register("alice", f"Contact: <sip:a@10.0.1.{number}>")
    contacts = rig.contacts()
    assert len(contacts) == MAX_CONTACTS and "sip:a@10.0.1.0" not in contacts
    assert rig.causes().count("deactivated") == 1
    with pytest.raises(Reject) as caught:
        rig.register("alice", "\n".join(f"Contact: <sip:a@10.0.2.{n}>" for n in range(MAX_CONTACTS + 1)))
    assert caught.value.status == 403


def test_phones_that_share_a_sim_do_not_see_each_other() -> None:
    rig = Rig()
    rig.gate.scheme = "AKAv1"
    first = rig.register("fleet", f"Contact: <sip:f@10.0.0.50>;{IMEI1}")
    second = rig.register("fleet", f"Contact: <sip:f@10.0.0.51>;{IMEI2}", at=flow("10.0.0.51"))
    assert len(rig.contacts("fleet@ims.test")) == 2
    assert len(headers(second, "Contact")) == 1
    assert header(first, "P-Associated-URI") == "<sip:fleet@ims.test>, <tel:1001>"
    assert header(second, "P-Associated-URI") == "<sip:fleet@ims.test>, <tel:1002>"
    fetched = rig.register("fleet", at=flow("10.0.0.51"))
    assert [value[:18] for value in headers(fetched, "Contact")] == ["<sip:f@10.0.0.51>;"]
    rig.register("fleet", "Contact: *\nExpires: 0", at=flow("10.0.0.51"))
    assert rig.contacts("fleet@ims.test") == ["sip:f@10.0.0.50"]


def test_a_number_of_one_phone_is_not_registered_by_another() -> None:
    rig = Rig()
    lines = "Contact: <sip:f@10.0.0.50>"
    tel: dict[str, object] = {"to": "<tel:1001>"}
    rig.register("fleet", f"{lines};{IMEI1}", **tel)  # type: ignore[arg-type]
    for other in (f"{lines};{IMEI2}", lines):
        with pytest.raises(Reject, match="with the IMEI 35000000000001 only") as caught:
            rig.register("fleet", other, **tel)  # type: ignore[arg-type]
        assert caught.value.status == 403
    assert len(rig.contacts("fleet@ims.test")) == 1


def test_emergency_registration_stands_beside_the_normal_one() -> None:
    rig = Rig()
    rig.gate.scheme = "AKAv1"
    rig.register("alice", f"Contact: <sip:a@10.0.0.50>;{IMEI1}")
    answer = rig.register("alice", f"Contact: <sip:a@10.0.0.50;sos>;{IMEI1}")
    assert [binding.emergency for binding in rig.bindings.of("alice@ims.test")] == [False, True]
    assert len(headers(answer, "Contact")) == 2
    rig.register("alice", f"Contact: <sip:a@10.0.0.50;sos>;{IMEI1};expires=0")
    assert rig.contacts() == ["sip:a@10.0.0.50"]


def test_an_emergency_registration_alone_gets_no_service_route() -> None:
    answer = Rig().register("alice", "Contact: <sip:a@10.0.0.50;sos>")
    assert header(answer, "Service-Route") is None


def test_unregister_by_contact_or_impu() -> None:
    rig = Rig()
    rig.register("alice", "Contact: <sip:a@10.0.0.50>, <sip:a@10.0.0.51>")
    rig.causes()
    assert rig.registrar.unregister("sip:a@10.0.0.50") == 1
    assert rig.causes() == ["deactivated"]
    assert rig.registrar.unregister("tel:+3312345", "probation") == 1
    assert rig.causes() == ["probation"]
    with pytest.raises(LibreImsError, match="neither a contact nor an IMPU"):
        rig.registrar.unregister("sip:alice")
    with pytest.raises(LibreImsError, match="refreshed"):
        rig.registrar.unregister("sip:alice", "refreshed")


def test_registrations_are_not_mixed_up_by_a_slow_authentication() -> None:
    """Two REGISTERs of one phone that wait for the HSS at once: the later one counts, in any order."""
    rig = Rig()
    gates = []

    class Pause:
        def __await__(self):  # type: ignore[no-untyped-def]
            yield self

    authenticate = rig.gate.authenticate

    async def slow(*args: object, **more: object) -> object:
        await Pause()
        return await authenticate(*args, **more)  # type: ignore[arg-type]

    rig.gate.authenticate = slow  # type: ignore[assignment]
    for cseq in (1, 2):
        request = rig.request(
            "REGISTER", "sip:ims.test", "Contact: <sip:a@10.0.0.50>", to="<sip:alice@ims.test>", cseq=cseq
        )
        gates.append(rig.registrar.register(request, flow()))
    for coroutine in gates:
        coroutine.send(None)
    finish(gates[1])
    with pytest.raises(Reject) as caught:
        finish(gates[0])
    assert caught.value.status == 500
    assert [binding.cseq for binding in rig.bindings.of("alice@ims.test")] == [2]


def test_binding_expires_below_the_minimum_is_its_own_minimum() -> None:
    rig = Rig(f"binding_expires: 10, {CONFIG}")
    answer = rig.register("alice", "Contact: <sip:a@10.0.0.50>;expires=10")
    assert header(answer, "Contact") == "<sip:a@10.0.0.50>;expires=10"
    with pytest.raises(Reject) as caught:
        rig.register("alice", "Contact: <sip:a@10.0.0.50>;expires=9")
    assert caught.value.headers == (("Min-Expires", "10"),)


def test_a_random_life_keeps_every_index_together() -> None:
    """Thousands of REGISTERs in any order, valid or not: what is bound is what the indexes say."""
    source = random.Random(3)
    rig = Rig()
    refused = 0
    for _ in range(4000):
        user = source.choice(["alice", "bob", "fleet"])
        host = f"10.0.0.{source.randint(50, 53)}"
        rig.gate.scheme = source.choice(["none", "MD5", "AKAv1"])
        contacts = [
            f"<sip:{source.choice('abc')}@{host}{source.choice(['', ';sos'])}>"
            + source.choice(["", f";{IMEI1}", f";{IMEI2}", f";{IMEI1};reg-id=1"])
            + source.choice(["", ";expires=0", ";expires=40", ";expires=5", ";q=0.1"])
            for _ in range(source.randint(0, 3))
        ]
        lines = (
            f"Contact: {', '.join(contacts)}" if contacts else source.choice(["", "Contact: *\nExpires: 0"])
        )
        order: dict[str, object] = {"call_id": source.choice("xy"), "cseq": source.randint(1, 5000)}
        try:
            rig.register(user, lines, at=flow(host), **order)  # type: ignore[arg-type]
        except Reject as reject:
            refused += 1
            assert reject.status in (423, 500)
        rig.clock.advance(source.choice([0, 1, 30, 400]))
        check_indexes(rig)
    assert 500 < refused < 3500
    rig.clock.advance(4000)
    assert len(rig.bindings) == 0 and rig.clock.waiting == 0
    assert not rig.bindings._by_impi and not rig.bindings._by_remote


def check_indexes(rig: Rig) -> None:
    known = {binding.number: binding for binding in rig.bindings}
    by_user = [binding for impi in USERS for binding in rig.bindings.of(impi)]
    assert len(by_user) == len(known) == len(rig.bindings._expiry)
    for binding in by_user:
        assert known[binding.number] is binding
        assert binding in tuple(rig.bindings.by_remote(binding.flow.remote))
        assert binding.expires_at > rig.utc() - 1
    for impi in USERS:
        contacts = [(binding.contact, binding.emergency) for binding in rig.bindings.of(impi)]
        assert len(contacts) == len(set(contacts))
