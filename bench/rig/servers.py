"""The servers that are compared: ours, and Kamailio in two roles, all for the same users."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rig.process import Process, isolated

BENCH = Path(__file__).resolve().parent.parent
DOMAIN = "ims.test"
PASSWORD = "secret"
HSS_PORT = 3868
QUIET = "all.level=error"
SHIPPED = "all.level=error,all.max_size=0,ims.level=debug,sip.level=debug,sip.max_size=1,media.level=info"
"""The log options of config/ims.cfg: every message whole."""
DEFAULT_ALLOCATOR: tuple[str, ...] = ()
FAST_ALLOCATOR = ("-x", "fm", "-X", "fm")


@dataclass
class Running:
    """A server at 127.0.0.1:5060 (or `port`) until `stop`."""

    parts: dict[str, Process]
    ready: float
    """Seconds from start to the first request that it can serve."""

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far, part by part."""
        return {name: process.cpu() for name, process in self.parts.items()}

    def memory(self) -> int:
        """Octets in use."""
        return sum(process.memory() for process in self.parts.values())

    def stop(self) -> None:
        """End all parts."""
        for process in self.parts.values():
            process.stop()


@dataclass(frozen=True)
class Server:
    """One of those that are compared; `start(folder)` makes its files in an empty folder and runs it."""

    name: str
    start: Callable[[Path], Running]


# -- LibreIMS ------------------------------------------------------------------------------------------


def libreims(python: str, users: int, *, log: str = QUIET, name: str = "LibreIMS") -> Server:
    """Ours, on the given interpreter."""
    return Server(name, lambda folder: start_libreims(folder, python, users, log=log))


def start_libreims(folder: Path, python: str, users: int, *, log: str = QUIET, port: int = 5060) -> Running:
    """Start and wait until it says that it is ready."""
    config = folder / "ims.cfg"
    config.write_text(_configuration(users, log, port, folder / "ims.log"))
    began = time.monotonic()
    source = str(BENCH.parent / "src")
    process = Process([python, "-m", "libreims", str(config)], folder / "output", PYTHONPATH=source)
    try:
        process.wait_for("Ready:", 120)
    except RuntimeError:
        process.stop()
        raise
    return Running({"server": process}, time.monotonic() - began)


def _configuration(users: int, log: str, port: int, log_file: Path) -> str:
    entries = ",\n".join(
        f'{{impi: "u{n:07}@{DOMAIN}", imsi: "00101{n:010}", authent_type: "MD5", authent_qop: "auth", '
        f'pwd: "{PASSWORD}", impu: ["sip:u{n:07}", "tel:+1555{n:07}"]}}'
        for n in range(users)
    )
    return (
        f'domain: "{DOMAIN}", sip_addr: {{addr: "127.0.0.1:{port}", port_min: 10000, port_max: 20000}},\n'
        f'log_options: "{log}", log_filename: "{log_file}", ue_db: [\n{entries}\n]\n'
    )


# -- Kamailio ------------------------------------------------------------------------------------------


def kamailio_version() -> str | None:
    """What Kamailio calls itself; None when it is not installed."""
    if shutil.which("kamailio") is None:
        return None
    said = subprocess.run(["kamailio", "-v"], capture_output=True, text=True).stdout
    return said.splitlines()[0].removeprefix("version: ").split(" (")[0]


def plain_kamailio(name: str, allocator: tuple[str, ...]) -> Server:
    """Registrar with digest and stateful proxy, one worker."""

    def start(folder: Path) -> Running:
        _render(folder, ("common.cfg", "plain.cfg"))
        began = time.monotonic()
        process = _kamailio(folder, "plain", allocator)
        return _settled({"proxy": process}, began)

    return Server(name, start)


def missing_for_chain() -> str | None:
    """Why the IMS chain cannot be run here; None when it can."""
    modules = next(iter(Path("/usr/lib").glob("*/kamailio/modules")), None)
    if modules is None or not (modules / "ims_auth.so").exists() or not (modules / "presence.so").exists():
        return "Debian's kamailio-ims-modules and kamailio-presence-modules are not installed"
    if not isolated():
        return (
            "its IPsec module would empty this machine's IPsec tables, and no network namespace is to be had"
        )
    return None


def kamailio_chain(name: str, allocator: tuple[str, ...], python: str) -> Server:
    """P-CSCF, I-CSCF, S-CSCF with one worker each, and a minimal HSS."""

    def start(folder: Path) -> Running:
        _render(folder, ("common.cfg", "pcscf.cfg", "icscf.cfg", "scscf.cfg"))
        for number, role in enumerate(("icscf", "scscf")):
            _fill("cdp.xml", folder / f"{role}.xml", folder, ROLE=role, ACCEPTOR=str(HSS_PORT + 1 + number))
        _tables(folder / "tables")
        began = time.monotonic()
        hss = [python, str(BENCH / "kamailio" / "hss.py"), str(HSS_PORT), DOMAIN, PASSWORD]
        parts = {"HSS": Process(hss, folder / "hss.output")}
        for part, role in (("S-CSCF", "scscf"), ("I-CSCF", "icscf"), ("P-CSCF", "pcscf")):
            parts[part] = _kamailio(folder, role, allocator)
        return _settled(parts, began, seconds=4.0)

    return Server(name, start)


def _kamailio(folder: Path, role: str, allocator: tuple[str, ...]) -> Process:
    run = folder / role
    run.mkdir()
    memory = ["-m", "512", "-M", "16"]
    files = ["-f", str(folder / f"{role}.cfg"), "-Y", str(run), "-P", str(run / "pid")]
    return Process(["kamailio", *allocator, *memory, "-DD", "-E", *files], folder / f"{role}.output")


def _settled(parts: dict[str, Process], began: float, seconds: float = 1.5) -> Running:
    """Kamailio does not say when it is ready (and the Diameter peers have met); so give it the time."""
    time.sleep(seconds)
    return Running(parts, time.monotonic() - began)


def _render(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        _fill(name, folder / name, folder)


def _fill(name: str, to: Path, folder: Path, **values: str) -> None:
    text = (BENCH / "kamailio" / name).read_text()
    given = {"FOLDER": str(folder), "DOMAIN": DOMAIN, "PASSWORD": PASSWORD, "WORKERS": "1", **values}
    for key, value in given.items():
        text = text.replace(f"@{key}@", value)
    to.write_text(text)


def _tables(folder: Path) -> None:
    """The I-CSCF's text database: one S-CSCF, and Kamailio's own empty tables."""
    shutil.copytree("/usr/share/kamailio/dbtext/kamailio", folder)
    rows = {
        "nds_trusted_domains": f"id(int,auto) trusted_domain(string) \n1:{DOMAIN}\n",
        "s_cscf": "id(int,auto) name(string) s_cscf_uri(string) \n1:first:sip\\:127.0.0.1\\:6060\n",
        "s_cscf_capabilities": "id(int,auto) id_s_cscf(int) capability(int) \n1:1:0\n2:1:1\n",
    }
    for name, text in rows.items():
        (folder / name).write_text(text)
