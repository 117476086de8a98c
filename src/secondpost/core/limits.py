"""Rates: how many messages a connection may take in each span of time, and the gate that a provider asks for.

Rule: never more than N in any one second, nor in any minute, hour, day or month of UTC, which is how providers count.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeGuard

from secondpost.core.connection import Limits
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Rejected
from secondpost.core.retry import LONGEST_WAIT, bounded

UNLIMITED = Limits()
UNNAMED = timedelta(minutes=1)  # a throttle that did not say for how long

_SECOND = timedelta(seconds=1)
_ZERO = timedelta(0)
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Count:
    """Messages of the span (minute, hour, day, month) that begins at `start`."""

    start: datetime
    taken: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limiter:
    """What a connection has carried, as far as its limits need to know. A limit that is None or 0 does not exist."""

    limits: Limits = UNLIMITED
    gate: datetime = _NEVER  # nothing may go before
    refused: int = 0  # limits that it spoke of in a row, each after the wait named by the one before
    seen: datetime = _NEVER  # when a message was last counted, to notice a clock that stepped back
    recent: tuple[datetime, ...] = ()  # when the last messages went, as many as a second allows
    counts: Mapping[str, Count] = field(default_factory=lambda: MappingProxyType({}))


def wait(limiter: Limiter, now: datetime) -> timedelta:
    """How long the next message has to wait; nothing when it may go now."""
    if limiter.gate <= now and not limiter.recent and not limiter.counts:
        return _ZERO
    return _slot(_settled(limiter, now), now) - now


def take(limiter: Limiter, now: datetime) -> Limiter:
    """Count one message at the time at which `wait` lets it go. A place in the time to come is thereby reserved."""
    limits = limiter.limits
    spans = _spans(limits)
    if not spans and not limits.per_second:
        return limiter
    limiter = _settled(limiter, now)
    slot = _slot(limiter, now)
    recent = (*limiter.recent, slot)[-limits.per_second :] if limits.per_second else ()
    counts = {span: _counted(limiter.counts.get(span), start_of(span, slot)) for span, _ in spans}
    return replace(limiter, seen=now, recent=recent, counts=counts)


def room(limiter: Limiter, now: datetime, most: int) -> int:
    """How many messages may go now, if no more than `most` want to."""
    free = 0
    while free < most and not wait(limiter, now):
        limiter, free = take(limiter, now), free + 1
    return free


def gate(limiter: Limiter, outcome: Outcome, now: datetime) -> Limiter:
    """The limiter after an outcome: one that speaks of a limit closes the gate until the time it named.

    The first is taken at its word, even "at once". Who has waited and is refused again waits longer each time, so that
    no provider is asked in a loop; what was under way together is refused together, and counts as one.
    """
    if type(outcome) is Accepted:
        return replace(limiter, refused=0) if limiter.refused else limiter
    if not _speaks_of_a_limit(outcome):
        return limiter
    refused, pause = limiter.refused, named_wait(outcome)
    if now > limiter.gate:
        pause, refused = max(pause, _floor(refused)), refused + 1
    return replace(limiter, gate=max(limiter.gate, now + pause), refused=refused)


def _speaks_of_a_limit(outcome: Outcome) -> TypeGuard[Deferred | Rejected]:
    return isinstance(outcome, Deferred | Rejected) and outcome.fault is Fault.LIMIT


def _floor(refused: int) -> timedelta:
    """The shortest wait after that many refusals in a row: nothing, 1 s, 2 s, 4 s … a minute."""
    return min(_SECOND * (1 << min(refused - 1, 10)), UNNAMED) if refused else _ZERO


def named_wait(outcome: Outcome) -> timedelta:
    """For how long a limit asks us to stay away, between nothing and a day; nothing for other outcomes."""
    if not _speaks_of_a_limit(outcome):
        return _ZERO
    named = outcome.retry_after if isinstance(outcome, Deferred) else None
    return UNNAMED if named is None else bounded(named)


def left(limiter: Limiter, now: datetime) -> dict[str, int]:
    """How many more messages each limited span allows now, for people and alerts."""
    room = {}
    for span, limit in _spans(limiter.limits):
        count = limiter.counts.get(span)
        room[span] = max(limit - count.taken, 0) if count and count.start >= start_of(span, now) else limit
    return room


def start_of(span: str, time: datetime) -> datetime:
    """The beginning of the minute, hour, day or month of UTC that `time` is in."""
    time = time.astimezone(UTC).replace(second=0, microsecond=0)
    match span:
        case "minute":
            return time
        case "hour":
            return time.replace(minute=0)
        case "day":
            return time.replace(minute=0, hour=0)
        case _:
            return time.replace(minute=0, hour=0, day=1)


_LONGER = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1), "month": timedelta(31)}


def end_of(span: str, start: datetime) -> datetime:
    """The beginning of the span after the one that begins at `start`."""
    return start_of(span, start + _LONGER[span])


def _spans(limits: Limits) -> list[tuple[str, int]]:
    spans = (
        ("minute", limits.per_minute),
        ("hour", limits.per_hour),
        ("day", limits.per_day),
        ("month", limits.per_month),
    )
    return [(span, limit) for span, limit in spans if limit]


def _slot(limiter: Limiter, now: datetime) -> datetime:
    """The first time from `now` on that the gate and every limit allow, after the places already taken."""
    slot = now
    if limiter.gate <= now + LONGEST_WAIT:  # one further off was set before the clock stepped back
        slot = max(slot, limiter.gate)
    per_second = limiter.limits.per_second
    if per_second and len(limiter.recent) >= per_second:
        slot = max(slot, limiter.recent[-per_second] + _SECOND)
    for span, limit in _spans(limiter.limits):
        count = limiter.counts.get(span)
        if count:
            slot = max(slot, end_of(span, count.start) if count.taken >= limit else count.start)
    return slot


def _counted(count: Count | None, start: datetime) -> Count:
    return Count(start, count.taken + 1 if count and count.start == start else 1)


def _settled(limiter: Limiter, now: datetime) -> Limiter:
    """After the clock stepped back, places in a future that is further off than it seemed must not block for hours."""
    if now + _SECOND > limiter.seen:
        return limiter
    counts = {span: Count(min(count.start, start_of(span, now)), count.taken) for span, count in limiter.counts.items()}
    return replace(limiter, seen=now, recent=(), counts=counts)


def to_dict(limiter: Limiter) -> dict[str, Any]:
    """What must survive a restart, as JSON can hold it."""
    counts = {span: [count.start.isoformat(), count.taken] for span, count in limiter.counts.items()}
    gate, seen = limiter.gate.isoformat(), limiter.seen.isoformat()
    return {"gate": gate, "refused": limiter.refused, "seen": seen, "counts": counts}


def from_dict(kept: Mapping[str, Any], limits: Limits) -> Limiter:
    """The limiter that was kept, under the limits of today; a new one if it cannot be read."""
    try:
        counts = {span: Count(datetime.fromisoformat(start), taken) for span, (start, taken) in kept["counts"].items()}
        gate, seen = datetime.fromisoformat(kept["gate"]), datetime.fromisoformat(kept["seen"])
        refused = int(kept.get("refused", 0))
    except (AttributeError, KeyError, TypeError, ValueError):
        return Limiter(limits=limits)
    return Limiter(limits=limits, gate=gate, refused=refused, seen=seen, counts=counts)
