"""RFC 3327: the Path header, on the registrar without transactions and network."""

from __future__ import annotations

from support.registrar_rig import CONFIG, Rig, header

CONTACT = "Contact: <sip:a@10.0.0.50>"
PATHS = "Path: <sip:p2.test;lr>\nPath: <sip:p1.test;lr>, <sip:p0.test;lr>"


def paths(answer: object) -> str | None:
    return header(answer, "Path")  # type: ignore[arg-type]


def test_path_is_stored_with_the_binding_in_order() -> None:
    """§5.3: the registrar stores the path, topmost value first, as route to the contact."""
    rig = Rig()
    rig.register("alice", f"Supported: path\n{PATHS}\n{CONTACT}")
    (binding,) = rig.bindings.of("alice@ims.test")
    assert binding.path == ("<sip:p2.test;lr>", "<sip:p1.test;lr>", "<sip:p0.test;lr>")


def test_a_refresh_replaces_the_path() -> None:
    """§5.3: each REGISTER brings the path anew."""
    rig = Rig()
    rig.register("alice", f"Supported: path\n{PATHS}\n{CONTACT}")
    rig.register("alice", f"Supported: path\n{CONTACT}")
    (binding,) = rig.bindings.of("alice@ims.test")
    assert binding.path == ()


def test_path_is_copied_into_the_answer() -> None:
    """§5.3: the registrar copies the Path values into the Path of its 200."""
    rig = Rig(CONFIG.replace('path: "sip:ims.test"', 'path: ""'))
    answer = rig.register("alice", f"Supported: path\n{PATHS}\n{CONTACT}")
    assert paths(answer) == "<sip:p2.test;lr>, <sip:p1.test;lr>, <sip:p0.test;lr>"


def test_our_own_path_stands_on_top_of_those_before_us() -> None:
    """Manual, `path`: content of the Path in the answer; a proxy puts its value on top (§5.2)."""
    answer = Rig().register("alice", f"Supported: path\n{PATHS}\n{CONTACT}")
    assert paths(answer) == "<sip:ims.test>, <sip:p2.test;lr>, <sip:p1.test;lr>, <sip:p0.test;lr>"


def test_a_phone_that_does_not_support_path_gets_none_of_ours() -> None:
    assert paths(Rig().register("alice", CONTACT)) is None
    assert paths(Rig().register("alice", f"Supported: gruu, Path\n{CONTACT}")) == "<sip:ims.test>"


def test_an_empty_path_property_adds_none() -> None:
    rig = Rig(CONFIG.replace('path: "sip:ims.test"', 'path: ""'))
    assert paths(rig.register("alice", f"Supported: path\n{CONTACT}")) is None
