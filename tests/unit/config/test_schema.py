"""`config.schema`, `schema_common`, `schema_users`: what is read, with defaults, old forms and messages."""
# ruff: noqa: E501  messages are compared whole

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from libreims.config.load import loads
from libreims.config.schema import (
    CallflowModifier,
    ImpuSettings,
    SessionExpires,
    Settings,
    SipAddr,
    UserSettings,
)
from libreims.config.source import ConfigErrors

KEY = '"000102030405060708090a0b0c0d0e0f"'


def settings(text: str) -> Settings:
    return loads(f'domain: "d.test", {text}', "/etc/ims").settings


def warnings(text: str) -> list[str]:
    return [str(each).removeprefix("ims.cfg:") for each in loads(f'domain: "d.test", {text}').warnings]


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as raised:
        loads(f'domain: "d.test",\n{text}')
    return [str(each).removeprefix("ims.cfg:") for each in raised.value.errors]


def user(text: str) -> UserSettings:
    (found,) = settings(f'ue_db: [{{ imsi: "001010000000001", {text} }}]').ue_db
    return found


def impus(text: str) -> tuple[ImpuSettings, ...]:
    return user(f"impu: {text}").impu


def test_defaults_are_those_of_the_manual() -> None:
    got = settings("")
    expected: dict[str, Any] = {
        "log_sync": False,
        "tcp_threshold": 1300,
        "tcp_keepalive": 900,
        "tcp_keepcount": 2,
        "session_expires": SessionExpires(1800, 90, "uac", "update", True),
        "rel100": True,
        "use183": True,
        "allow_hold_invite": True,
        "precondition": "on",
        "p_called_party_id": False,
        "ipsec": True,
        "ipsec_mtu": 1400,
        "dialog_timeout": 30,
        "auth_on_register_only": True,
        "proxy_auth": False,
        "com_name": "IMS",
        "com_log_count": 8192,
        "sms_expires": 86400,
        "binding_expires": 3600,
        "subscribe_expires": 0,
        "force_user_agent": True,
        "early_media": True,
        "path": "sip:ims.mnc001.mcc001.3gppnetwork.org",
        "timer_t1": 2,
        "timer_t2": 16,
        "timer_t4": 17,
        "mms_expires": 86400,
        "cx_origin_host": "ims.amarisoft.com",
    }
    assert {name: getattr(got, name) for name in expected} == expected


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings("").domain = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"10.0.0.1"', [SipAddr(("10.0.0.1", 5060))]),
        ('["10.0.0.1:5070", "[::1]", "[2001:DB8::0:1]:5080", "fe80::1"]',
         [SipAddr(("10.0.0.1", 5070)), SipAddr(("::1", 5060)), SipAddr(("2001:db8::1", 5080)), SipAddr(("fe80::1", 5060))]),
        ('{ addr: "10.0.0.1:5061", bind_addr: "0.0.0.0", port_min: 2000, port_max: 3000 }',
         [SipAddr(("10.0.0.1", 5061), ("0.0.0.0", 5061), 2000, 3000)]),
        ('[{ addr: "10.0.0.1", bind_addr: "0.0.0.0:7000" }]', [SipAddr(("10.0.0.1", 5060), ("0.0.0.0", 7000))]),
        ("[]", []),
    ],
)  # fmt: skip
def test_sip_addr_as_string_object_and_array(text: str, expected: list[SipAddr]) -> None:
    assert list(settings(f"sip_addr: {text}").sip_addr) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('sip_addr: "nowhere"', '2:1: sip_addr: "nowhere" is not an IP address with an optional port; IPv6 with port: [::1]:5060'),
        ('sip_addr: ["1.2.3.4:99999"]', '2:12: sip_addr[0]: "1.2.3.4:99999" has no valid port: 0 to 65535 expected'),
        ("sip_addr: [{ port_min: 1 }]", "2:14: sip_addr[0].addr: IP address expected"),
        ('sip_addr: { addr: "::1", bind_addr: "1.2.3.4" }', "2:26: sip_addr.bind_addr: 1.2.3.4 is not of the same IP version as addr ::1"),
        ('sip_addr: { addr: "::1", port_max: 9999 }', "2:26: sip_addr.port_max: port_max 9999 must be greater than port_min 10000"),
        ("sip_addr: 5", "2:1: sip_addr: string with an IP address expected, not a number"),
        ("ipsec_mtu: 67", "2:1: ipsec_mtu: 67 is out of range: 68 to 65535"),
        ("binding_expires: 864001", "2:1: binding_expires: 864001 is out of range: 1 to 864000"),
        ("binding_expires: 1.5", "2:1: binding_expires: integer expected, not 1.5"),
        ("binding_expires: true", "2:1: binding_expires: integer expected, not true"),
        ("timer_t1: 0", "2:1: timer_t1: 0 is out of range: more than 0 to 60"),
        ("com_log_count: 4095", "2:1: com_log_count: 4095 is out of range: 4096 to 2097152"),
        ("log_sync: 2", "2:1: log_sync: true or false expected, not 2"),
        ('log_options: "sip.level=loud,x"', None),
        ("log_filename: 5", "2:1: log_filename: string expected, not a number"),
        ("user_agent: null", "2:1: user_agent: string expected, not null"),
        ('precondition: "maybe"', '2:1: precondition: "maybe" is not one of "on", "off", "silent"'),
        ('ipsec_aalg_list: ["null", "rot13"]', '2:27: ipsec_aalg_list[1]: "rot13" is not one of "null", "hmac-md5-96", "hmac-md5-128", "hmac-sha-1-96", "hmac-sha-1-160", "aes-cmac-96", "aes-gmac", "aes-gmac-us"'),
        ("session_expires: { duration: -1 }", "2:20: session_expires.duration: -1 is out of range: 0 to 864000"),
        ("custom_headers: [{ name: \"X Y\" }]", '2:20: custom_headers[0].name: name of a header expected, not "X Y"'),
        ('n5: { api_root: "pcf:80" }', '2:7: n5.api_root: http(s)://host:port expected, not "pcf:80"'),
        ('com_ssl_certificate: "c.pem"', "1:1: com_ssl_key: expected because com_ssl_certificate is set"),
        ('ipsec_ifname: "tun0"', "1:1: ipsec_netns: expected because ipsec_ifname is set"),
        ("trunk: {}", None),
        ("com_auth: { unsecure: true }", "2:13: com_auth.password: passfile or password expected"),
        ("ue_db: { imsi: 1 }", "2:1: ue_db: array of users expected, not an object"),
        ('ue_db: [{ imsi: "12ab" }]', '2:11: ue_db[0].imsi: an IMSI of 5 to 15 digits expected, not "12ab"'),
        ("ue_db: [{ sqn: 5 }]", "2:11: ue_db[0].sqn: string of hexadecimal digits expected, not a number"),
        ('ue_db: [{ impi: "a", impu: [{ video: "yes" , impu: "a"}] }]', '2:31: ue_db[0].impu[0].video: true or false expected, not "yes"'),
        ('ue_db: [{ impi: "a", impu: [{ code: 99, impu: "a" }] }]', "2:31: ue_db[0].impu[0].code: 99 is out of range: 100 to 699, -1, -2"),
        ('echo: [{ impu: "a", callflow_modifier: { content: "f" } }]', "2:42: echo[0].callflow_modifier.content_type: expected because content is set"),
        ('sms_centre_address: { number: "+" }', '2:23: sms_centre_address.number: up to 20 digits with an optional + expected, not "+"'),
    ],
)  # fmt: skip
def test_messages_name_path_value_and_range(text: str, message: str | None) -> None:
    found = errors(text)
    if message is None:
        assert found
    else:
        assert found == [message]


