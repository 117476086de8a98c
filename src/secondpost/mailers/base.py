"""What a mailer is: declared facts, and a way to carry one parcel to one provider.

Rule: a mailer reports outcomes and never raises for what a network or a provider does; it crosses the point of no
return only with the right to.
"""

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, Protocol, TypeGuard

from secondpost.core.connection import Connection
from secondpost.core.event import Event
from secondpost.core.ids import id_text
from secondpost.core.message import Message
from secondpost.core.outcome import Fault, Outcome, Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting of a mailer; its form field, CLI option and docs row are made from this."""

    name: str
    label: str
    kind: Literal["text", "secret", "number", "toggle", "choice"] = "text"
    required: bool = False
    default: str | int | bool = ""
    choices: tuple[str, ...] = ()
    help: str = ""
    advanced: bool = False  # hardly anybody needs it: forms fold it away


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a mailer can carry. Checked before anything is sent."""

    raw: bool = True  # takes RFC 5322 bytes as they are; else the message is taken apart (`parts.py`)
    envelope: bool = True  # recipients are named apart from the header
    max_bytes: int | None = None
    max_recipients: int | None = None  # of one request
    idempotency: timedelta | None = None  # for so long the same key twice is one message
    lookup: bool = False  # can be asked whether it took a message
    absent_after: timedelta | None = None  # what a look-up does not find by then was not taken; None: it proves nothing
    events: bool = False  # tells later what became of a message
    not_in_head: str = ""  # what no header field may contain, because they would take it for a command
    # What follows is asked only where a message is taken apart.
    inline: bool = True  # images within the HTML, by Content-ID
    alternatives: bool = True  # forms of the text besides plain and HTML: calendar invites, AMP
    no_subject: bool = True  # takes a message without one
    max_cc: int | None = None  # recipients in Cc, and in Bcc, where fewer of them are taken than in To
    max_bcc: int | None = None
    headers: bool = True  # fields of the sender's own, such as In-Reply-To
    left_out: frozenset[str] = frozenset()  # fields (lower-cased) that are not carried nor missed; x-*: all of those
    reply_to: int | None = None  # addresses in Reply-To, at most
    file_types: frozenset[str] | None = None  # endings of attachments' names, when only these are taken
    international: bool = True  # addresses with letters beyond ASCII before the @


@dataclass(slots=True, kw_only=True)
class Parcel:
    """What one attempt carries: the copy of the message with this connection's From rules applied, and its envelope."""

    id: int
    message: Message
    sender: str
    recipients: tuple[str, ...]
    key: str = ""  # stable per (message, recipients, connection), for providers with idempotency keys
    trace: bool = False  # keep the transcript even of a success


class Crossing(Protocol):
    """The right to pass the point of no return, written down before it is given."""

    def prepare(self) -> None:
        """Start writing the point down while the envelope is still on the wire. May do nothing; never blocks."""
        ...

    async def take(self) -> bool:
        """True: the point is on disk and the right is this attempt's alone. False: abandon before the last byte."""
        ...


@dataclass(slots=True, kw_only=True)
class Report:
    """What an attempt taught us: one outcome for each recipient of the parcel, in its order."""

    outcomes: tuple[Outcome, ...]
    phase: Phase
    transcript: str = ""
    abandoned: bool = False  # the crossing was not given: nothing was sent, no blame
    on_purpose: bool = False  # a drill: nothing was tried, no blame


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage on the way in: DNS, TCP, TLS, Log-in. `text`: what showed that it worked, or why it did not."""

    name: str
    ok: bool
    text: str
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of signing in without sending. `outcome` is Accepted when the connection is usable."""

    outcome: Outcome
    phase: Phase
    stages: tuple[Stage, ...] = ()  # as far as it got; the last one tells what failed
    transcript: str = ""
    details: Mapping[str, str] | None = None  # what was learned: TLS version, greeting, extensions, quota


class Mailer(Protocol):
    """One configured connection's door to its provider; made once per connection, kept until the settings change."""

    name: ClassVar[str]
    title: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]]
    can: ClassVar[Abilities]

    def __init__(self, connection: Connection) -> None: ...

    @property
    def capacity(self) -> int:
        """How many parcels it can usefully carry at once."""
        ...

    async def send(self, parcel: Parcel, crossing: Crossing) -> Report: ...

    async def verify(self) -> Verdict:
        """Sign in, send nothing."""
        ...

    async def close(self) -> None:
        """Say good-bye to idle sessions. Attempts under way end by themselves."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """A message that a provider may have: what it can be recognized by."""

    id: int  # ours
    message_id: str  # the Message-ID field
    recipients: tuple[str, ...]
    since: datetime

    @property
    def mark(self) -> str:
        """Our id as requests carried it."""
        return id_text(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A request that a provider made to tell us events. Nothing in it is trusted until its signature was checked."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)  # names lower-cased
    query: Mapping[str, str] = field(default_factory=dict)
    url: str = ""  # as the provider was given it: some sign it
    proof: bytes = b""  # what had to be fetched to check it, such as a certificate


class Keeper(Protocol):
    """Keeps what a mailer must not forget over a restart, such as a token. It is encrypted at rest."""

    async def load(self) -> Mapping[str, Any] | None: ...

    async def save(self, value: Mapping[str, Any]) -> None: ...


class TokenMailer(Mailer, Protocol):
    """A mailer that is let in by OAuth 2 tokens."""

    keeper: Keeper | None

    @property
    def by_person(self) -> bool:
        """Whether a person signs in, and not the application itself."""
        ...

    def sign_in_page(self, *, state: str, verifier: str, redirect: str) -> str:
        """The URL where a person lets us in."""
        ...

    async def signed_in(self, *, code: str, verifier: str, redirect: str) -> Outcome:
        """The person has: exchange the code for tokens."""
        ...

    async def renew(self, now: datetime) -> Outcome | None:
        """Renew a token that ends soon; why that failed, if it did."""
        ...


class ApiMailer(Mailer, Protocol):
    """A mailer whose provider can be asked, and tells. `can` says which of the two."""

    async def look(self, sought: Sought) -> Mapping[str, str] | None:
        """Recipients for whom they surely have the message, with their id of it. Who is absent may come later.

        None: they did not answer, or not so that it can be read."""
        ...

    async def hear(self, hook: Hook, now: datetime) -> list[Event]:
        """What the hook tells. Raises `HookRefused` when it is not from the provider, or is an old one again."""
        ...


def has_tokens(mailer: Mailer) -> TypeGuard[TokenMailer]:
    return hasattr(mailer, "keeper")


SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def fault_of(error: BaseException) -> Fault:
    """Whose fault it is that there is no connection: no provider is to blame where this machine has no socket left."""
    return Fault.LOCAL if getattr(error, "errno", None) in SHORTAGES else Fault.UNREACHABLE
