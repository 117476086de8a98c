"""What the store in memory holds for a message and its deliveries, and how a delivery changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from secondpost.core.delivery import FINAL, IllegalMove, Move, State, step
from secondpost.core.event import Sequel, Standing, standing
from secondpost.core.message import Message
from secondpost.core.priority import Priority
from secondpost.store.base import Change, Record, Submission
from secondpost.store.changes import after


@dataclass(slots=True, kw_only=True)
class Row:
    number: int
    recipient: str
    state: State
    route: tuple[str, ...]
    due: datetime | None = None
    worker: str = ""
    fence: int = 0
    attempt: int | None = None
    connection: str = ""
    started: datetime | None = None
    tries: int = 0
    spent: tuple[str, ...] = ()
    reason: str = ""
    possible_duplicate: bool = False
    reply: str = ""
    sequel: Sequel | None = None

    @property
    def standing(self) -> Standing:
        return standing(self.state, self.sequel)


@dataclass(slots=True)
class Entry:
    submission: Submission
    deliveries: list[Row]
    content: Message | None
    attempts: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)  # by fence and number

    def tell(self, fence: int, attempt: dict[str, Any]) -> None:
        """Write an attempt down; one that is told in parts is one."""
        known = self.attempts.setdefault((fence, attempt["number"]), attempt | {"outcomes": []})
        known |= {name: attempt[name] for name in ("ended", "phase", "note")}
        known["transcript"] = attempt["transcript"] or known["transcript"]
        known["outcomes"] = known["outcomes"] + attempt["outcomes"]

    def open(self, state: State) -> list[Row]:
        return [delivery for delivery in self.deliveries if delivery.state is state]

    def final(self) -> bool:
        return all(delivery.state in FINAL for delivery in self.deliveries)


def first_row(it: Submission, number: int, recipient: str) -> Row:
    """A delivery as it is accepted."""
    row = Row(number=number, recipient=recipient, state=State.WAITING, route=it.route)
    if recipient in it.withheld:
        row.state, row.reason = step(row.state, Move.CANCEL), it.withheld[recipient]
    elif it.worker:
        row.state, row.worker, row.fence = step(row.state, Move.LEASE), it.worker, 1
    else:
        row.due = it.due or it.accepted
    return row


def changed(row: Row, change: Change) -> State:
    """The state that a change leads to. Raises `IllegalMove`."""
    state = after(change.moves)[row.state is State.SENDING]
    if state is None:
        raise IllegalMove(row.state, change.moves[0])
    return state


def write_change(row: Row, it: Record, change: Change, state: State) -> None:
    row.state, row.due, row.tries, row.spent = state, change.due, change.tries, change.spent
    row.reason, row.possible_duplicate = change.reason, row.possible_duplicate or change.possible_duplicate
    row.attempt = it.attempt or row.attempt
    row.connection = it.connection or row.connection
    if state is not State.LEASED:
        row.worker = ""
    if it.attempt:
        row.reply = getattr(change.outcome, "reply", "") or row.reply


def moved_by(row: Row, move: Move, due: datetime | None, reason: str) -> None:
    """What a person, a policy or time does."""
    row.state = step(row.state, move)
    row.due = due if row.state is State.WAITING else None
    row.worker, row.reason = "", reason
    row.possible_duplicate = row.possible_duplicate or move is Move.SEND_AGAIN


def lapsed(entry: Entry, row: Row, now: datetime, unclear_after: Mapping[Priority, timedelta]) -> None:
    """Its worker died: it waits again, or is in doubt when the attempt had passed the point of no return."""
    row.state, row.worker, row.due = step(row.state, Move.LAPSE), "", now
    if row.state is State.UNCLEAR:
        row.due = now + unclear_after[entry.submission.priority]
        entry.tell(row.fence, {
            "number": row.attempt, "connection": row.connection, "started": row.started, "ended": now, "phase": "point",
            "outcomes": [{"number": row.number, "kind": "unclear", "reply": ""}],
            "note": "the worker died while it was sending", "transcript": "",
        })  # fmt: skip