def test_all_values_that_are_wrong_are_reported_together() -> None:
    assert len(errors("ipsec_mtu: 1, log_sync: 5,\nue_db: [{ K: 1 }, 5], timer_t1: {}, domain: 5")) == 6


def test_numbers_0_and_1_are_booleans() -> None:
    got = settings("log_sync: 1, auth_on_register_only: 0")
    assert (got.log_sync, got.auth_on_register_only) == (True, False)


def test_old_forms_of_precondition_and_session_expires() -> None:
    assert settings("precondition: true").precondition == "on"
    assert settings("precondition: false").precondition == "off"
    assert settings("session_expires: 600").session_expires == SessionExpires(600, 90)
    assert impus('[{ impu: "a", precondition: false, session_expires: 60 }]')[0].precondition == "off"


def test_old_names() -> None:
    assert settings("com_logs_lock: true").com_log_lock
    assert not settings("allow_held_invite: false").allow_hold_invite
    assert impus('{ impu: "a", prefered: true }')[0].preferred


def test_an_algorithm_that_is_gone_is_left_out_with_a_warning() -> None:
    text = 'ipsec_ealg_list: ["des-cbc", "aes-cbc"]'
    assert settings(text).ipsec_ealg_list == ("aes-cbc",)
    assert '1: "des-cbc" is no longer supported and left out' in warnings(text)


