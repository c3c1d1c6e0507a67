"""REGISTER from a phone's side, against a scripted registrar on virtual time."""

from __future__ import annotations

import asyncio

import pytest

from libreims.base.tokens import Tokens
from libreims.net.simulated import SimulatedNetwork
from libreims.proto.sip import digest
from libreims.ue.phone import Phone
from libreims.ue.registration import RegistrationError, RegistrationState
from support.phones import MILENAGE, RegistrarStub, phone_config
from support.virtual import run

VOLTE = {"sim": MILENAGE, "scheme": "AKAv1-MD5"}


async def setting(**changes: object) -> tuple[SimulatedNetwork, RegistrarStub, Phone]:
    loop = asyncio.get_running_loop()
    network = SimulatedNetwork(loop)
    registrar = RegistrarStub(network, loop)
    await registrar.start()
    phone = Phone(network, loop, Tokens(1), phone_config(1, registrar.address, **changes))
    await phone.start()
    return network, registrar, phone


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_without_authentication(transport: str) -> None:
    async def scenario() -> None:
        _, registrar, phone = await setting(transport=transport)
        await phone.register()
        assert phone.is_registered
        [request] = registrar.registers
        assert request.uri == "sip:ims.test"
        assert request.expires == 600_000
        assert "Authorization" not in request
        assert request.via.transport == transport
        assert phone.registration.associated[1] == "<tel:0600000001>"
        assert phone.agent.service_route == ("<sip:orig@10.0.0.100:5060;lr>",)

    run(scenario)


@pytest.mark.parametrize("algorithm", ["AKAv1-MD5", "AKAv2-MD5", "AKAv2-SHA-256"])
def test_with_a_sim(algorithm: str) -> None:
    async def scenario() -> None:
        _, registrar, phone = await setting(**{**VOLTE, "scheme": algorithm})
        registrar.algorithm = algorithm
        await phone.register()
        assert phone.is_registered
        first, second = registrar.registers
        assert digest.Credentials.parse(first.get("Authorization") or "").response == ""
        assert first.call_id == second.call_id
        assert second.cseq.number == first.cseq.number + 1
        assert '+sip.instance="<urn:gsma:imei:35609204-000001-0>"' in (second.get("Contact") or "")
        assert phone.registration.algorithm == algorithm

    run(scenario)


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_with_a_password(algorithm: str) -> None:
    async def scenario() -> None:
        _, registrar, phone = await setting(password="secret")
        registrar.algorithm = algorithm
        await phone.register()
        assert phone.is_registered and len(registrar.registers) == 2

    run(scenario)


def test_a_wrong_password_ends_after_one_try() -> None:
    async def scenario() -> None:
        _, registrar, phone = await setting(password="wrong")
        registrar.algorithm = "MD5"
        with pytest.raises(RegistrationError, match="is the password or K right"):
            await phone.register()
        assert len(registrar.registers) == 2
        assert not phone.is_registered

    run(scenario)


def test_a_network_with_another_k_is_refused_by_the_sim() -> None:
    async def scenario() -> None:
        _, registrar, phone = await setting(**VOLTE)
        registrar.algorithm, registrar.k = "AKAv1-MD5", bytes(16)
        with pytest.raises(RegistrationError) as raised:
            await phone.register()
        assert raised.value.status == 401
        assert any("MAC is wrong" in note for note in phone.recorder.notes)
        refused = digest.Credentials.parse(registrar.registers[1].get("Authorization") or "")
        assert (refused.response, refused.auts) == ("", None)

    run(scenario)


def test_an_old_sequence_number_is_resynchronised() -> None:
    async def scenario() -> None:
        _, registrar, phone = await setting(**VOLTE)
        registrar.algorithm = "AKAv1-MD5"
        await phone.register()
        registrar.sqn = 0
        registrar.forget_challenge()
        phone.registration.lost("test")
        await phone.register()
        assert phone.is_registered
        assert phone.registration.resynchronised == 1

    run(scenario)


