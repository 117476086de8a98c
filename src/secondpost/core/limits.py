"""Rates: how many messages a connection may take per second, minute, hour, day and month, and the gate a provider asks for.

Rule: never more than N in any one second, nor in any minute, hour, day or month of UTC (which is how providers count).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from secondpost.core.connection import Limits
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Rejected
from secondpost.core.retry import LONGEST_WAIT, bounded

UNNAMED = timedelta(minutes=1)  # a throttle that did not say for how long
SPANS = ("minute", "hour", "day", "month")

_SECOND = timedelta(seconds=1)
_NONE = timedelta(0)
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Messages of the span that begins at `start`."""

    start: datetime = _NEVER
    taken: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limiter:
    """What a connection has carried, as far as its limits need to know. `gate`: nothing may go before this time."""

    limits: Limits = Limits()
    gate: datetime = _NEVER
    recent: tuple[datetime, ...] = ()  # when the last messages went, as many as are allowed per second
    counts: Mapping[str, Count] = field(default_factory=dict)


def wait(limiter: Limiter, now: datetime) -> timedelta:
    """How long the next message has to wait; nothing when it may go now."""
    slot = _slot(limiter, now)
    return slot - now if slot > now else _NONE


def take(limiter: Limiter, now: datetime) -> Limiter:
    """Count one message, at the time at which `wait` lets it go: places in the time to come can be taken, each once."""
    spans = _spans(limiter.limits)
    per_second = limiter.limits.per_second
    if not spans and per_second is None:
        return limiter
    slot = _slot(limiter, now)
    recent = (*limiter.recent[1 - per_second :], slot) if per_second and per_second > 1 else (slot,)
    counts = {span: _counted(limiter.counts.get(span), start_of(span, slot)) for span, _ in spans}
    return replace(limiter, recent=recent if per_second else (), counts=counts)


def gate(limiter: Limiter, outcome: Outcome, now: datetime) -> Limiter:
    """The limiter after an outcome: a limit closes the gate until the time that was named."""
    if type(outcome) is Accepted:
        return limiter
    pause = named_wait(outcome)
    return replace(limiter, gate=max(limiter.gate, now + pause)) if pause else limiter


def named_wait(outcome: Outcome) -> timedelta:
    """For how long a limit asks us to stay away, between nothing and a day; nothing for other outcomes."""
    if not isinstance(outcome, Deferred | Rejected) or outcome.fault is not Fault.LIMIT:
        return _NONE
    named = outcome.retry_after if isinstance(outcome, Deferred) else None
    return UNNAMED if named is None else bounded(named)


def left(limiter: Limiter, now: datetime) -> dict[str, int]:
    """How many more messages each limited span allows, for people and alerts."""
    return {
        span: max(limit - _taken(limiter.counts.get(span), start_of(span, now)), 0)
        for span, limit in _spans(limiter.limits)
    }


def _slot(limiter: Limiter, now: datetime) -> datetime:
    """The first time at or after `now` that the gate and every limit allow."""
    slot = now
    if now < limiter.gate <= now + LONGEST_WAIT:  # one further off was set before the clock stepped back
        slot = limiter.gate
    per_second = limiter.limits.per_second
    if per_second and len(limiter.recent) >= per_second:
        slot = max(slot, _bounded(limiter.recent[-per_second] + _SECOND, now))
    for span, limit in _spans(limiter.limits):
        count = limiter.counts.get(span)
        if count and count.taken >= limit and start_of(span, slot) <= count.start:
            slot = max(slot, end_of(span, count.start)) if count.start <= end_of(span, now) else slot
    return slot
