"""`config.docs` and `config.surface`: the pages, the names of the manual and the code agree."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Any

import pytest

import libreims
from libreims.base import log_options
from libreims.config import surface
from libreims.config.declare import LATER, WORKS, declarations
from libreims.config.docs import PAGES, find, inner_section, main
from libreims.config.schema import (
    AUTHENT_TYPES,
    IPSEC_AALG,
    IPSEC_EALG,
    METHODS,
    CallflowModifier,
    ImpuSettings,
    Settings,
    UserSettings,
)

DOCS = Path(__file__).parents[3] / "docs"
SHARED_WITH_THE_MME = {"sim_algo", "K", "op", "opc", "amf", "sqn", "res_len"}
SECTIONS: list[tuple[type[Any], tuple[str, ...]]] = [
    (Settings, tuple(name for names in surface.CONFIG.values() for name in names)),
    (UserSettings, surface.UE_DB),
    (ImpuSettings, surface.IMPU),
    (CallflowModifier, surface.CALLFLOW_MODIFIER),
]


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_pages_are_what_the_declarations_say(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "run `libreims docs`"


@pytest.mark.parametrize(("section", "names"), SECTIONS)
def test_every_name_of_the_manual_is_declared(section: type[Any], names: tuple[str, ...]) -> None:
    for name in names:
        find(section, name)


def declared_names(section: type[Any], inner: bool) -> set[str]:
    """All names of a section, and with `inner` those of its objects too, dotted."""
    found: set[str] = set()
    for name, declared in declarations(section).items():
        found.add(name)
        below = inner_section(declared)
        if inner and below is not None and below not in (UserSettings, ImpuSettings, CallflowModifier):
            found |= {f"{name}.{each}" for each in declarations(below)}
    return found


@pytest.mark.parametrize(("section", "names"), SECTIONS)
def test_every_declaration_is_a_name_of_the_manual(section: type[Any], names: tuple[str, ...]) -> None:
    extra = declared_names(section, inner=section is Settings) - set(names)
    assert extra - SHARED_WITH_THE_MME == set()


def test_what_may_change_at_run_time_is_what_the_manual_lets_change() -> None:
    runtime = {name for name, declared in declarations(Settings).items() if declared.runtime}
    assert runtime == set(surface.CONFIG_SET) - {"logs"}


def test_values_that_the_manual_lists_are_those_that_are_read() -> None:
    assert set(surface.OTHERS["authent_type"]) == set(AUTHENT_TYPES)
    assert set(surface.OTHERS["ipsec_aalg"]) == set(IPSEC_AALG)
    assert set(surface.OTHERS["ipsec_ealg"]) == set(IPSEC_EALG)
    assert set(surface.OTHERS["callflow_modifier.method"]) == set(METHODS)
    assert set(surface.OTHERS["log_layers"]) == set(log_options.LAYERS)
    qop = find(UserSettings, "authent_qop")[0].kind.range()
    assert qop == ", ".join(f'"{name}"' for name in surface.OTHERS["authent_qop"])


LOG_OPTIONS = {
    "layer.level": "sip.level=debug",
    "layer.max_size": "sip.max_size=1",
    "layer.payload": "rx.payload=1",
    "layer.key": "ims.key=1",
    "layer.crypto": "ipsec.crypto=1",
    "layer.verbose": "ipsec.verbose=1",
    "time": "time=full",
    "time.us": "time.us=1",
    "file=cut": "file=cut",
    "file.rotate=now": "file.rotate=now",
    "file.rotate=size": "file.rotate=250M",
    "file.rotate=#count": "file.rotate=#10K",
    "file.path": "file.path=/tmp",
    "append": "append=1",
}


def test_the_log_understands_every_option() -> None:
    assert set(surface.OTHERS["log_options"]) == set(LOG_OPTIONS)
    for text in LOG_OPTIONS.values():
        log_options.parse(text)


@pytest.mark.parametrize(
    ("subject", "package"),
    [("remote_api", "libreims.api"), ("remote_api_event", "libreims.api"), ("monitor", "libreims.monitor")],
)
def test_what_has_no_code_does_not_claim_to_work(subject: str, package: str) -> None:
    """Once the package is there, its table of commands is what to compare with."""
    if importlib.util.find_spec(package) is None:
        assert set(surface.OTHERS[subject].values()) == {LATER}
    else:
        assert WORKS in surface.OTHERS[subject].values()


def used_names() -> set[str]:
    """Every attribute that the server reads anywhere outside the configuration."""
    root = Path(libreims.__file__).parent
    found: set[str] = set()
    for path in root.rglob("*.py"):
        if path.relative_to(root).parts[0] not in ("config", "demo", "ue", "shipped"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute):
                    found.add(node.attr)
    return found


def test_a_property_that_works_is_read_by_the_server() -> None:
    used = used_names()
    unread = {
        f"{section.__name__}.{declared.field}"
        for section, _ in SECTIONS
        for declared in declarations(section).values()
        if declared.state is WORKS and section is not CallflowModifier and declared.field not in used
    }
    assert unread == set()


def test_stale_pages_are_found_and_written(tmp_path: Path) -> None:
    assert main([str(tmp_path), "--check"]) == 1
    assert main([str(tmp_path)]) == 0
    assert main([str(tmp_path), "--check"]) == 0
    (tmp_path / "configuration.md").write_text("old")
    assert main([str(tmp_path), "--check"]) == 1


def test_tables_have_as_many_cells_in_every_row() -> None:
    for make in PAGES.values():
        width = 0
        for line in make().splitlines():
            cells = line.replace("\\|", "").count("|")
            if not line.startswith("|"):
                width = 0
            elif width:
                assert cells == width, line
            else:
                width = cells
