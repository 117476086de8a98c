"""Telling the sender: a non-delivery report (RFC 3464) for mail that came by SMTP and that nobody took.

Rule: never to a null reverse-path, and never about a report. Whoever asks for a report writes it down together with
the end that it tells of: so each end has its report, and none has two.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from secondpost.core import message as rfc5322
from secondpost.core.outcome import Outcome
from secondpost.service.submit import NO_REPORT, Draft, Submit
from secondpost.store.base import Delivery, Lease, Store, Submission
from secondpost.store.log import LogEntry
from secondpost.wire import dsn

logger = logging.getLogger(__name__)

ANSWERED = {"smtp", "sendmail"}  # ways in whose senders are told by mail


class Mail(NamedTuple):
    """What a report says of the message itself."""

    id: int
    sender: str
    arrived: datetime
    notes: str
    head: bytes


@dataclass(slots=True)
class NonDelivery:
    """Makes the reports; None where nobody is to be told."""

    store: Store
    submit: Submit
    hostname: str
    now: Callable[[], datetime]
    new_id: Callable[[], int]
    enabled: bool = True

    def rejected(self, lease: Lease, ended: Sequence[tuple[Delivery, Outcome]]) -> Submission | None:
        """Of deliveries that were refused for good."""
        if not self._is_owed(lease.sender, lease.entrypoint):
            return None
        failures = [
            dsn.Failure(recipient=delivery.recipient, reply=getattr(outcome, "reply", ""), status="5.0.0")
            for delivery, outcome in ended
        ]
        head = lease.message.head if lease.message else b""
        return self._report(Mail(lease.id, lease.sender, lease.accepted, lease.notes, head), failures)

    async def expired(self, message: int, numbers: Sequence[int]) -> Submission | None:
        """Of deliveries whose time was over before anybody took them."""
        entry = await self.store.entry(message)
        if entry is None or not self._is_owed(entry.row.sender, entry.row.entrypoint):
            return None
        content = await self.store.content(message)
        head = content.head if content else b""
        mail = Mail(message, entry.row.sender, entry.row.accepted, entry.row.notes, head)
        return self._report(mail, _expired(entry, numbers))

    def _is_owed(self, sender: str, entrypoint: str) -> bool:
        return self.enabled and sender != "" and entrypoint in ANSWERED

    def _report(self, mail: Mail, failures: Sequence[dsn.Failure]) -> Submission | None:
        """None, too, for what goes wrong here: the end itself must be written down all the same."""
        try:
            wanted = [failure for failure in failures if _is_wanted(failure, mail.notes)]
            return self.submit.prepare(self._draft(mail, wanted)) if wanted else None
        except Exception:
            logger.exception("a non-delivery report could not be made", extra={"id": rfc5322.id_text(mail.id)})
            return None

    def _draft(self, mail: Mail, failures: Sequence[dsn.Failure]) -> Draft:
        content = dsn.build(
            failures=failures, sender=mail.sender, hostname=self.hostname, arrived=mail.arrived, now=self.now(),
            head=mail.head, id=self.new_id(),
        )  # fmt: skip
        return Draft(
            id=self.new_id(), sender="", recipients=(mail.sender,), content=content, entrypoint="report",
            parent=mail.id,
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


def _is_wanted(failure: dsn.Failure, notes: str) -> bool:
    """RFC 3461 section 4.1: who asked not to be told of a failure is not told."""
    return not notes or failure.recipient not in json.loads(notes).get(NO_REPORT, ())
