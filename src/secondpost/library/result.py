"""What became of a message, told to the app that sent it.

Rule: accepted means that a provider has it for every recipient; unclear is never called a failure, nor a success.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from secondpost.core.delivery import State
from secondpost.core.message import id_text
from secondpost.errors import NotAccepted
from secondpost.store.log import LogEntry

Fate = Literal["accepted", "queued", "unclear", "rejected", "deferred", "withheld"]

_FATES: dict[State, Fate] = {
    State.ACCEPTED: "accepted",
    State.UNCLEAR: "unclear",
    State.SENDING: "unclear",  # the answer has not come in the time that the caller had
    State.REJECTED: "rejected",
    State.CANCELLED: "withheld",
}
# In a queue the worker goes on: what is not over waits.
QUEUED: dict[State, Fate] = {
    **_FATES,
    State.WAITING: "queued",
    State.LEASED: "queued",
    State.SENDING: "queued",
}
WORST: tuple[Fate, ...] = ("unclear", "deferred", "rejected", "withheld", "queued", "accepted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One recipient. queued: on disk, and sent as soon as a connection can; deferred: nobody took it, and nothing will
    be sent; withheld: a rule or a list forbids it.
    """

    address: str
    state: Fate
    connection: str = ""
    reply: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try by one connection: how far it got, and what it heard."""

    connection: str
    phase: str
    reply: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`connection` is the last one that took it; `attempts` tell the whole story, in order."""

    id: str
    state: Fate
    recipients: Mapping[str, Recipient]
    attempts: tuple[Attempt, ...] = ()
    connection: str = ""
    duplicate: bool = False

    @property
    def accepted(self) -> bool:
        return self.state == "accepted"

    @property
    def queued(self) -> bool:
        """It is on disk, here or at the gateway, and will be sent."""
        return self.state == "queued"

    @property
    def unclear(self) -> bool:
        """The last byte left and no answer came: sending it again may make a second copy."""
        return self.state == "unclear"

    @property
    def is_lost(self) -> bool:
        """Nobody has it and nobody will: sending it again makes no second copy."""
        return not {it.state for it in self.recipients.values()} & {"accepted", "queued", "unclear"}

    def check(self) -> "Result":
        """The result itself. Raises `NotAccepted` when somebody surely did not get it; a doubt raises nothing."""
        missing = [it for it in self.recipients.values() if it.state in ("rejected", "deferred", "withheld")]
        if missing:
            why = "; ".join(f"{it.address}: {it.reply or it.state}" for it in missing)
            raise NotAccepted(f"The message {self.id} was not sent to {why}. Nobody has it for them.", self)
        return self


def of(
    entry: LogEntry, *, fates: Mapping[State, Fate] = MappingProxyType(_FATES), reasons: Mapping[int, str] | None = None
) -> Result:
    """What the log says. `reasons`: why deliveries were withdrawn, by their number."""
    return _made(id_text(entry.row.id), entry.deliveries, entry.attempts, fates=fates, reasons=reasons or {})


def shown(entry: Mapping[str, Any]) -> Result:
    """What a gateway's log says, as its HTTP API shows it."""
    return _made(entry["id"], entry["deliveries"], entry["attempts"], fates=QUEUED, reasons={})


def _made(
    id: str,
    deliveries: Sequence[Mapping[str, Any]],
    attempts: Sequence[Mapping[str, Any]],
    *,
    fates: Mapping[State, Fate],
    reasons: Mapping[int, str],
) -> Result:
    recipients = [_recipient(row, fates, reasons) for row in deliveries]
    return told(id, recipients, [_attempt(row) for row in attempts if row.get("outcomes")])


def told(id: str, recipients: Sequence[Recipient], attempts: Sequence[Attempt] = ()) -> Result:
    """A result by what became of each recipient."""
    states = {it.state for it in recipients}
    return Result(
        id=id,
        state=next(state for state in WORST if state in states),
        recipients={it.address: it for it in recipients},
        attempts=tuple(attempts),
        connection=next((it.connection for it in reversed(recipients) if it.state == "accepted"), ""),
    )


def repeated(first: Result) -> Result:
    """The result of a key that was used before."""
    return replace(first, duplicate=True)


def _recipient(row: Mapping[str, Any], fates: Mapping[State, Fate], reasons: Mapping[int, str]) -> Recipient:
    fate: Fate = "deferred" if row["number"] in reasons else fates.get(State(row["state"]), "deferred")
    reply = row["reply"] or reasons.get(row["number"], "") or row["reason"]
    return Recipient(address=row["recipient"], state=fate, connection=row["connection"], reply=reply)


def _attempt(row: Mapping[str, Any]) -> Attempt:
    replies = dict.fromkeys(str(outcome.get("reply", "")) for outcome in row["outcomes"])
    return Attempt(
        connection=row["connection"], phase=str(row["phase"]), reply="; ".join(replies), note=row.get("note", "")
    )
