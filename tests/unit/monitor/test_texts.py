"""What people see, in the forms that operators know."""

from __future__ import annotations

from libreims.base.log_options import LAYERS, parse
from libreims.config.schema import CallflowModifier, CustomHeader, ImpuSettings
from libreims.monitor import texts
from libreims.users.subscriber import ImpuEntry

USER = {
    "impi": "alice@ims.test",
    "force_sms_over_sg": False,
    "bindings": [
        {
            "uri": "sip:alice@10.0.1.1",
            "impu": ["sip:alice@ims.test", "tel:1001"],
            "q": 0.5,
            "video": True,
            "volte": True,
            "sms": False,
            "imei": "358765432109871",
            "expires": 3590,
        },
        {"uri": "sip:x@h", "impu": [], "q": 1.0, "video": False, "volte": False, "sos": True, "expires": 1},
    ],
    "dialogs": [{"remote": "bob@ims.test"}],
    "sms": 2,
}


def test_a_user() -> None:
    assert texts.users([USER]) == (
        "IMPI: alice@ims.test\n"
        "  SIP: sip:alice@10.0.1.1\n"
        "    IMEI:    358765432109871\n"
        "    Prio:    0.5\n"
        "    Expires: 3590\n"
        "    Options: sms,video,volte\n"
        "    IMPUs:   sip:alice@ims.test, tel:1001\n"
        "  SIP: sip:x@h\n"
        "    IMEI:    -\n"
        "    Prio:    1\n"
        "    Expires: 1\n"
        "    Options: sos\n"
        "    IMPUs:   -\n"
        "  Pending SMS: 2\n"
        "  In a call with bob@ims.test"
    )


def test_what_protects_a_registration() -> None:
    agreement = {
        "auth": "hmac-sha-1-96",
        "cipher": "aes-cbc",
        "src": "10.0.1.1",
        "dst": "10.0.0.1",
        "local_port_c": 50000,
        "local_port_s": 50001,
        "local_spi_c": 256,
        "local_spi_s": 257,
        "remote_port_c": 5062,
        "remote_port_s": 5063,
        "remote_spi_c": 0xABCDEF,
        "remote_spi_s": 1,
    }
    user = {**USER, "bindings": [{**USER["bindings"][1], "ipsec": agreement}]}  # type: ignore[index]
    assert (
        "    IPSec:\n"
        "      Auth:   hmac-sha-1-96\n"
        "      Cipher: aes-cbc\n"
        "      Local:  port_c=50000 port_s=50001 spi_c=0x00000100 spi_s=0x00000101\n"
        "      Remote: port_c=5062 port_s=5063 spi_c=0x00abcdef spi_s=0x00000001\n"
        "      Source: 10.0.1.1\n"
        "      Dest:   10.0.0.1\n"
    ) in texts.users([user])


def test_members_of_an_answer() -> None:
    assert texts.members({"message": "x", "message_id": 1, "time": 1.0, "utc": 2.0}) == "OK"
    assert (
        texts.members({"message": "mms_server", "time": 1.0, "address": "http://h/"}) == "address: http://h/"
    )


def test_dialogs() -> None:
    assert texts.dialogs([]) == "There is no dialog."
    dialog = {
        "session_id": "00000001",
        "type": "mt call",
        "state": "start",
        "from": "Lab",
        "to": "sip:bob",
        "duration": 12.6,
        "medias": [
            {"type": "audio", "dir": "sendrecv", "qos": "disabled"},
            {"type": "video", "dir": "sendonly", "qos": "pending"},
        ],
    }
    head, line = texts.dialogs([dialog]).split("\n")
    assert head.split() == ["#", "Session", "Type", "State", "From", "To", "Seconds", "Media"]
    assert (
        line
        == "0  00000001  mt call  start  Lab   sip:bob  13       audio sendrecv, video sendonly (pending)"
    )


def test_counters() -> None:
    assert texts.counters({}, {}) == "Messages: none\nErrors: none"
    assert texts.counters({"sip_200": 12, "call": 1}, {"internal": 1}) == (
        "Messages:\n  call     1\n  sip_200  12\nErrors:\n  internal  1"
    )


def test_echo_numbers_show_what_is_special() -> None:
    header = CustomHeader(name="X-A", value="1")
    modifier = CallflowModifier(code=404, custom_headers=(header,))
    entries = [
        ImpuEntry.of(ImpuSettings(impu="tel:666")),
        ImpuEntry.of(ImpuSettings(impu="tel:404", callflow_modifier=(modifier,), answer_delay=2.5)),
        ImpuEntry.of(ImpuSettings(match="^9", anonymous=True)),
    ]
    assert texts.echo_numbers(entries).split("\n") == [
        "tel:666",
        "tel:404 answer_delay=2.5 "
        'callflow_modifier=[{"code": 404, "custom_headers": [{"name": "X-A", "value": "1"}]}]',
        "match:^9 anonymous=true match=^9",
    ]
    assert texts.echo_numbers([]) == "There is no echo number."


def test_the_log_state_can_be_typed_again() -> None:
    options = parse("sip.level=debug,sip.key=1,time.us=1,file.rotate=250M,file.path=/tmp/,append=1").options
    *lines, file = texts.log_state(options, "/var/log/ims.log").split("\n")
    assert file == "Log file: /var/log/ims.log"
    assert parse(",".join(lines)).options == options
    assert lines[1] == "sip.level=debug,sip.max_size=32,sip.key=1"
    assert len(lines) == len(LAYERS) + 1
    assert texts.log_state(options, None).endswith("Log file: none")


def test_security_associations_without_their_keys() -> None:
    association = {
        "type": "IPv4",
        "dir": "in",
        "spi": 4097,
        "ue_id": 3,
        "mode": "transport",
        "src": "10.0.0.1",
        "dst": "10.0.0.2",
        "src_prefix": 32,
        "dst_prefix": 32,
        "authent_key": "00112233",
        "cipher_key": "",
    }
    text = texts.associations([association, {**association, "tun_src": "a", "tun_dst": "b"}])
    head, first, second = text.split("\n")
    assert head.split()[:5] == ["Dir", "IP", "SPI", "UE", "Mode"]
    assert first.split() == [
        *("in", "IPv4", "0x00001001", "3", "transport", "10.0.0.1/32", "10.0.0.2/32", "-", "yes", "no")
    ]
    assert "a > b" in second and "00112233" not in text
    assert texts.associations([]) == "There is no security association."
