"""SIPp sends a short message and takes one: RP messages written by hand, its own SIP."""

from __future__ import annotations

import re
from pathlib import Path

from support.process import free_port, loopback, needs, serving
from support.sipp import SippPhone, succeeded

pytestmark = needs("sipp")

CONFIG = """
domain: "ims.test", timer_t1: 0.5, timer_t2: 4, timer_t4: 5,
log_options: "all.level=debug,all.max_size=1",
ue_db: [
  { imsi: "001010000000001", impi: "alice", pwd: "wonderland", impu: ["sip:alice", "tel:1001"] },
  { imsi: "001010000000002", impi: "bob", pwd: "builder", impu: ["sip:bob", "tel:1002"] },
],
"""
PASSWORDS = {"alice": "wonderland", "bob": "builder"}
SMS = ";+g.3gpp.smsip"


def test_one_phone_of_sipp_texts_another(tmp_path: Path) -> None:
    with serving(tmp_path, CONFIG) as server:

        def phone(name: str, host: str, port: int) -> SippPhone:
            credentials = f"password={PASSWORDS[name]}"
            return SippPhone(
                tmp_path,
                server.address,
                name,
                credentials=credentials,
                host=host,
                port=port,
                features=SMS,
            )

        host = loopback()
        alice = phone("alice", host, free_port(host))
        alice.register()
        bob = phone("bob", loopback(), 5060)
        bob.register()
        with (
            alice.answering("sms_receive", calls=2) as reports,
            bob.answering("sms_deliver") as delivered,
            # Requests of alice leave from another port, where SIPp waits for the answer to its own.
            phone("alice", host, free_port(host)).start("sms_submit") as submitted,
        ):
            succeeded([submitted, delivered])
            server.wait_for_log("delivered to bob at ")
            # RP-ACK for the submission, then the status report, which is never acknowledged.
            succeeded([reports])
        log = server.log_text
        assert re.search(r"SMS [0-9a-f]+ from 1001 for bob is accepted", log)
        assert re.search(r"SMS [0-9a-f]+ from the SMS centre for alice is accepted", log)