def test_file_names_are_relative_to_the_configuration_file() -> None:
    got = settings('log_filename: "ims.log", mt_call_sdp_file: "/abs.sdp"')
    assert got.log_filename == "/etc/ims/ims.log"
    assert got.mt_call_sdp_file == "/abs.sdp"
    assert impus('[{ impu: "a", sdp_file: "x/y.sdp" }]')[0].sdp_file == "/etc/ims/x/y.sdp"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('"tel:1"', ["tel:1"]),
        ('["sip:a", "b", "tel:+331", "urn:service:sos"]', ["sip:a", "b", "tel:+331", "urn:service:sos"]),
        ('["sip:a", { impu: "tel:1", phone: true }]', ["sip:a", "tel:1"]),
        ('{ impu: "tel:1" }', ["tel:1"]),
        ('["precondition:silent", "sip:a", { impu: "http:x", phone: true }, "sip:", ""]', ["sip:a"]),
        ('"precondition:silent"', []),
    ],
)
def test_impu_as_string_object_and_array(text: str, names: list[str]) -> None:
    assert [each.impu for each in impus(text)] == names


def test_an_impu_of_an_unknown_scheme_is_a_warning() -> None:
    assert warnings('ue_db: [\n{ imsi: "001010000000001",\nimpu: ["precondition:silent"] }]') == [
        "3: IMPU 'precondition:silent' is left out: its scheme is none of sip, sips, tel, urn"
    ]


def test_an_impu_that_is_not_there_is_an_error() -> None:
    assert errors("echo: [{ phone: true }]") == ["2:10: echo[0].impu: an IMPU expected"]


def test_the_old_form_of_a_modifier_becomes_a_modifier() -> None:
    (got,) = impus('{ impu: "tel:404", code: 404, method: "INVITE", transparent: true }')
    assert got.callflow_modifier == (CallflowModifier(code=404, method="INVITE", transparent=True),)
    (both,) = impus('{ impu: "tel:404", code: 404, callflow_modifier: { code: 486 } }')
    assert [each.code for each in both.callflow_modifier] == [404, 486]


def test_a_modifier_as_object_and_array() -> None:
    text = (
        '{ impu: "sip:barring", match: \'^\\\\+33\', callflow_modifier: [{ method: "INVITE", code: 403, '
        'log: "Call barring", custom_headers: [{ name: "Reason", value: "SIP; cause=21", replace: true, },], '
        'access_network: "lte, nr", send_delay: 1.5, },], },'
    )
    (got,) = impus(f"[{text}]")
    (modifier,) = got.callflow_modifier
    assert (got.match, modifier.code, modifier.log, modifier.stop) == ("^\\+33", 403, "Call barring", True)
    assert modifier.access_network == ("lte", "nr")
    assert modifier.custom_headers[0].value == "SIP; cause=21"


def test_a_header_without_a_value_is_removed() -> None:
    (header,) = settings('custom_headers: [{ name: "X", codes: 200, methods: "*" }]').custom_headers
    assert (header.value, header.replace, header.codes, header.methods) == (None, True, (200,), ("*",))


def test_of_two_users_with_one_imsi_the_first_counts() -> None:
    text = 'ue_db: [{ imsi: "001010000000001", impi: "a" },\n{ imsi: "001010000000001", impi: "b" }]'
    assert [each.impi for each in settings(text).ue_db] == ["a"]
    assert warnings(text) == ["2: IMSI 001010000000001 is there already: this user is left out"]


def test_the_placeholder_imsi_may_be_there_many_times() -> None:
    text = 'ue_db: [{ imsi: "000000000000000", impi: "a" }, { imsi: "000000000000000", impi: "b" }]'
    assert [each.impi for each in settings(text).ue_db] == ["a", "b"]
    assert warnings(text) == []


def test_properties_of_the_mme_pass_in_silence_and_others_do_not() -> None:
    noise = 'pdn_list: [{ qci: 5 }], nssai: [], cag_info_list: [], count: 5, imeisv: "1"'
    assert warnings(f'ue_db: [{{ imsi: "001010000000001", {noise} }}]') == []
    assert warnings('ue_db: [{ imsi: "001010000000001", athent_type: "none" }]') == [
        "1: unused property 'athent_type', is 'authent_type' meant?"
    ]


