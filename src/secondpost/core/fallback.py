"""The route of a delivery, and what follows from an outcome: done, the next connection, a wait, or a doubt.

Rule: `decide` is the table of section 4 of the delivery rules. Only what surely was not taken goes anywhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from secondpost.core import limits, retry
from secondpost.core.connection import Connection
from secondpost.core.delivery import Move
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Rejected, Unclear
from secondpost.core.priority import Policy

SENDER_WAIT = timedelta(minutes=5)  # their view of a sender's domain changes slowly
LOCAL_WAIT = timedelta(minutes=1)  # our own trouble: a disk, a bug


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decision:
    """What every decision says. `moves` are legal from `sending`; `spend`: this connection will never take it."""

    moves: tuple[Move, ...]
    due: datetime | None = None
    spend: bool = False
    costs_try: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(_Decision):
    """The delivery is final: accepted, or `failed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextConnection(_Decision):
    """Go on at once with the next connection; the move to lease it again is the worker's."""

    moves: tuple[Move, ...] = (Move.DEFER,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(_Decision):
    """Back to the queue until `due`, and then until a connection of the route is usable."""

    due: datetime
    moves: tuple[Move, ...] = (Move.DEFER,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate(_Decision):
    """Wait for this same connection until its limit allows more, which is within the priority's patience."""

    due: datetime
    moves: tuple[Move, ...] = (Move.DEFER,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt(_Decision):
    """They may have it, so nothing else may send it. At `due` the priority's policy acts."""

    due: datetime
    moves: tuple[Move, ...] = (Move.DOUBT,)


Decision = Done | NextConnection | Wait | Gate | Doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a delivery stands when an attempt ends.

    `connections_left` of the route can be used now and were not tried in this round (since it was last leased).
    `unspent` others, usable or not, have not refused it for good; `spent` others have.
    `paid`: an earlier attempt of this round has cost a try, so the next round waits for the backoff.
    """

    now: datetime
    accepted: datetime
    expires: datetime
    policy: Policy
    jitter: float
    tries: int
    connections_left: int
    unspent: int
    spent: int = 0
    paid: bool = False


def route(
    chosen: str, backup: str, connections: Mapping[str, Connection], *, backups: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The names of the connections that may carry a delivery, in order: each once, those that exist and are enabled.

    After `chosen` come `backups` (of a rule of Smart Routing), else its own backup chain, else the Backup Connection.
    """
    own = connections[chosen].backups if chosen in connections else ()
    names = dict.fromkeys((chosen, *(backups or own or (backup,))))
    return tuple([name for name in names if name in connections and connections[name].enabled])


_REJECTED = Done(moves=(Move.REJECT,), failed=True)


def decide(outcome: Outcome, standing: Standing) -> Decision:
    """What follows from `outcome`. A delivery that waits is due when it expires at the latest: that must be noticed."""
    match outcome:
        case Accepted():
            return Done(moves=(Move.ACCEPT,))
        case Unclear():
            return Doubt(due=standing.now + standing.policy.unclear_after)
        case Rejected(fault=Fault.RECIPIENT):
            return _REJECTED
        case Rejected(fault=Fault.MESSAGE):
            return _refused_message(outcome, standing)
        case Rejected(fault=Fault.PROVIDER):
            return _elsewhere(standing, costs_try=True)
        case Deferred() | Rejected():
            return _deferred(outcome, standing)
        case _:
            assert_never(outcome)


def _refused_message(outcome: Rejected, standing: Standing) -> Decision:
    """Only for a size or a feature, and only once: a second refusal shows that it is the message."""
    if outcome.unsupported and not standing.spent:
        return _elsewhere(standing, costs_try=False)
    return _REJECTED


def _elsewhere(standing: Standing, *, costs_try: bool) -> Decision:
    """This connection will never take it; one that has not said so may, now or when it is usable again."""
    if standing.connections_left:
        return NextConnection(spend=True, costs_try=costs_try)
    if standing.unspent:
        return Wait(due=_next_round(standing, _rest(standing)), spend=True, costs_try=costs_try)
    return _REJECTED


def _deferred(outcome: Deferred | Rejected, standing: Standing) -> Decision:
    match outcome.fault:
        case Fault.UNREACHABLE:
            return _next_or_wait(standing, _rest(standing))
        case Fault.ACCOUNT:
            return _next_or_wait(standing, SENDER_WAIT if outcome.about_sender else _rest(standing))
        case Fault.LIMIT:
            return _limited(limits.named_wait(outcome), standing)
        case Fault.PROVIDER if standing.connections_left:
            return NextConnection(costs_try=True)
        case Fault.PROVIDER | Fault.RECIPIENT | Fault.MESSAGE:
            return Wait(due=_due(standing, _backoff(standing)), costs_try=True)
        case Fault.LOCAL:
            named = outcome.retry_after if isinstance(outcome, Deferred) else None
            return Wait(due=_due(standing, LOCAL_WAIT if named is None else named))
        case _:
            assert_never(outcome.fault)


def _limited(wait: timedelta, standing: Standing) -> Decision:
    """Within patience we wait for this connection. A wait that would outlive the message is never worth it."""
    patience = standing.policy.patience
    if (patience is None or wait <= patience) and standing.now + wait < standing.expires:
        return Gate(due=_due(standing, max(wait, _breath(standing))))
    return _next_or_wait(standing, _rest(standing))


def _breath(standing: Standing) -> timedelta:
    """The least that a delivery waits for a limit: a tenth of its age, so that "at once" does not become a loop."""
    return min((standing.now - standing.accepted) / 10, timedelta(seconds=1))


def _next_or_wait(standing: Standing, wait: timedelta) -> Decision:
    if standing.connections_left:
        return NextConnection()
    return Wait(due=_next_round(standing, wait))


def _next_round(standing: Standing, wait: timedelta) -> datetime:
    return _due(standing, max(wait, _backoff(standing)) if standing.paid else wait)


def _backoff(standing: Standing) -> timedelta:
    return retry.backoff(standing.tries, standing.jitter)


def _due(standing: Standing, wait: timedelta) -> datetime:
    return min(standing.now + wait, standing.expires)


def _rest(standing: Standing) -> timedelta:
    return rest(standing.now - standing.accepted)


def rest(age: timedelta) -> timedelta:
    """How long a delivery that waits for a usable connection is left alone, which burns no try: a tenth of its age.

    The route says how long it really waits. This only keeps one that nobody can carry from being asked for in a loop.
    """
    return min(max(age / 10, timedelta(seconds=1)), retry.STEPS[0])
