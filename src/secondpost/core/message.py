"""The message: RFC 5322 bytes with CRLF line ends, never changed once accepted.

Rule: it is opaque bytes end to end. Only the header block is ever scanned, with bounds; nothing here parses MIME recursively.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol


class Tail(Protocol):
    """The part of a large message that is kept outside memory."""

    @property
    def size(self) -> int: ...

    def blocks(self) -> Iterator[bytes]:
        """The bytes in order, in blocks of at most 64 KiB. Reading may block on the disk."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """`head` is the header block with its closing empty line; the content is head + body + tail."""

    head: bytes
    body: bytes
    tail: Tail | None = None

    @property
    def size(self) -> int:
        """Bytes of the whole content."""
        return len(self.head) + len(self.body) + (self.tail.size if self.tail else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the header block says, decoded for people and for rules; every value is bounded."""

    subject: str = ""
    from_email: str = ""
    from_name: str = ""
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    message_id: str = ""
    date: str = ""
    content_type: str = ""
    hops: int = 0  # Received fields
    private: dict[str, str] = field(default_factory=dict)  # Secondpost-* fields, names lower-cased
