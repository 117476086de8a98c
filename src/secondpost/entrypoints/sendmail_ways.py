"""The ways of a message to safety: the gateway's Unix socket, its TCP port, the spool folder.

Rule: only one way that was begun may have the message, unless all carry the same idempotency key to the same client.
"""

import _socket  # `socket` brings 8 ms of imports with it, and nothing that is needed here
import os

from secondpost.entrypoints import sendmail_exits as exits
from secondpost.entrypoints import spool_file
from secondpost.entrypoints.sendmail_exits import Stop
from secondpost.entrypoints.sendmail_letter import Letter
from secondpost.entrypoints.sendmail_places import Places

CONNECT = 5.0  # seconds
COMMAND = 15.0
TAKEN = 60.0  # the gateway gives up by itself after 20
_LINE = 65_536
_BY_STATUS = {b"5.1.": exits.NO_USER, b"5.3.4": exits.DATA, b"5.6.": exits.DATA, b"5.7.": exits.NO_PERMISSION}


class Unanswered(Exception):
    """This way has not taken the message. `unclear`: but it may have."""

    def __init__(self, text: str, *, unclear: bool = False) -> None:
        super().__init__(text)
        self.unclear = unclear


def deliver(letter: Letter, places: Places, helo: str) -> None:
    """Return when the message is durable, with the gateway or in the spool. Raises `Stop`."""
    try:
        session, is_tcp = connect(places)
    except Unanswered as error:
        spool(letter, places, str(error))
        return
    try:
        Dialogue(session).submit(letter, helo)
    except Unanswered as error:
        spool(letter, places, str(error), asked=is_tcp and error.unclear)
    finally:
        session.close()


def connect(places: Places) -> tuple[_socket.socket, bool]:
    """A socket to the gateway, and whether it is a TCP one. TCP is tried only where there is no way by the first."""
    refused = []
    for family, address in ((_socket.AF_UNIX, places.socket), (_socket.AF_INET, places.server)):
        if not address:
            continue
        session = _socket.socket(family, _socket.SOCK_STREAM)
        session.settimeout(CONNECT)
        try:
            session.connect(address)
        except OSError as error:
            session.close()
            refused.append(f"{_shown(address)}: {error.strerror or error}")
        else:
            return session, family == _socket.AF_INET
    raise Unanswered("the gateway cannot be reached (" + "; ".join(refused) + ")")


def _shown(address: str | tuple[str, int]) -> str:
    return address if isinstance(address, str) else f"{address[0]}:{address[1]}"


class Dialogue:
    """SMTP on a connected socket, no more of it than is needed to hand in one message."""

    def __init__(self, session: _socket.socket) -> None:
        self._session = session
        self._held = b""

    def submit(self, letter: Letter, helo: str) -> None:
        """Raises `Unanswered` for a way that is not open now, `Stop` for a message that is refused."""
        crossing = False
        try:
            self._session.settimeout(COMMAND)
            self._expect(b"2", self._reply())
            self._ask(f"EHLO {helo}\r\n".encode())
            self._envelope(letter)
            crossing = True
            self._session.settimeout(TAKEN)
            self._session.sendall(_stuffed(letter.content) + b".\r\n")
            self._expect(b"2", self._reply())
        except OSError as error:  # TimeoutError is one
            raise Unanswered(f"the gateway did not answer ({error.strerror or error})", unclear=crossing) from None
        except Unanswered as error:  # a 4xx to the whole message may mean that nobody knows
            raise Unanswered(str(error), unclear=crossing) from None

    def _envelope(self, letter: Letter) -> None:
        """All of it at once; one bad recipient, and nobody gets the message."""
        utf8 = "" if all(address.isascii() for address in (letter.sender, *letter.recipients)) else " SMTPUTF8"
        commands = [f"MAIL FROM:<{letter.sender}> SIZE={len(letter.content)}{utf8}\r\n"]
        commands += [f"RCPT TO:<{recipient}>\r\n" for recipient in letter.recipients]
        self._session.sendall("".join(commands).encode())
        for _ in commands:
            self._expect(b"2", self._reply())
        self._expect(b"3", self._ask(b"DATA\r\n"))

    def _ask(self, command: bytes) -> bytes:
        self._session.sendall(command)
        return self._reply()

    def _reply(self) -> bytes:
        """The next whole reply; its last line has no dash behind the code."""
        lines = []
        while True:
            line, end, rest = self._held.partition(b"\n")
            if end:
                self._held = rest
                lines.append(line.rstrip(b"\r"))
                if line[3:4] != b"-":
                    return b" ".join(lines)
                continue
            data = self._session.recv(_LINE)
            if not data or len(self._held) > _LINE:
                raise ConnectionError("it hung up")
            self._held += data

    def _expect(self, kind: bytes, reply: bytes) -> None:
        """A 5xx refuses the message for good; but a log-in that is asked for is no word about the message."""
        if reply[:1] == kind:
            return
        said = reply.decode(errors="replace")
        if reply[:1] != b"5" or reply[:3] == b"530":
            raise Unanswered(f"the gateway said: {said}")
        code = next((code for status, code in _BY_STATUS.items() if reply[4:].startswith(status)), exits.UNAVAILABLE)
        raise Stop(code, f"the gateway refused the message: {said}")


def _stuffed(content: bytes) -> bytes:
    """RFC 5321 section 4.5.2; and the last line has an end."""
    content = content.replace(b"\r\n.", b"\r\n..")
    content = b"." + content if content.startswith(b".") else content
    return content if content.endswith(b"\r\n") else content + b"\r\n"


def spool(letter: Letter, places: Places, reason: str, *, asked: bool = False) -> None:
    """Write it into the spool; `reason` is why that is needed. Raises `Stop`."""
    if not places.spool or not os.path.isdir(places.spool):
        where = f"there is no spool folder {places.spool}" if places.spool else "there is no spool folder"
        raise Stop(exits.UNAVAILABLE, f"{reason}, and {where}. The message was NOT sent. Start secondpost serve.")
    _check(letter)
    content = letter.content if letter.content.endswith(b"\r\n") else letter.content + b"\r\n"
    envelope = spool_file.Envelope(letter.sender, letter.recipients, len(content), asked=asked)
    try:
        spool_file.put(places.spool, envelope, content)
    except OSError as error:
        code = exits.IO if error.errno == 5 else exits.CANNOT_CREATE
        text = f"{reason}, and the spool {places.spool} cannot take it: {error.strerror}. The message was NOT sent."
        raise Stop(code, text) from None


def _check(letter: Letter) -> None:
    """What the gateway will not take from the spool is refused now, while the caller can be told."""
    from secondpost.core import address, fields  # only here: it costs 5 ms
    from secondpost.errors import Refusal

    try:
        for text in filter(None, (letter.sender, *letter.recipients)):
            address.parse(text)
        fields.check_head(fields.split(letter.content)[0])
    except (ValueError, Refusal) as error:
        raise Stop(exits.DATA, f"{error} Nothing was sent to anybody.") from None
