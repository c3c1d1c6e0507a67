"""baresip (Debian: baresip-core) as a soft phone, with files for microphone and loudspeaker."""

from __future__ import annotations

import math
import re
import struct
import wave
from collections.abc import Sequence
from pathlib import Path

from support.process import Program

MODULES = ("account", "menu", "aufile", "g711", "uuid", "stdio", "sndfile")
RATE = 8000


def tone(path: Path, seconds: float) -> None:
    """A file with a tone."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        step = 2 * math.pi * 440 / RATE
        for number in range(int(RATE * seconds)):
            file.writeframesraw(struct.pack("<h", round(8000 * math.sin(step * number))))


def loudness(path: Path) -> float:
    """Root mean square of the samples of a file, 0 to 32767."""
    with wave.open(str(path), "rb") as file:
        data = file.readframes(file.getnframes())
    samples = struct.unpack(f"<{len(data) // 2}h", data)
    return math.sqrt(sum(sample * sample for sample in samples) / max(1, len(samples)))


class Baresip(Program):
    """A baresip with one account, registered; ends by itself after `seconds`."""

    def __init__(
        self,
        folder: Path,
        server: str,
        user: str,
        password: str,
        *,
        interface: str,
        prefix: Sequence[str] = (),
        account: str = "",
        contact: str = "",
        seconds: int = 20,
    ) -> None:
        """`contact`: a URI to which `/message TEXT` writes."""
        home = folder / f"baresip-{user}"
        home.mkdir()
        self._home = home
        tone(home / "tone.wav", seconds)
        lines = [f"module {name}.so" for name in MODULES + (("contact",) if contact else ())]
        lines = ["module_path /usr/lib/baresip/modules", *lines]
        lines += [f"audio_source aufile,{home / 'tone.wav'}", f"snd_path {home}"]
        lines += [f"net_interface {interface}", "rtcp_enable yes", "rtp_stats yes", f"ausrc_srate {RATE}"]
        lines += [f"auplay_srate {RATE}", "ausrc_channels 1", "auplay_channels 1", "sip_listen 0.0.0.0:0"]
        (home / "config").write_text("\n".join(lines) + "\n")
        parameters = f';auth_user={user};auth_pass={password};outbound="sip:{server}";regint=600{account}'
        (home / "accounts").write_text(f"<sip:{user}@ims.test>{parameters}\n")
        (home / "contacts").write_text(f"<{contact}>\n" if contact else "")
        (home / "current_contact").write_text(contact)
        command = [*prefix, "baresip", "-f", str(home), "-s", "-v", "-t", str(seconds)]
        super().__init__(command, folder / f"baresip-{user}.out", name=f"baresip {user}", typed=True)
        try:
            self.wait_for(r"200 OK .*\[1 binding\]")
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def packets(self) -> tuple[int, int]:
        """RTP packets that it has sent and received, as it says when a call is over."""
        self.wait_for(r"packets:\s+\d+\s+\d+")
        found = re.findall(r"packets:\s+(\d+)\s+(\d+)", self.text)
        return int(found[-1][0]), int(found[-1][1])

    def heard(self) -> float:
        """How loud it was in the loudspeaker during the call: root mean square, a full tone is about 5600."""
        [record] = self._home.glob("dump-*-dec.wav")
        return loudness(record)

    def quit(self) -> None:
        """De-register and end."""
        self.type("/quit")
        assert self.wait() == 0, self.text[-2000:]
