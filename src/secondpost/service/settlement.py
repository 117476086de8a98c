"""A doubt that ends as refused, because a person or the provider says so: its sender is told, as of every other end.

Rule: the end and its report are written down together: neither goes without the other.
"""

from collections.abc import Sequence
from datetime import datetime

from secondpost.core.delivery import Move, State
from secondpost.core.outcome import Fault, Rejected
from secondpost.service.worker import Worker
from secondpost.store.base import Delivery, Lease
from secondpost.store.log import LogEntry


async def settle(
    worker: Worker, message: int, numbers: Sequence[int] | None, move: Move, *, now: datetime, reason: str
) -> tuple[int, ...]:
    """Make a move that somebody asks for, for those deliveries (None: all) that allow it; returns their numbers."""
    if move is not Move.SETTLE_REFUSED:
        return await worker.store.move(message, numbers, move, now=now, due=now, reason=reason)
    entry = await worker.store.entry(message)
    return await refuse(worker, entry, numbers, now=now, reason=reason) if entry else ()


async def refuse(
    worker: Worker, entry: LogEntry, numbers: Sequence[int] | None, *, now: datetime, reason: str
) -> tuple[int, ...]:
    """Settle these doubts (None: all of the message) as refused; returns the numbers of those that were."""
    refused = [
        Delivery(number=row["number"], recipient=row["recipient"])
        for row in entry.deliveries
        if row["state"] is State.UNCLEAR and (numbers is None or row["number"] in numbers)
    ]
    if not refused:
        return ()
    lease = await _as_leased(worker, entry, refused)
    report = worker.tell_sender(lease, [(delivery, Rejected(Fault.PROVIDER, reason)) for delivery in refused])
    return await worker.store.move(
        lease.id, [delivery.number for delivery in refused], Move.SETTLE_REFUSED,
        now=now, due=now, reason=reason, report=report,
    )  # fmt: skip


async def _as_leased(worker: Worker, entry: LogEntry, deliveries: list[Delivery]) -> Lease:
    """What a report tells of the message."""
    row = entry.row
    return Lease(
        id=row.id, sender=row.sender, priority=row.priority, expires=entry.expires, accepted=row.accepted, route=(),
        fence=0, deliveries=deliveries, message=await worker.store.content(row.id), size=row.size,
        entrypoint=row.entrypoint, notes=row.notes,
    )  # fmt: skip
