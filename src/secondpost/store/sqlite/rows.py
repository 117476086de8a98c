"""Between values and rows: how times, names and outcomes are written in the database.

Rule: times are whole milliseconds of Unix time; everything else is text or JSON that a person can read.
"""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from secondpost.core.delivery import IllegalMove, Move, State, step
from secondpost.core.outcome import Accepted, Deferred, Outcome, Rejected, Unclear
from secondpost.store.base import Change

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# ensure_ascii=False is a third faster; what cannot be UTF-8 raises and is mended by `mended`.
encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def ms_or_none(time: datetime | None) -> int | None:
    return None if time is None else round(time.timestamp() * 1000)


def when(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)


def when_or_none(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else when(milliseconds)


def names(text: str | None) -> tuple[str, ...]:
    """A JSON array of names."""
    return tuple(json.loads(text)) if text else ()


@cache
def after(moves: tuple[Move, ...]) -> tuple[State | None, State | None]:
    """Where `moves` lead from leased and from sending; None where they are illegal. What is only leased starts by itself."""
    return _step(State.LEASED, moves) or _step(State.LEASED, (Move.START, *moves)), _step(State.SENDING, moves)


def _step(state: State, moves: tuple[Move, ...]) -> State | None:
    try:
        return step(state, *moves)
    except IllegalMove:
        return None


def outcome(change: Change) -> dict[str, Any]:
    """One object of an attempt's `outcomes`."""
    return {"number": change.number} | _outcome(change.outcome)


def _outcome(outcome: Outcome | None) -> dict[str, Any]:
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


def mended(value: Any) -> Any:
    """The same rows with text that is not Unicode (lone surrogates from undecodable headers) made so."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list | tuple):
        return [mended(item) for item in value]
    if isinstance(value, dict):
        return {key: mended(item) for key, item in value.items()}
    return value