def test_the_binding_is_renewed_in_time_for_days() -> None:
    async def scenario() -> None:
        _, registrar, phone = await setting(**VOLTE)
        registrar.algorithm, registrar.expires = "AKAv1-MD5", 3600
        await phone.register()
        for _ in range(48):
            await asyncio.sleep(3600)
            assert phone.is_registered
        # TS 24.229 §5.1.1.4.1: 600 s before the end, thus every 3000 s.
        assert phone.registration.refreshed == 48 * 3600 // 3000

    run(scenario)


def test_a_short_binding_is_renewed_half_way() -> None:
    async def scenario() -> None:
        _, registrar, phone = await setting()
        registrar.expires = 60
        await phone.register()
        await asyncio.sleep(31)
        assert phone.registration.refreshed == 1

    run(scenario)


def test_interval_too_brief() -> None:
    async def scenario() -> None:
        _, registrar, phone = await setting(expires=30)
        registrar.min_expires = 60
        await phone.register()
        assert phone.registration.expires == 60
        assert [request.expires for request in registrar.registers] == [30, 60]

    run(scenario)


def test_de_registration_ends_the_refresh() -> None:
    async def scenario() -> None:
        _, registrar, phone = await setting()
        registrar.expires = 60
        await phone.register()
        await phone.deregister()
        assert not phone.is_registered
        assert registrar.registers[-1].expires == 0
        count = len(registrar.registers)
        await asyncio.sleep(600)
        assert len(registrar.registers) == count

    run(scenario)


def test_a_refusal_says_what_the_server_said() -> None:
    async def scenario() -> None:
        _, registrar, phone = await setting()
        registrar.refuse = 403
        with pytest.raises(RegistrationError, match=r"403 Forbidden.*no such user") as raised:
            await phone.register()
        assert raised.value.status == 403

    run(scenario)


def test_silence_is_told_with_address_and_transport() -> None:
    async def scenario() -> None:
        _, registrar, phone = await setting()
        registrar.silent = True
        with pytest.raises(RegistrationError, match=r"no answer from 10\.0\.0\.100:5060 over UDP"):
            await phone.register()

    run(scenario)


def test_a_tcp_connection_that_is_refused_is_told() -> None:
    async def scenario() -> None:
        _, registrar, phone = await setting(transport="TCP")
        registrar.transport.close()
        with pytest.raises(RegistrationError, match=r"could not be sent to 10\.0\.0\.100:5060 over TCP"):
            await phone.register()

    run(scenario)


def test_a_registrar_that_is_gone_for_a_while_is_tried_again_until_the_binding_ends() -> None:
    async def scenario() -> None:
        network, registrar, phone = await setting()
        registrar.expires = 3600
        await phone.register()
        network.cut("10.0.0.100")
        await asyncio.sleep(3100)
        assert phone.is_registered
        network.mend("10.0.0.100")
        await asyncio.sleep(100)
        assert phone.is_registered and phone.registration.refreshed == 1
        network.cut("10.0.0.100")
        await asyncio.sleep(4000)
        assert phone.registration.state is RegistrationState.NOT_REGISTERED
        assert any("not renewed in time" in note for note in phone.recorder.notes)

    run(scenario)


def test_registration_over_ipv6() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        network = SimulatedNetwork(loop)
        registrar = RegistrarStub(network, loop, ("fd00::100", 5060))
        await registrar.start()
        phone = Phone(network, loop, Tokens(1), phone_config(1, registrar.address))
        await phone.start()
        await phone.register()
        assert phone.is_registered
        assert "@[fd00::1]:5060>" in (registrar.registers[0].get("Contact") or "")

    run(scenario)


def test_loss_of_ten_percent_does_not_keep_a_phone_from_registering() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        network = SimulatedNetwork(loop, seed=5, loss=0.1, duplicate=0.1, reorder=0.1)
        registrar = RegistrarStub(network, loop)
        registrar.algorithm, registrar.expires = "AKAv1-MD5", 3600
        await registrar.start()
        phone = Phone(network, loop, Tokens(1), phone_config(1, registrar.address, **VOLTE))
        await phone.start()
        await phone.register()
        for _ in range(24):
            await asyncio.sleep(3600)
            assert phone.is_registered

    run(scenario)
