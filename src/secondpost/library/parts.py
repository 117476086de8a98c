"""What a caller gives for a message, as a draft: the parts of one that is to be built, or a ready one.

Rule: whatever is wrong is refused before anything is sent; with a key, the same parts are the same bytes every time.
"""

import base64
from collections.abc import Mapping, Sequence
from email.message import Message
from typing import Any

from secondpost.core import message as rfc5322
from secondpost.errors import Refusal
from secondpost.service import compose, mime
from secondpost.service.ids import new_id
from secondpost.service.submit import Draft

_OF_A_FILE = {"filename", "content", "content_type", "content_id"}
WHAT_A_FILE_IS = (
    "An attachment is (name, bytes), (name, bytes, type), or a mapping of filename, content, content_type, content_id."
)
Texts = str | Sequence[str]
Attachments = Sequence[Mapping[str, Any] | tuple[str, bytes] | tuple[str, bytes, str]]


def built(
    *, sender: str, to: Texts, cc: Texts, bcc: Texts, reply_to: Texts, headers: Mapping[str, str] | None,
    attachments: Attachments, **others: Any,
) -> Draft:  # fmt: skip
    """A draft of a message made of its parts. Raises `Malformed`, which names every part that is wrong."""
    if not sender:
        raise mime.refusal(
            "sender", "Nobody is named as the sender: give from_email to send or to open, or to the connection."
        )
    return compose.draft(
        new_id(), sender=sender, to=texts(to), cc=texts(cc), bcc=texts(bcc), reply_to=texts(reply_to),
        headers=tuple((headers or {}).items()), attachments=[_attachment(it) for it in attachments or ()], **others,
    )  # fmt: skip


def ready(message: Message | bytes, *, sender: str, to: Texts, key: str, **common: Any) -> Draft:
    """A draft of a message that others have built; it goes as it is."""
    if not isinstance(message, bytes | Message):
        raise mime.refusal("message", "A ready message is an email.message.EmailMessage, or bytes.")
    if not key and not isinstance(message, bytes):
        key = str(message.get("Secondpost-Idempotency-Key", ""))
    content = rfc5322.crlf(message) if isinstance(message, bytes) else mime.content_of(message, key=key)
    if b"\0" in content:
        raise mime.refusal("message", "The message contains a NUL byte.")
    summary = rfc5322.summarize(rfc5322.split(content)[0])
    key = key or summary.private.get("secondpost-idempotency-key", "")
    it = compose.draft(0, sender=sender or summary.from_email, to=texts(to) or _named(summary), key=key, **common)
    it.id, it.content, it.digest = new_id(), content, ""
    return it


def texts(given: Texts) -> tuple[str, ...]:
    return ((given,) if given else ()) if isinstance(given, str) else tuple(given or ())


def _attachment(given: Any) -> dict[str, str]:
    """From a mapping, where text is base64, or (name, bytes) or (name, bytes, type)."""
    kinds: Any = (bytes, bytearray, memoryview)
    if isinstance(given, tuple):
        given = dict(zip(("filename", "content", "content_type"), given, strict=False))
    elif isinstance(given, Mapping):
        kinds = (*kinds, str)
    content = given.get("content", b"") if isinstance(given, Mapping) else None
    if not isinstance(content, kinds) or given.keys() - _OF_A_FILE:
        raise mime.refusal("attachments", WHAT_A_FILE_IS)
    if not isinstance(content, str):
        content = base64.b64encode(content).decode()
    return {**given, "content": content}


def _named(summary: rfc5322.Summary) -> tuple[str, ...]:
    found = (*summary.to, *summary.cc, *summary.bcc)
    if not found:
        raise Refusal(554, "5.5.1", "The message names no recipient. Nothing was stored; give `to`.", "to")
    return found
