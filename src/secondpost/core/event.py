"""An event: what a provider tells us later about a delivery, in the words of Anymail.

Rule: events come late, twice and out of order, so what they do never depends on the order in which they come.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from secondpost.core.delivery import OPEN, Move, State


class Kind(StrEnum):
    """What happened. The first five are about taking it, the others prove that it was taken."""

    QUEUED = "queued"  # they have it
    SENT = "sent"
    REJECTED = "rejected"  # they will not send it
    FAILED = "failed"  # they could not send it
    DEFERRED = "deferred"  # they have it and try again
    DELIVERED = "delivered"  # the recipient's server has it
    BOUNCED = "bounced"
    AUTORESPONDED = "autoresponded"
    OPENED = "opened"
    CLICKED = "clicked"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    SUBSCRIBED = "subscribed"
    UNKNOWN = "unknown"


_NOT_TAKEN = frozenset({Kind.REJECTED, Kind.FAILED})
_NO_EVIDENCE = frozenset({Kind.SUBSCRIBED, Kind.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event, as a webhook or a look-up brought it."""

    kind: Kind
    at: datetime
    recipient: str = ""
    provider_id: str = ""  # their id of the message
    message: int | None = None  # ours, when they carried it
    event_id: str = ""  # theirs, to know one that comes twice
    reason: str = ""  # Anymail's reject reason: invalid, bounced, timed_out, blocked, spam, unsubscribed, other
    permanent: bool = False  # a bounce that will not pass
    text: str = ""


def settlement(event: Event) -> Move | None:
    """How an event settles a doubt; None: it says nothing about that.

    Even a bounce settles it as taken: they had the message, and what came of it later is told by the event itself.
    """
    if event.kind in _NO_EVIDENCE:
        return None
    return Move.SETTLE_REFUSED if event.kind in _NOT_TAKEN else Move.SETTLE_ARRIVED


def move(event: Event, state: State) -> Move | None:
    """The move that an event means for a delivery. Only a doubt is settled; a final state never changes."""
    return settlement(event) if state is State.UNCLEAR else None


# What most needs to be known of a delivery comes first.
_FOREMOST = (
    Kind.COMPLAINED, Kind.BOUNCED, Kind.FAILED, Kind.REJECTED, Kind.UNSUBSCRIBED, Kind.CLICKED, Kind.OPENED,
    Kind.DELIVERED, Kind.AUTORESPONDED, Kind.DEFERRED, Kind.SENT, Kind.QUEUED,
)  # fmt: skip


def foremost(kinds: Collection[Kind]) -> Kind | None:
    """What is said of a delivery after all these events, in whatever order they came; None: they say nothing."""
    return next((kind for kind in _FOREMOST if kind in kinds), None)


class Sequel(StrEnum):
    """What came of a delivery after a provider had it, as far as the provider tells. What weighs most comes first."""

    COMPLAINED = "complained"
    BOUNCED = "bounced"
    FAILED = "failed"  # they could not send it, or would not
    DELIVERED = "delivered"


ARRIVED = frozenset({Sequel.DELIVERED, Sequel.COMPLAINED})  # in a mailbox
Standing = State | Sequel  # what lists call a delivery; no word is in both

_SEQUELS = {
    Kind.COMPLAINED: Sequel.COMPLAINED, Kind.BOUNCED: Sequel.BOUNCED, Kind.FAILED: Sequel.FAILED,
    Kind.REJECTED: Sequel.FAILED, Kind.UNSUBSCRIBED: Sequel.DELIVERED, Kind.CLICKED: Sequel.DELIVERED,
    Kind.OPENED: Sequel.DELIVERED, Kind.DELIVERED: Sequel.DELIVERED,
}  # fmt: skip


def sequel(kind: Kind) -> Sequel | None:
    """What an event says came of a delivery; None: nothing that is settled. Who reads a message has got it."""
    return _SEQUELS.get(kind)


def weightier(known: Sequel | None, told: Sequel) -> Sequel:
    """What counts after both, whichever came first."""
    return min(known or told, told, key=list(Sequel).index)


def standing(state: State, sequel: Sequel | None) -> Standing:
    """Where a delivery stands. Once it is over, a provider's word counts more than what we knew when it ended."""
    return state if sequel is None or state in OPEN else sequel
