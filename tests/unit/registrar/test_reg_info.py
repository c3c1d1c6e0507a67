from __future__ import annotations

import xml.etree.ElementTree as ET

from libreims.net.port import Flow
from libreims.registrar.reg_info import Aor, Shown, document
from libreims.users.bindings import Binding, Cause

AORS = [Aor("sip:a", "sip:a@d"), Aor("tel:+1", "tel:+1")]
NAMESPACE = "{urn:ietf:params:xml:ns:reginfo}"


def binding(**more: object) -> Binding:
    values: dict[str, object] = {
        "impi": "a@d",
        "aor": "sip:a",
        "contact": "sip:a@10.0.0.50",
        "flow": Flow("UDP", ("10.0.0.1", 5060), ("10.0.0.50", 5060)),
        "number": 0x1A,
        "call_id": "c",
        "cseq": 7,
        "registered_at": 0.0,
        "expires_at": 0.0,
        **more,
    }
    return Binding(**values)  # type: ignore[arg-type]


def test_golden() -> None:
    text = document(3, AORS, [Shown(binding(instance="<urn:x:1>", q=0.5), Cause.REGISTERED, 60)]).decode()
    assert text == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="3" state="full">\n'
        '<registration aor="sip:a@d" id="a7593326c" state="active">\n'
        '<contact id="c001a-7593326c" state="active" event="registered" expires="60" '
        'q="0.5" callid="c" cseq="7">'
        "<uri>sip:a@10.0.0.50</uri>"
        '<unknown-param name="+sip.instance">&quot;&lt;urn:x:1&gt;&quot;</unknown-param></contact>\n'
        "</registration>\n"
        '<registration aor="tel:+1" id="a0f01c3e7" state="active">\n'
        '<contact id="c001a-0f01c3e7" state="active" event="created" expires="60" '
        'q="0.5" callid="c" cseq="7">'
        "<uri>sip:a@10.0.0.50</uri>"
        '<unknown-param name="+sip.instance">&quot;&lt;urn:x:1&gt;&quot;</unknown-param></contact>\n'
        "</registration>\n"
        "</reginfo>\n"
    )


def test_state_of_a_registration() -> None:
    def state(*shown: Shown) -> str:
        return ET.fromstring(document(0, AORS, list(shown)))[0].attrib["state"]

    alive = Shown(binding(), Cause.REFRESHED, 60)
    gone = Shown(binding(), Cause.EXPIRED, 0)
    assert state() == "init"
    assert state(gone) == "terminated"
    assert state(gone, alive) == "active"


def test_any_octets_of_a_phone_give_well_formed_xml() -> None:
    odd = "\x00\x1f\udcff<>&\"'\u2028é]]>"
    root = ET.fromstring(
        document(
            0, [Aor(odd, odd)], [Shown(binding(contact=odd, call_id=odd, instance=odd), Cause.EXPIRED, 0)]
        )
    )
    assert root[0][0].findtext(f"{NAMESPACE}uri") == "???<>&\"'?é]]>"
