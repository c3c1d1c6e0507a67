"""`libreims demo`: the server and two simulated phones, a call between them, an echo call, and a verdict.

command  the command line, progress and clean-up
place    where: in a private network with IPsec, or on loopback without
cast     who plays: ports, configuration, SIMs of the shipped user database
server   the server as a child process
actor    a simulated phone as a child process
story    what happens, and what has to be true afterwards
evidence what the server says that went through IPsec
stage    the ladder and the verdict
"""

from __future__ import annotations

from libreims.demo.command import main

__all__ = ["main"]
