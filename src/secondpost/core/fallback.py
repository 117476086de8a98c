"""The route of a delivery, and what follows from an outcome: done, the next connection, a wait, or a doubt.

Rule: `decide` is the table of docs/flow.md (delivery rules, section 4). Only what surely was not taken goes anywhere else.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from secondpost.core import retry
from secondpost.core.connection import Connection
from secondpost.core.delivery import Move
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Rejected, Unclear
from secondpost.core.priority import Policy, WhenUnclear

FLOOR = timedelta(seconds=1)  # a delivery that waits for a usable connection; the route says how long that is
SENDER_WAIT = timedelta(minutes=5)  # their view of a sender's domain changes slowly
LOCAL_WAIT = timedelta(minutes=1)  # our own trouble: a disk, a bug
UNNAMED_LIMIT = timedelta(minutes=1)  # a throttle that did not say for how long


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The delivery is final."""

    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NextConnection:
    """Go on at once with the next connection. `spend`: this one will never take it."""

    spend: bool = False
    costs_try: bool = False

    @property
    def moves(self) -> tuple[Move, ...]:
        return (Move.DEFER, Move.LEASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Back to the queue until `due`, and then until a connection of the route is usable."""

    due: datetime
    spend: bool = False
    costs_try: bool = False

    @property
    def moves(self) -> tuple[Move, ...]:
        return (Move.DEFER,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Wait for this same connection until its limit allows more; the wait is within the priority's patience."""

    until: datetime

    @property
    def moves(self) -> tuple[Move, ...]:
        return (Move.DEFER,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """They may have it. Nothing else may send it; at `due` the priority's policy acts (`at_deadline`)."""

    due: datetime

    @property
    def moves(self) -> tuple[Move, ...]:
        return (Move.DOUBT,)


Decision = Done | NextConnection | Wait | Gate | Doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a delivery stands when an attempt ends.

    `connections_left` can be used now and were not tried since it was last leased (`usable_connections`).
    `unspent` counts the others of the route, usable or not, that have not refused it for good; `spent` those that had.
    `paid`: an earlier attempt since it was last leased has cost a try, so that the next round must wait for the backoff.
    """

    now: datetime
    expires: datetime
    policy: Policy
    jitter: float
    tries: int = 0
    connections_left: int = 0
    unspent: int = 0
    spent: int = 0
    paid: bool = False


def route(
    chosen: str, backup: str, connections: Mapping[str, Connection], *, backups: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The ordered names of the connections that may carry a delivery: each once, and only those that exist and are enabled.

    After `chosen` come `backups` (of the Smart Routing route), else its own backup chain, else the Backup Connection.
    """
    own = connections[chosen].backups if chosen in connections else ()
    names = dict.fromkeys((chosen, *(backups or own or (backup,))))
    return tuple([name for name in names if name in connections and connections[name].enabled])


def usable_connections(
    route: tuple[str, ...], *, tried: Collection[str], spent: Collection[str], usable: Callable[[str], bool]
) -> tuple[str, ...]:
    """The connections of `route` that may be tried now, in order; `tried` are those of this round, the current one included."""
    return tuple([name for name in route if name not in tried and name not in spent and usable(name)])


def decide(outcome: Outcome, standing: Standing) -> Decision:
    """What follows from `outcome`. The moves of the decision are legal from `sending`; no due time lies after `expires`."""
    match outcome:
        case Accepted():
            return Done(moves=(Move.ACCEPT,))
        case Unclear():
            return Doubt(due=standing.now + standing.policy.unclear_after)
        case Rejected(fault=Fault.RECIPIENT):
            return Done(moves=(Move.REJECT,))
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
    return Done(moves=(Move.REJECT,))


def _elsewhere(standing: Standing, *, costs_try: bool) -> Decision:
    """This connection will never take it; one that has not said so may, now or when it is usable again."""
    if standing.connections_left:
        return NextConnection(spend=True, costs_try=costs_try)
    if standing.unspent:
        return Wait(due=_next_round(standing, FLOOR), spend=True, costs_try=costs_try)
    return Done(moves=(Move.REJECT,))


def _deferred(outcome: Deferred | Rejected, standing: Standing) -> Decision:
    match outcome.fault:
        case Fault.UNREACHABLE:
            return _next_or_wait(standing, FLOOR)
        case Fault.ACCOUNT:
            return _next_or_wait(standing, SENDER_WAIT if outcome.about_sender else FLOOR)
        case Fault.LIMIT:
            return _limited(limit_wait(outcome), standing)
        case Fault.PROVIDER if standing.connections_left:
            return NextConnection(costs_try=True)
        case Fault.PROVIDER | Fault.RECIPIENT | Fault.MESSAGE:
            return Wait(due=_due(standing, _backoff(standing)), costs_try=True)
        case Fault.LOCAL:
            return Wait(due=_due(standing, LOCAL_WAIT))
        case _:
            assert_never(outcome.fault)


def _limited(wait: timedelta, standing: Standing) -> Decision:
    """Within patience we wait for this connection. A wait that would outlive the message is never worth it."""
    patience = standing.policy.patience
    if (patience is None or wait <= patience) and standing.now + wait < standing.expires:
        return Gate(until=standing.now + wait)
    return _next_or_wait(standing, FLOOR)


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


def limit_wait(outcome: Outcome) -> timedelta:
    """For how long a limit asks us to stay away: the gate to put before the connection. Nothing for other outcomes."""
    if not isinstance(outcome, Deferred | Rejected) or outcome.fault is not Fault.LIMIT:
        return timedelta(0)
    named = outcome.retry_after if isinstance(outcome, Deferred) else None
    return UNNAMED_LIMIT if named is None else retry.bounded(named)


def at_deadline(policy: Policy, *, now: datetime, expires: datetime) -> Move | None:
    """What becomes of a doubt that nothing settled until its due time. None: it stays unclear, for a person to settle.

    A message whose time is over is not sent again: a late second copy helps nobody.
    """
    if policy.when_unclear is WhenUnclear.SEND_AGAIN and now < expires:
        return Move.SEND_AGAIN
    return None
