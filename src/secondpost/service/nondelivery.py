"""Telling the sender: a non-delivery report (RFC 3464) for mail that came by SMTP and that nobody took.

Rule: never to a null reverse-path, never about a report, and only when the store says that the delivery has ended.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from secondpost.core import message as rfc5322
from secondpost.core.outcome import Outcome
from secondpost.errors import SecondpostError
from secondpost.service.submit import Draft, Submit
from secondpost.store.base import Delivery, Lease, Store
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
        await self._report(lease.id, lease.sender, failures)

    async def expired(self, message: int, numbers: Sequence[int]) -> None:
        """Report deliveries whose time was over before anybody took them."""
        entry = await self.store.entry(message)
        if entry is None:
            return
        failures = [
            dsn.Failure(
                recipient=row["recipient"],
                reply=row["reply"] or "nobody took the message before its time was over",
                status="4.4.7",
            )
            for row in entry.deliveries
            if row["number"] in numbers
        ]
        await self._report(message, entry.row.sender, failures)

    async def _report(self, message: int, sender: str, failures: Sequence[dsn.Failure]) -> None:
        if not self.enabled or not sender or not failures:
            return
        entry = await self.store.entry(message)
        if entry is None or entry.entrypoint != "smtp":
            return
        content = await self.store.content(message)
        report = dsn.build(
            failures=failures,
            sender=sender,
            hostname=self.hostname,
            arrived=entry.row.accepted,
            now=self.now(),
            head=content.head if content else b"",
            id=self.new_id(),
        )
        draft = Draft(
            id=self.new_id(), sender="", recipients=(sender,), content=report, entrypoint="report", parent=message
        )
        try:
            await self.submit(draft)
        except SecondpostError as error:
            logger.error(
                "a non-delivery report could not be submitted: %s", error, extra={"id": rfc5322.id_text(message)}
            )
