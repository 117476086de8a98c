"""What every store computes alike: where a change leads, how an outcome is told, what makes two submissions the same.

Rule: states come from `core.delivery.step` and from nowhere else.
"""

import hashlib
from datetime import timedelta
from functools import cache
from typing import Any

from secondpost.core.delivery import IllegalMove, Move, State, step
from secondpost.core.outcome import Accepted, Deferred, Outcome, Rejected, Unclear
from secondpost.store.base import Change, Submission

TOO_LATE = "nobody took it in time"  # why a delivery expired
KEY_LIFE = timedelta(hours=24)  # how long an idempotency key is known


@cache
def after(moves: tuple[Move, ...]) -> tuple[State | None, State | None]:
    """Where `moves` lead from leased and from sending; None where they are illegal. What is leased starts by itself."""
    return _step(State.LEASED, moves) or _step(State.LEASED, (Move.START, *moves)), _step(State.SENDING, moves)


def _step(state: State, moves: tuple[Move, ...]) -> State | None:
    try:
        return step(state, *moves)
    except IllegalMove:
        return None


def telling(change: Change) -> dict[str, Any]:
    """One object of an attempt's `outcomes`."""
    return {"number": change.number} | _telling(change.outcome)


def _telling(outcome: Outcome | None) -> dict[str, Any]:
    match outcome:
        case Accepted():
            return {"kind": "accepted", "reply": outcome.reply, "provider_id": outcome.provider_id}
        case Deferred():
            wait = None if outcome.retry_after is None else outcome.retry_after.total_seconds()
            return {"kind": "deferred", "fault": outcome.fault, "reply": outcome.reply, "retry_after": wait}
        case Rejected():
            return {"kind": "rejected", "fault": outcome.fault, "reply": outcome.reply}
        case Unclear():
            return {"kind": "unclear", "reply": outcome.reply}
        case None:
            return {"kind": ""}


def digest(it: Submission) -> str:
    """What must be the same when an idempotency key is used again."""
    if it.digest:
        return it.digest
    told = (it.sender, it.recipients, it.summary.subject, it.summary.from_email, it.message.size - len(it.message.head))
    return hashlib.sha256(repr(told).encode("utf-8", "surrogatepass") + it.message.body).hexdigest()
