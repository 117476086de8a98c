"""The message: RFC 5322 bytes with CRLF line ends, never changed once accepted.

Rule: it is opaque bytes end to end. Only the header block is ever scanned, with bounds; nothing here parses MIME.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from secondpost.core import from_rules, mailboxes, words
from secondpost.core.connection import FromRules
from secondpost.core.fields import FIELD, HEAD_LIMIT, append, check_head, complete, crlf, names, received, split
from secondpost.core.ids import following_id, id_text, new_id, parse_id

__all__ = [
    "Message",
    "Summary",
    "Tail",
    "append",
    "authors",
    "check_head",
    "complete",
    "crlf",
    "date_text",
    "following_id",
    "id_text",
    "names",
    "new_id",
    "parse_id",
    "received",
    "rewrite",
    "split",
    "summarize",
]


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
    private: dict[str, str] = field(default_factory=dict)  # Secondpost-* fields, names lower-cased


def summarize(head: bytes) -> Summary:
    """What the header block says. One pass over at most 256 KiB; never raises, whatever the bytes are."""
    first, again = _fields(head)
    name, address = mailboxes.first_mailbox(first.get(b"from", b""))
    return Summary(
        subject=words.decode(first.get(b"subject", b"")),
        from_email=address,
        from_name=name,
        to=_addresses(b"to", first, again),
        cc=_addresses(b"cc", first, again),
        bcc=_addresses(b"bcc", first, again),
        reply_to=_addresses(b"reply-to", first, again),
        message_id=words.decode(first.get(b"message-id", b"")),
        date=words.decode(first.get(b"date", b"")),
        content_type=words.decode(first.get(b"content-type", b"")),
        private=_private(first),
    )


def authors(head: bytes) -> tuple[str, ...]:
    """Every address that the From and Sender fields name (RFC 5322 section 3.6.2)."""
    first, again = _fields(head)
    return _addresses(b"from", first, again) + _addresses(b"sender", first, again)


Found = tuple[bytes, bytes]


def _fields(head: bytes) -> tuple[dict[bytes, bytes], list[Found]]:
    """The first field of each name (lower-cased), and all others."""
    first: dict[bytes, bytes] = {}
    again: list[Found] = []
    for name, value in FIELD.findall(b"\n" + head[:HEAD_LIMIT]):
        key = name.lower()
        if key in first:
            again.append((key, value))
        else:
            first[key] = value
    return first, again


def _addresses(name: bytes, first: dict[bytes, bytes], again: list[Found]) -> tuple[str, ...]:
    value = first.get(name)
    if not value:
        return ()
    if again:
        value = b",".join([value, *[more for other, more in again if other == name]])
    return mailboxes.addresses(value)


def _private(first: dict[bytes, bytes]) -> dict[str, str]:
    if b"secondpost-" not in b" ".join(first):
        return {}
    return {name.decode(): words.decode(value) for name, value in first.items() if name.startswith(b"secondpost-")}


def rewrite(message: Message, sender: str, rules: FromRules, *, extra: bytes = b"") -> tuple[Message, str, bool]:
    """A copy for one attempt: the connection's From rules applied, and `extra` header lines put before the rest.

    Returns the message (the same object when nothing changes), the reverse-path, and whether the From field changed.
    """
    head, reverse_path, changed = from_rules.apply(message.head, sender, rules)
    if extra:
        head = extra + head
    if head is message.head:
        return message, reverse_path, changed
    return Message(head, message.body, message.tail), reverse_path, changed


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def date_text(now: datetime) -> str:
    """An aware datetime as RFC 5322 section 3.3 writes it, in any locale."""
    return f"{_DAYS[now.weekday()]}, {now.day} {_MONTHS[now.month - 1]} {now:%Y %H:%M:%S %z}"