def test_milenage_needs_op_or_opc() -> None:
    text = f'ue_db: [{{ imsi: "001010000000001", sim_algo: "milenage", K: {KEY} }}]'
    assert errors(text) == ["2:11: ue_db[0].opc: op or opc expected: milenage does not work without"]
    assert user(f'sim_algo: "milenage", K: {KEY}, op: {KEY}').op == bytes(range(16))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'sim_algo: "milenage", opc: {KEY}, K: "00"', "K: 32 or 64 hexadecimal digits expected, there are 2"),
        (f'sim_algo: "milenage", opc: {KEY}, K: "{"zz" * 16}"', "K: hexadecimal digits expected, there are other characters"),
        (f'K: "{"00" * 32}"', "K: 32 hexadecimal digits expected for xor, there are 64"),
        (f'sim_algo: "tuak", K: {KEY}, opc: {KEY}', "opc: 64 hexadecimal digits expected for tuak, there are 32"),
        (f'sim_algo: "tuak", K: {KEY}', "opc: op or opc expected: tuak does not work without"),
        (f'sim_algo: "tuak", K: {KEY}, opc: "{"00" * 32}", res_len: 5', "res_len: 5 is out of range: 4, 8, 16 or 32 for tuak"),
        (f'sim_algo: "milenage", K: {KEY}, opc: {KEY}, res_len: 9', "res_len: 9 is out of range: 4 to 8 for milenage"),
        ("amf: 65536", "amf: 65536 is out of range: 0 to 65535"),
        ('sqn: "01"', "sqn: 12 hexadecimal digits expected, there are 2"),
        ('authent_type: "AKA"', 'authent_type: "AKA" is not one of "none", "MD5", "AKAv1", "AKAv2", "AKAv2-SHA-256"'),
    ],
)  # fmt: skip
def test_keys_that_do_not_suit_and_are_not_shown(text: str, message: str) -> None:
    (found,) = errors(f'ue_db: [{{ imsi: "001010000000001", {text} }}]')
    assert found.endswith(f"ue_db[0].{message}")


def test_what_the_hss_needs_of_a_user() -> None:
    got = user(f'K: {KEY}, amf: 0x8000, sqn: "0000000000ff", res_len: 16')
    assert (got.sim_algo, got.K, got.amf, got.sqn, got.res_len) == ("xor", bytes(range(16)), 0x8000, 255, 16)


def test_a_password_sets_the_scheme_unless_the_file_does() -> None:
    assert user('pwd: "secret"').authent_type == "MD5"
    assert user('pwd: "secret", authent_type: "AKAv1"').authent_type == "AKAv1"
    assert user("").authent_type == "AKAv1"


def test_a_misprint_of_the_manual_is_understood() -> None:
    assert user('authent_qop: "aut,auth-int"').authent_qop == "auth,auth-int"


def test_a_user_needs_an_identity() -> None:
    assert errors("ue_db: [{ K: " + KEY + " }]") == [
        "2:11: ue_db[0].imsi: imsi or nai expected, the user has neither"
    ]
    assert settings('ue_db: [{ nai: "user@realm" }]').ue_db[0].nai == "user@realm"


def test_secrets_are_not_shown() -> None:
    shown = repr(
        settings(
            f'ue_db: [{{ imsi: "001010000000001", K: {KEY}, pwd: "geheim" }}], com_auth: {{ password: "geheim" }}'
        )
    )
    assert "geheim" not in shown
    assert repr(bytes(range(16))) not in shown


def test_what_is_not_done_yet_is_said_once() -> None:
    text = (
        "use_n5: true,\n"
        + 'ue_db: [{ imsi: "001010000000001", force_sms_over_sg: true }, '
        + '{ imsi: "001010000000002", force_sms_over_sg: 1 }]'
    )
    assert warnings(text) == [
        "1: property 'use_n5': not implemented yet",
        "2: property 'force_sms_over_sg': not implemented yet (2 times)",
    ]


def test_only_the_object_and_not_what_is_in_it_is_said_to_be_not_done_yet() -> None:
    assert warnings('n5: { api_root: "http://pcf.example.org", oops: 1 }') == [
        "1: property 'n5': not implemented yet"
    ]


def test_a_license_server_is_accepted() -> None:
    assert warnings('license_server: { server_addr: "192.0.2.1" }') == [
        "1: property 'license_server': accepted, no effect"
    ]


def test_unused_properties_are_warnings_with_their_line() -> None:
    assert warnings('a: 1,\nsip_addr: { addr: "::1", b: 2 }') == [
        "1: unused property 'a'",
        "2: unused property 'b'",
    ]


def test_ten_thousand_unused_properties_do_not_fill_the_screen() -> None:
    found = warnings(
        "ue_db: [" + "".join(f'{{ imsi: "{number:015}", oops: 1 }},\n' for number in range(100, 200)) + "]"
    )
    assert len(found) == 21
    assert found[-1] == "21: unused property 'oops' (100 times in all)"


def test_sim_events_are_kept_as_they_are() -> None:
    assert settings('sim_events: [{ event: "sms", start_time: 1.5 }]').sim_events == (
        {"event": "sms", "start_time": 1.5},
    )
