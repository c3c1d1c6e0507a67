"""Kamailio (Debian: kamailio) as the far end of a SIP trunk: a proxy that stays in the dialog."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from pathlib import Path
from types import TracebackType

from support.process import Program, loopback

MODULES = ("tm", "tmx", "sl", "rr", "pv", "maxfwd", "siputils", "textops", "xlog", "kex")
ROUTES = """
request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    xlog("L_NOTICE", "seen $rm $ru from $si over $proto\\n");
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (has_totag()) {{
        if (loose_route() || (is_method("ACK") && t_check_trans())) t_relay();
        else if (!is_method("ACK")) sl_send_reply("404", "Not here");
        exit;
    }}
    t_check_trans();
    if (!is_method("INVITE|OPTIONS|MESSAGE")) {{ sl_send_reply("405", "Method Not Allowed"); exit; }}
    if (is_method("INVITE")) record_route();
    if ($si == "{server}") {{
        $du = "sip:{far}:5060;transport={far_transport}";
    }} else {{
        $du = "sip:{server}:5060;transport={transport}";
    }}
    t_relay();
}}
"""


class Kamailio(Program):
    """A running proxy between the server's trunk and one SIP endpoint behind it."""

    def __init__(
        self,
        folder: Path,
        server: str,
        far: str,
        *,
        host: str = "",
        transport: str = "udp",
        far_transport: str = "udp",
    ) -> None:
        """Calls from the address `server` go to `far`, all others to `server` over `transport`."""
        self.host = host or loopback()
        config = folder / "kamailio.cfg"
        settings = (
            "debug=1\nlog_stderror=yes\nchildren=1\ntcp_children=1\nauto_aliases=no\ndns=no\nrev_dns=no\n"
            f"listen=udp:{self.host}:5060\nlisten=tcp:{self.host}:5060\ntcp_source_ipv4={self.host}\n"
        )
        modules = "".join(f'loadmodule "{name}.so"\n' for name in MODULES)
        routes = ROUTES.format(server=server, far=far, transport=transport, far_transport=far_transport)
        config.write_text("#!KAMAILIO\n" + settings + modules + routes)
        runtime = folder / "kamailio"
        runtime.mkdir()
        command = ["kamailio", "-f", config, "-DD", "-E", "-m", "32", "-M", "8", "-Y", runtime]
        command += ["-w", runtime, "-P", runtime / "pid"]
        super().__init__(command, folder / "kamailio.out", name="Kamailio")
        try:
            self.until(self._listens, "to listen", 20)
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Its workers end with it only when it is asked to end; now and then it hangs at its own end, with
        # everything that was to be seen of it long done.
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            workers = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
            if workers.exists():
                for worker in workers.read_text().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(worker), signal.SIGKILL)
        super().__exit__(kind, error, trace)

    @property
    def address(self) -> str:
        """host:port for who calls through it."""
        return f"{self.host}:5060"

    def seen(self) -> list[str]:
        """Method and transport of the requests that came, in order: `INVITE udp`."""
        return [
            f"{method} {how}" for method, how in re.findall(r"seen (\w+) \S+ from \S+ over (\w+)", self.text)
        ]

    def _listens(self) -> bool:
        octets = reversed([int(part) for part in self.host.split(".")])
        wanted = "".join(f"{octet:02X}" for octet in octets) + ":13C4"
        # The TCP socket listens (state 0A) last.
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        return any(line.split()[1] == wanted and line.split()[3] == "0A" for line in lines)
