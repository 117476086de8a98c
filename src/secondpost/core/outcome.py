"""What an attempt taught us, per recipient: four kinds, and no exceptions.

Rule: `Accepted` needs a positive answer, `Unclear` a crossed point of no return; everything else surely was not taken.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Fault(StrEnum):
    """Whom a refusal is about, since that decides whether another connection can help."""

    UNREACHABLE = "unreachable"  # DNS, TCP, TLS, greeting, or the line was lost before the point of no return
    ACCOUNT = "account"  # credentials, suspension, sender not verified
    LIMIT = "limit"  # throttled, quota used
    PROVIDER = "provider"  # their server's trouble, blaming neither recipient nor message
    RECIPIENT = "recipient"
    MESSAGE = "message"
    LOCAL = "local"  # our disk, our database, our bug


class Phase(StrEnum):
    """How far an attempt got. After POINT the provider may have the message."""

    CONNECT = "connect"
    TLS = "tls"
    GREETING = "greeting"
    LOGIN = "login"
    ENVELOPE = "envelope"
    BODY = "body"
    POINT = "point"


ON_PURPOSE = "drill: refused on purpose"  # the reply of a connection that a drill lets fail


@dataclass(frozen=True, slots=True)
class Accepted:
    """They have it; it is theirs now."""

    reply: str = ""
    provider_id: str = ""


@dataclass(frozen=True, slots=True)
class Deferred:
    """They do not have it; asking again later may work."""

    fault: Fault
    reply: str = ""
    retry_after: timedelta | None = None
    about_sender: bool = False  # an account fault that concerns this sender's domain only


@dataclass(frozen=True, slots=True)
class Rejected:
    """They do not have it, and this connection never will."""

    fault: Fault
    reply: str = ""
    unsupported: bool = False  # a message fault of size or missing features: another connection may be able to
    about_sender: bool = False


@dataclass(frozen=True, slots=True)
class Unclear:
    """The last byte left and no readable answer came: they may or may not have it."""

    reply: str = ""


Outcome = Accepted | Deferred | Rejected | Unclear
