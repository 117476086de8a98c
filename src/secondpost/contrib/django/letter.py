"""What Django's message says, as Secondpost takes it; the attributes are those that Anymail has made known.

Rule: what cannot be done is refused, not dropped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any

from django.core.mail import EmailMessage

from secondpost import blocking
from secondpost.errors import Refusal
from secondpost.library.result import Result

# Attributes of messages that other backends know. None of them can be kept by all providers.
UNKNOWN = (
    "template_id", "merge_data", "merge_global_data", "merge_headers", "merge_metadata", "esp_extra", "send_at",
    "track_opens", "track_clicks",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message that is built, its envelope, and what stands beside it."""

    message: Message | bytes
    sender: str
    to: tuple[str, ...]
    priority: str = ""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] | None = None
    key: str = ""

    @classmethod
    def of(cls, message: EmailMessage) -> "Letter":
        """Raises `Refusal`, or Django's own errors."""
        if asked := [name for name in UNKNOWN if getattr(message, name, None)]:
            raise Refusal(550, "5.6.0", f"Secondpost cannot do {', '.join(asked)}. Nothing was sent; leave it out.")
        headers = {str(name).lower(): str(value) for name, value in message.extra_headers.items()}
        metadata: Mapping[str, Any] = getattr(message, "metadata", None) or {}
        return cls(
            message=message.message(),
            sender=str(getattr(message, "envelope_sender", None) or message.from_email),
            to=tuple(str(address) for address in message.recipients()),
            priority=str(getattr(message, "priority", None) or headers.get("secondpost-priority", "")),
            tags=tuple(str(tag) for tag in getattr(message, "tags", None) or ()),
            metadata={str(name): str(value) for name, value in metadata.items()},
            key=str(getattr(message, "idempotency_key", None) or headers.get("secondpost-idempotency-key", "")),
        )

    def send(self, post: blocking.Post) -> Result:
        return post.send(
            self.message, to=self.to, from_email=self.sender, priority=self.priority, tags=self.tags,
            metadata=self.metadata, key=self.key,
        )  # fmt: skip
