"""What a mailer is: declared facts, and a way to carry one parcel to one provider.

Rule: a mailer reports outcomes and never raises for what a network or a provider does; it crosses the point of no
return only with the right to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from secondpost.core.connection import Connection
from secondpost.core.message import Message
from secondpost.core.outcome import Outcome, Phase


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a mailer can carry. Checked before anything is sent."""

    raw: bool = True  # takes RFC 5322 bytes as they are
    max_bytes: int | None = None
    max_recipients: int | None = None
    idempotency: bool = False
    lookup: bool = False
    events: bool = False


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of signing in without sending. `outcome` is Accepted when the connection is usable."""

    outcome: Outcome
    phase: Phase
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
