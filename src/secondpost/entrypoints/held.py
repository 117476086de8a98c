"""Sockets that systemd holds for us (sd_listen_fds): while the gateway restarts, clients wait at an open door.

Rule: a socket is taken by the listener that has its address, and by nobody else.
"""

import os
import socket

FIRST = 3


def take(host: str, port: int) -> socket.socket | None:
    """The socket that listens there already; None: there is none, and it has to be made."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):  # meant for somebody else
        return None
    for number in range(FIRST, FIRST + int(os.environ.get("LISTEN_FDS", "0"))):
        sock = socket.socket(fileno=number)
        if sock.family in (socket.AF_INET, socket.AF_INET6) and sock.getsockname()[:2] == (host, port):
            sock.set_inheritable(False)
            sock.setblocking(False)
            return sock
        sock.detach()
    return None
