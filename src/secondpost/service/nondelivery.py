"""Telling the sender: a non-delivery report (RFC 3464) for mail that came by SMTP and that nobody took.

Rule: never to a null reverse-path, never about a report, and only when the store says that the delivery has ended.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from secondpost.core import message as rfc5322
from secondpost.core.outcome import Outcome
from secondpost.errors import SecondpostError
from secondpost.service.submit import NO_REPORT, Draft, Submit
from secondpost.store.base import Delivery, Lease, LogEntry, Store
from secondpost.wire import dsn

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class NonDelivery:
    """Makes the reports and submits them like any other message."""

    store: Store
    submit: Submit
    hostname: str
    now: Callable[[], datetime]
    new_id: Callable[[], int]
    enabled: bool = True

    async def failed(self, lease: Lease, ended: Sequence[tuple[Delivery, Outcome]]) -> None:
        """Report deliveries that were refused for good."""
        failures = [
            dsn.Failure(recipient=delivery.recipient, reply=getattr(outcome, "reply", ""), status="5.0.0")
            for delivery, outcome in ended
        ]
        if self.enabled and lease.sender:
            await self._safely(lease.id, lambda _: failures)

    async def expired(self, message: int, numbers: Sequence[int]) -> None:
        """Report deliveries whose time was over before anybody took them."""
        if self.enabled:
            await self._safely(message, lambda entry: _expired(entry, numbers))

    async def _safely(self, message: int, failures: Callable[[LogEntry], list[dsn.Failure]]) -> None:
        try:
            entry = await self.store.entry(message)
            if entry is not None and entry.row.sender and entry.entrypoint in {"smtp", "sendmail"}:
                await self._report(entry, [failure for failure in failures(entry) if _is_wanted(failure, entry)])
        except SecondpostError as error:
            logger.error(
                "a non-delivery report could not be submitted: %s", error, extra={"id": rfc5322.id_text(message)}
            )

    async def _report(self, entry: LogEntry, failures: Sequence[dsn.Failure]) -> None:
        if not failures:
            return
        content = await self.store.content(entry.row.id)
        sender = entry.row.sender
        report = dsn.build(
            failures=failures,
            sender=sender,
            hostname=self.hostname,
            arrived=entry.row.accepted,
            now=self.now(),
            head=content.head if content else b"",
            id=self.new_id(),
        )
        await self.submit(
            Draft(
                id=self.new_id(), sender="", recipients=(sender,), content=report, entrypoint="report",
                parent=entry.row.id,
            )
        )  # fmt: skip


def _expired(entry: LogEntry, numbers: Sequence[int]) -> list[dsn.Failure]:
    return [
        dsn.Failure(
            recipient=row["recipient"],
            reply=row["reply"] or "nobody took the message before its time was over",
            status="4.4.7",
        )
        for row in entry.deliveries
        if row["number"] in numbers
    ]


def _is_wanted(failure: dsn.Failure, entry: LogEntry) -> bool:
    """RFC 3461 section 4.1: who asked not to be told of a failure is not told."""
    return not entry.notes or failure.recipient not in json.loads(entry.notes).get(NO_REPORT, ())
