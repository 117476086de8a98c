"""What became of a message, noted on it: `secondpost_result`, and `anymail_status` for what was written for Anymail."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.mail import EmailMessage

from secondpost.library.result import Fate, Result

WORDS: Mapping[Fate, str] = {
    "accepted": "sent", "queued": "queued", "unclear": "unknown", "rejected": "rejected", "deferred": "failed",
    "withheld": "rejected",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RecipientStatus:
    """As Anymail tells it."""

    message_id: str
    status: str


@dataclass(frozen=True, slots=True)
class Status:
    """As Anymail tells it; `esp_response` is the result."""

    message_id: str
    status: frozenset[str]
    recipients: Mapping[str, RecipientStatus]
    esp_response: Result


def note(message: EmailMessage, result: Result) -> None:
    recipients = {address: RecipientStatus(result.id, WORDS[it.state]) for address, it in result.recipients.items()}
    told: Any = message
    told.secondpost_result = result
    told.anymail_status = Status(result.id, frozenset(it.status for it in recipients.values()), recipients, result)
