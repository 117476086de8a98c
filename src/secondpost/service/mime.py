"""Messages that others have built, as bytes for the wire.

Rule: every header field of every part is folded by itself and must come out as exactly one field, whatever the version
of Python thinks of it (CVE-2024-6923 and its kin).
"""

import hashlib
import re
from email.generator import BytesGenerator
from email.header import Header
from email.message import Message
from email.policy import EmailPolicy, Policy, compat32
from email.utils import getaddresses
from io import BytesIO
from typing import Any

from secondpost.core.message import crlf
from secondpost.errors import Refusal


class Given(EmailPolicy):
    """What others have built, and may have signed, keeps its encoding; what they set as plain text gets one."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        if not hasattr(value, "fold") and _is_wide(value):
            value = self.header_factory(name, value)
        return super().fold_binary(name, value)


def _is_wide(value: str) -> bool:
    """Whether it has characters beyond ASCII; bytes of an alphabet that nobody knows are none."""
    try:
        return not value.isascii() and bool(value.encode())
    except UnicodeEncodeError:
        return False


GIVEN = Given(linesep="\r\n", max_line_length=998)
WIDE = GIVEN.clone(utf8=True)  # an address beyond ASCII cannot be written otherwise (RFC 6532)
ELDER = compat32.clone(linesep="\r\n")

_NAMING = ("From", "Sender", "To", "Cc", "Bcc", "Reply-To")
_FIELD = re.compile(rb"[!-9;-~]+:[^\r\n\0]*\r\n(?:[ \t]+[^\s\0][^\r\n\0]*\r\n)*")


def refusal(field: str, text: str) -> Refusal:
    return Refusal(550, "5.6.0", f"{text} Nothing was stored.", field)


def content_of(message: Message, *, key: str = "") -> bytes:
    """A message that others have built, for the wire; with a key, the same bytes every time. Raises `Refusal`."""
    try:
        if key:
            bound(message, key)
        policy = _policy(message)
        _check(message, policy)
        return crlf(_flat(message, policy))
    except Refusal:
        raise
    except Exception as error:  # the library has no root for what goes wrong in it
        raise refusal(
            "message", f"The message cannot be written: {type(error).__name__}: {str(error)[:200]}."
        ) from None


def _flat(message: Message, policy: Policy) -> bytes:
    """Not by `as_bytes`, of which Django's messages have one of their own."""
    written = BytesIO()
    BytesGenerator(written, mangle_from_=False, policy=policy).flatten(message)
    return written.getvalue()


def bound(message: Message, key: str) -> None:
    """Give each multipart a boundary made of the key and of all that it holds, so that nothing in it can name it."""
    parts = list(message.walk())
    told = [part.get_payload() for part in parts if not part.is_multipart()]
    seed = hashlib.sha256(repr((key, told)).encode("utf-8", "surrogateescape")).hexdigest()[:40]
    for number, part in enumerate(parts):
        if part.get_content_maintype() == "multipart" and part.get_boundary() is None:
            part.set_boundary(f"=_{seed}_{number}")


def _policy(message: Message) -> Policy:
    if _is_elder(message):
        return ELDER
    named = [str(value) for name in _NAMING for value in message.get_all(name, ())]
    return WIDE if any(_is_wide(address) for _, address in getaddresses(named)) else GIVEN


def _is_elder(message: Message) -> bool:
    """Whether it has headers made by `email.header`, which only the elder policy can write."""
    return any(isinstance(value, Header) for part in message.walk() for _, value in part.raw_items())


def _check(message: Message, policy: Policy) -> None:
    for part in message.walk():
        for name, value in part.raw_items():
            _check_field(name, policy.fold_binary(name, value))


def _check_field(name: str, folded: bytes) -> None:
    if not _FIELD.fullmatch(folded):
        raise refusal("headers", f"The header field {name[:80]!r} would not be one field: it has a line break in it.")
