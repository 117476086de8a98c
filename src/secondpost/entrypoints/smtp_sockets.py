"""What the SMTP entrypoint needs of the machine before it can start: sockets and a certificate.

Rule: what cannot be had raises `ConfigError` with what to do about it.
"""

import asyncio
import socket
import ssl

from secondpost.config.kinds import Listener
from secondpost.config.settings import Smtp
from secondpost.entrypoints import held
from secondpost.errors import ConfigError

BACKLOG = 1024


async def bind(listener: Listener) -> list[socket.socket]:
    """Sockets for every address that the host has (`localhost` may have two)."""
    sockets: list[socket.socket] = []
    try:
        found = await asyncio.get_running_loop().getaddrinfo(listener.host, listener.port, type=socket.SOCK_STREAM)
        for family, *_, address in dict.fromkeys(found):
            held_open = held.take(*address[:2])
            sockets.append(held_open or socket.create_server(address[:2], family=family, backlog=BACKLOG))
            sockets[-1].setblocking(False)
    except OSError as error:
        for sock in sockets:
            sock.close()
        raise ConfigError(
            f"SMTP cannot listen on {listener}: {error.strerror or error}. Nothing was started. Stop what uses it (see "
            f"`ss -ltnp 'sport = :{listener.port}'`), or set another one: [smtp] listen, or SECONDPOST_SMTP__LISTEN."
        ) from None
    return sockets


def certificate(config: Smtp) -> ssl.SSLContext | None:
    """For STARTTLS and for TLS from the first byte; None without one."""
    if config.tls_certificate is None or config.tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(config.tls_certificate, config.tls_key)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(
            f"The certificate {config.tls_certificate} with the key {config.tls_key} cannot be used: {error}. "
            "SMTP was not started. Check that both files are PEM, belong together, and can be read by this user."
        ) from None
    return context
