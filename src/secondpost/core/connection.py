"""A connection: a named, configured mailer, as the rules see it.

Rule: what a mailer needs to reach its provider is opaque here (`settings`); what decides how mail is treated is typed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class FromRules:
    """How a connection treats the sender's address (behaviour: From rules)."""

    email: str = ""
    force_email: bool = True
    name: str = ""
    force_name: bool = False
    return_path: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Messages per span, and sessions at once. None: no limit."""

    per_second: int | None = None
    per_minute: int | None = None
    per_hour: int | None = None
    per_day: int | None = None
    per_month: int | None = None
    sessions: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long each phase may take as a whole, however its bytes drip in (RFC 5321 section 4.5.3.2 for the last)."""

    connect: timedelta = timedelta(seconds=10)
    command: timedelta = timedelta(seconds=30)
    data_block: timedelta = timedelta(seconds=60)
    data_reply: timedelta = timedelta(seconds=600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """`name` is the key that routes and the configuration use; it never changes. `nickname` is what people read."""

    name: str
    mailer: str
    nickname: str = ""
    settings: Mapping[str, str | int | bool] = field(default_factory=lambda: MappingProxyType({}))
    sender: FromRules = FromRules()
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    backups: tuple[str, ...] = ()
    enabled: bool = True
    origin: str = "database"  # where the setting came from, shown when locked

    @property
    def title(self) -> str:
        return self.titled(self.mailer)

    def titled(self, mailer: str) -> str:
        """What lists show: the nickname and the mailer; not the same word twice."""
        name = self.nickname or self.name
        return name if name == mailer else f"{name} ({mailer})"
