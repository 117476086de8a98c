"""Telling systemd how the gateway is: ready, alive, stopping (sd_notify).

Rule: without NOTIFY_SOCKET this does nothing, and nothing that goes wrong here harms the mail.
"""

import asyncio
import os
import socket
from contextlib import suppress


def tell(state: str) -> None:
    """One state, such as READY=1."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if path[:1] in ("/", "@"):
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setblocking(False)
            sock.sendto(state.encode(), "\0" + path[1:] if path.startswith("@") else path)


def keep_alive() -> None:
    """Say that the loop goes round, as often as systemd asks for it: a loop that hangs falls silent."""
    with suppress(ValueError):
        seconds = int(os.environ.get("WATCHDOG_USEC", "0")) / 2_000_000
        if seconds > 0:
            tell("WATCHDOG=1")
            asyncio.get_running_loop().call_later(seconds, keep_alive)
