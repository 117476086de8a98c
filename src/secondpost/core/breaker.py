"""The breaker of a connection: not waiting for what is known to be broken, and finding out by a probe when it is well.

Rule: an error about a recipient, a message, a limit or ourselves never counts. Nor does an attempt that began before
the breaker last closed or opened: it tells of a time that is over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, assert_never

from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Rejected, Unclear
from secondpost.core.window import Window, add, half_failed

FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=5)
CALM = timedelta(minutes=1)  # of success halves what is remembered of the last pause
PROBE_LIMIT = timedelta(minutes=15)  # a probe that has not ended by then was lost

IN_A_ROW = 6  # half failures: three that count whole
_NEVER = datetime.min.replace(tzinfo=UTC)
_ZERO = timedelta(0)


class State(StrEnum):
    """Closed is well: mail passes. Half-open: on trial, one message at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """One per connection, and one per (connection, sender domain) for refusals that are about the sender."""

    state: State = State.CLOSED
    since: datetime = _NEVER  # when it closed, or opened; what began before that is stale
    until: datetime = _NEVER  # open: when the next probe is due
    pause: timedelta = _ZERO  # for how long it was last open
    probe: datetime | None = None  # half-open: when the probe under way began
    row: int = 0  # half failures since the last success
    window: Window = ()
    down: datetime | None = None  # since when it has not been closed, for people
    reason: str = ""


def record(breaker: Breaker, outcome: Outcome, *, started: datetime, now: datetime) -> Breaker:
    """The breaker after an attempt that began at `started`. Costs nothing while all is well."""
    if type(outcome) is Accepted and not breaker.window and breaker.state is State.CLOSED:
        return breaker
    if _is_stale(breaker, started, now):
        return breaker
    if isinstance(outcome, Accepted):
        return _succeeded(breaker, now)
    weight = _weight(outcome)
    if not weight:
        return release(breaker)
    return _failed(breaker, outcome, weight, now)


def admits(breaker: Breaker, now: datetime) -> bool:
    """Whether mail may go this way: always when closed, else one message when a probe is due."""
    match breaker.state:
        case State.CLOSED:
            return True
        case State.OPEN:
            return not _ZERO < breaker.until - now <= LONGEST_PAUSE  # further off: the clock stepped back
        case State.HALF_OPEN:
            return breaker.probe is None or not _ZERO <= now - breaker.probe < PROBE_LIMIT
        case _:
            assert_never(breaker.state)


def probe(breaker: Breaker, now: datetime) -> Breaker:
    """The breaker once the one message that `admits` allowed is on its way: until it ends, no other is admitted."""
    if breaker.state is State.CLOSED:
        return breaker
    return replace(breaker, state=State.HALF_OPEN, probe=now)


def signed_in(breaker: Breaker, now: datetime) -> Breaker:
    """The breaker after a log-in that sent nothing: on trial. Only a message that is taken proves that messages are."""
    if breaker.state is State.CLOSED:
        return breaker
    return replace(breaker, state=State.HALF_OPEN, probe=None, until=now)


def release(breaker: Breaker) -> Breaker:
    """The breaker after a probe that was given up before it could tell anything: another one may go."""
    return replace(breaker, probe=None) if breaker.probe else breaker


def probe_failed(breaker: Breaker, *, started: datetime, now: datetime) -> Breaker:
    """The breaker after a log-in that failed: open for twice as long."""
    if breaker.state is State.CLOSED or _is_stale(breaker, started, now):
        return breaker
    return _open(breaker, min(breaker.pause * 2, LONGEST_PAUSE), breaker.reason, now)


def reset(now: datetime) -> Breaker:
    """A new breaker, after a change of settings; attempts that began under the old ones do not count."""
    return Breaker(since=now)


def retry_at(breaker: Breaker) -> datetime:
    """When an open breaker is due for its next probe."""
    return breaker.until


def telling(outcomes: Sequence[Outcome]) -> Outcome:
    """Of the outcomes of one attempt, the one that tells most of the connection; only this one is recorded."""
    return outcomes[0] if len(outcomes) == 1 else max(outcomes, key=_rank)


