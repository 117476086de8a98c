"""What the two halves of the SMTP server and its rim share: where a session stands, events, limits, the profile.

Rule: an event carries all that its answer needs; nobody has to look into the session.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from secondpost.errors import Refusal

# Where a session stands. Plain integers: they are compared for every line.
COMMAND: Final = 0
LOGIN: Final = 1  # the next line belongs to AUTH
BODY_START: Final = 2  # after 354
BODY: Final = 3
CHUNK: Final = 4
WAIT: Final = 5  # for the rim's answer; what arrives meanwhile is kept
CLOSED: Final = 6

DRAIN = 1 << 20  # what is read of a message beyond its limit before we hang up
_EXTENSIONS = (b"8BITMIME", b"SMTPUTF8", b"CHUNKING", b"ENHANCEDSTATUSCODES", b"DSN")


class Authenticate(NamedTuple):
    """Somebody logs in: answer with `authenticated`."""

    identity: str
    secret: str


class StartTls(NamedTuple):
    """220 is in `output`: write it, begin the handshake, then call `secured`."""


class Block(NamedTuple):
    """A part of a large message, after its first part."""

    data: bytes


class Discard(NamedTuple):
    """The message whose blocks came will not be completed."""


class Letter(NamedTuple):
    """A whole message: answer with `answer`. `content` is its first part when blocks came before."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    eight_bit: bool  # it has bytes over 127, whatever BODY= said
    smtputf8: bool
    dsn: dict[str, str] | None  # RET, ENVID, "NOTIFY address", "ORCPT address" (RFC 3461)


Event = Authenticate | StartTls | Block | Discard | Letter
Check = Callable[[str], Refusal | None]


class ServerLimits(NamedTuple):
    message: int = 36_700_160
    recipients: int = 1000
    errors: int = 10  # commands that were wrong
    junk: int = 100  # commands that lead nowhere
    logins: int = 3


class Profile:
    """What all sessions of a listener share: the limits, and the answers made of them once."""

    def __init__(self, *, hostname: str, limits: ServerLimits | None = None, normalize: bool = False) -> None:
        self.limits = limits or ServerLimits()
        self.normalize = normalize
        self._hostname = hostname.encode("ascii", "replace")
        self.greeting = b"220 %b ESMTP Secondpost\r\n" % self._hostname
        self.hello = b"250 %b\r\n" % self._hostname
        self._offers: dict[tuple[bool, bool], bytes] = {}

    def offers(self, *, tls: bool, login: bool) -> bytes:
        """The answer to EHLO."""
        if (tls, login) not in self._offers:
            lines = [self._hostname, b"PIPELINING", b"SIZE %d" % self.limits.message, *_EXTENSIONS]
            lines += [*[b"STARTTLS"] * tls, *[b"AUTH PLAIN LOGIN"] * login]
            self._offers[tls, login] = b"".join([b"250-%b\r\n" % line for line in lines]) + b"250 HELP\r\n"
        return self._offers[tls, login]
