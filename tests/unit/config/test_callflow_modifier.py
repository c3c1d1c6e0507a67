"""Callflow modifiers as the file says them."""

from __future__ import annotations

from libreims.config.load import loads
from libreims.config.schema_common import CallflowModifier


def modifiers(impu: str) -> tuple[CallflowModifier, ...]:
    loaded = loads(f'domain: "x", sip_addr: "10.0.0.1", echo: [{{impu: "sip:a", {impu}}}],')
    assert not loaded.warnings
    return loaded.settings.echo[0].callflow_modifier


def test_one_modifier_or_several() -> None:
    (one,) = modifiers('callflow_modifier: {method: "BYE", code: 486}')
    assert (one.method, one.code, one.stop, one.dir) == ("BYE", 486, True, "both")
    assert len(modifiers("callflow_modifier: [{code: -1}, {code: -2}]")) == 2


def test_content_null_is_not_the_same_as_no_content() -> None:
    without, null, file = modifiers(
        'callflow_modifier: [{}, {content: null, content_type: "application/sdp"}, '
        '{content: "/a", content_type: "a/b"}]'
    )
    assert (without.content, null.content, file.content) == ("", None, "/a")


def test_the_older_form() -> None:
    (one,) = modifiers('code: 404, method: "INVITE", content: "/a", content_type: "a/b", transparent: true')
    assert (one.code, one.method, one.content, one.content_type) == (404, "INVITE", "/a", "a/b")
    assert one.transparent
    older, newer = modifiers("code: 404, callflow_modifier: {code: 500}")
    assert (older.code, newer.code) == (404, 500)