def _rank(outcome: Outcome) -> int:
    match outcome:
        case Deferred(fault=Fault.ACCOUNT) | Rejected(fault=Fault.ACCOUNT):
            return 4
        case Unclear():
            return 3
        case Accepted():
            return 2
        case Deferred() | Rejected():
            return 1 if _weight(outcome) else 0
        case _:
            assert_never(outcome)


_WEIGHTS = {Fault.UNREACHABLE: 2, Fault.PROVIDER: 1, Fault.ACCOUNT: IN_A_ROW}


def _weight(outcome: Deferred | Rejected | Unclear) -> int:
    """In halves of a failure; an account fault opens at once."""
    return 2 if isinstance(outcome, Unclear) else _WEIGHTS.get(outcome.fault, 0)


def _is_stale(breaker: Breaker, started: datetime, now: datetime) -> bool:
    return started < breaker.since <= now  # after now: the clock stepped back, and the past cannot be told


def _succeeded(breaker: Breaker, now: datetime) -> Breaker:
    if breaker.state is not State.CLOSED:
        return Breaker(since=now, pause=breaker.pause)
    return replace(breaker, row=0, window=add(breaker.window, now, 0))


def _failed(breaker: Breaker, outcome: Outcome, weight: int, now: datetime) -> Breaker:
    if weight == IN_A_ROW:
        return _open(breaker, LONGEST_PAUSE, _reason(outcome), now)
    match breaker.state:
        case State.CLOSED:
            row, window = breaker.row + weight, add(breaker.window, now, weight)
            if row >= IN_A_ROW or half_failed(window):
                return _open(breaker, _next_pause(breaker, now), _reason(outcome), now)
            return replace(breaker, row=row, window=window)
        case State.HALF_OPEN:
            return _open(breaker, min(breaker.pause * 2, LONGEST_PAUSE), _reason(outcome), now)
        case State.OPEN:  # a person's test, which tells nothing new
            return breaker
        case _:
            assert_never(breaker.state)


def _open(breaker: Breaker, pause: timedelta, reason: str, now: datetime) -> Breaker:
    down = breaker.down or now
    return Breaker(state=State.OPEN, since=now, until=now + pause, pause=pause, down=down, reason=reason)


def _next_pause(breaker: Breaker, now: datetime) -> timedelta:
    """Twice the last one, so that a flapping connection is left alone for longer; each minute of calm halves it."""
    calm = max((now - breaker.since) // CALM, 0)
    return min(max(breaker.pause * 2 / (1 << min(calm, 10)), FIRST_PAUSE), LONGEST_PAUSE)


def _reason(outcome: Outcome) -> str:
    fault = outcome.fault.value if isinstance(outcome, Deferred | Rejected) else "unclear"
    return f"{fault}: {outcome.reply[:200]}" if outcome.reply else fault


def to_dict(breaker: Breaker) -> dict[str, Any]:
    """What must survive a restart, as JSON can hold it. A probe does not: whoever made it is gone."""
    return {
        "state": breaker.state.value,
        "since": breaker.since.isoformat(),
        "until": breaker.until.isoformat(),
        "pause": breaker.pause.total_seconds(),
        "down": breaker.down.isoformat() if breaker.down else None,
        "reason": breaker.reason,
    }


def from_dict(kept: Mapping[str, Any], now: datetime) -> Breaker:
    """The breaker that was kept; a new one if it cannot be read. What the clock cannot explain is brought near it."""
    try:
        return Breaker(
            state=State(kept["state"]),
            since=min(datetime.fromisoformat(kept["since"]), now),
            until=min(datetime.fromisoformat(kept["until"]), now + LONGEST_PAUSE),
            pause=min(max(timedelta(seconds=kept["pause"]), FIRST_PAUSE), LONGEST_PAUSE) if kept["pause"] else _ZERO,
            down=datetime.fromisoformat(kept["down"]) if kept["down"] else None,
            reason=kept["reason"],
        )
    except (KeyError, TypeError, ValueError):
        return Breaker()
