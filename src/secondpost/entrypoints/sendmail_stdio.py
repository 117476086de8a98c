"""`secondpost-sendmail -bs`: SMTP on standard input and output, as Symfony Mailer speaks it.

Rule: with the gateway running this is a pipe to it; without it we answer ourselves, and 250 means: synced in the spool.
"""

import _socket
import os
import select

from secondpost.entrypoints import sendmail_exits as exits
from secondpost.entrypoints.sendmail_exits import Stop
from secondpost.entrypoints.sendmail_letter import Letter
from secondpost.entrypoints.sendmail_places import Places
from secondpost.entrypoints.sendmail_ways import Unanswered, connect, spool

_BLOCK = 65_536


def relay(places: Places, host: str) -> int:
    """The exit code, when one side has ended."""
    try:
        session, _ = connect(places)
    except Unanswered as error:
        return _answer(places, host, str(error))
    session.settimeout(None)
    sources: list[int | _socket.socket] = [0, session]
    try:
        while True:
            ready = select.select(sources, [], [])[0]
            if session in ready:
                if not (data := session.recv(_BLOCK)):
                    return exits.OK
                _say(data)
            elif data := os.read(0, _BLOCK):
                session.sendall(data)
            else:
                session.shutdown(_socket.SHUT_WR)
                sources.remove(0)
    except OSError as error:
        raise Stop(exits.UNAVAILABLE, f"the gateway was lost ({error.strerror}); what it answered holds.") from None


def _answer(places: Places, host: str, reason: str) -> int:
    """Be the server."""
    from secondpost.wire import smtp_server as wire  # only here: it costs 25 ms

    session = wire.Session(wire.Profile(hostname=host, limits=wire.ServerLimits(message=places.limit)), trusted=True)
    blocks: list[bytes] = []
    events: list[wire.Event] = []
    while not session.closed:
        _say(session.take_output())
        if not events:
            if not (data := os.read(0, _BLOCK)):
                return exits.OK
            events = session.receive(data)
        arrived, events = events, []
        for event in arrived:
            if isinstance(event, wire.Block):
                blocks.append(event.data)
            else:
                content, blocks = blocks, []
                if isinstance(event, wire.Letter):
                    letter = Letter(event.sender, list(event.recipients), b"".join([event.content, *content]))
                    events = session.answer(_kept(letter, places, reason))
    _say(session.take_output())
    return exits.OK


def _kept(letter: Letter, places: Places, reason: str) -> bytes:
    """The reply to a whole message."""
    try:
        spool(letter, places, reason)
    except Stop as stop:
        return f"452 4.3.1 {ascii(stop.text)[1:-1]}\r\n".encode()
    return b"250 2.0.0 Ok: in the spool, until the gateway runs\r\n"


def _say(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]
