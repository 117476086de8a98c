"""A message taken apart, for providers that do not take it as it is: its text, HTML, images, files and fields.

Rule: lossless. What has no place in the parts makes `whole`, and then the message is refused rather than mutilated.
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from email.header import decode_header, make_header
from email.message import Message as Mime
from email.parser import BytesParser
from email.policy import compat32
from functools import cached_property
from itertools import chain
from mimetypes import MimeTypes
from typing import Any, Final

from secondpost.core import mailboxes, words
from secondpost.core.fields import FIELD
from secondpost.core.ids import id_text
from secondpost.core.message import Message, split
from secondpost.mailers.base import Abilities, Parcel

# Fields that have a place of their own in a request, and those that belong to the way here.
_PLACED: Final = frozenset({
    b"from", b"to", b"cc", b"bcc", b"reply-to", b"subject", b"date", b"message-id", b"mime-version", b"received",
    b"return-path", b"dkim-signature", b"authentication-results", b"arc-seal", b"arc-message-signature",
    b"arc-authentication-results",
})  # fmt: skip
# Their parts only mean something together.
_INDIVISIBLE: Final = {
    "multipart/signed": "signed", "multipart/encrypted": "encrypted", "multipart/report": "a report",
    "application/pkcs7-mime": "encrypted", "application/x-pkcs7-mime": "encrypted",
}  # fmt: skip
_NOT_TOLD: Final = {"name", "boundary", "type", "start", "x-unix-mode"}  # parameters of a type that say nothing more
_TYPES: Final = MimeTypes()  # the built-in table: the machine has no say


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A name, which may be empty, and an address."""

    name: str
    email: str


def field_text(boxes: Sequence[Mailbox]) -> str:
    """Mailboxes as a header field writes them, in UTF-8: for providers that want one text."""
    return ", ".join(f"{_quoted(box.name)} <{box.email}>" if box.name else box.email for box in boxes)


def objects(boxes: Sequence[Mailbox], email: str = "email", name: str = "name") -> list[dict[str, str]]:
    """Mailboxes as JSON objects, by the provider's words for the two."""
    return [{email: box.email} | ({name: box.name} if box.name else {}) for box in boxes]


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """An attachment, or an image within the HTML (`inline`)."""

    name: str
    type: str  # without parameters
    data: bytes
    cid: str = ""  # its Content-ID, without < and >
    inline: bool = False
    parameters: tuple[tuple[str, str], ...] = ()  # of its type: charset, method, …

    @property
    def full_type(self) -> str:
        return _full(self.type, self.parameters)

    @property
    def encoded(self) -> str:
        return b64encode(self.data).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Another form of the text: a calendar invite, AMP."""

    type: str
    text: str
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def full_type(self) -> str:
        return _full(self.type, [pair for pair in self.parameters if pair[0] != "charset"])


def _full(kind: str, parameters: Sequence[tuple[str, str]]) -> str:
    return "; ".join([kind, *[f"{name}={value}" for name, value in parameters]])


@dataclass(slots=True, kw_only=True)
class Parts:
    """What a message says, for the recipients of one request."""

    author: Mailbox
    to: tuple[Mailbox, ...] = ()
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    others: tuple[str, ...] = ()  # whom To and Cc name, but who are no recipients
    reply_to: tuple[Mailbox, ...] = ()
    subject: str = ""
    message_id: str = ""
    text: str | None = None
    html: str | None = None
    forms: list[Form] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)  # the sender's own, decoded
    whole: str = ""  # why it cannot be taken apart

    @property
    def inline(self) -> list[File]:
        return [file for file in self.files if file.inline]

    @property
    def attachments(self) -> list[File]:
        return [file for file in self.files if not file.inline]


@dataclass(kw_only=True)
class Letter:
    """What one request carries: a message, and those of its recipients whom this request is for."""

    content: bytes
    sender: str  # the reverse-path
    recipients: tuple[str, ...]
    mark: str = ""  # our id of the message, for look-ups and events
    key: str = ""  # the idempotency key
    can: Abilities = field(default_factory=Abilities)

    @cached_property
    def parts(self) -> Parts:
        """The message taken apart. Costs a walk through all of it."""
        return take_apart(self.content, self.recipients)

    @cached_property
    def headers(self) -> list[tuple[str, str]]:
        """The sender's own fields that the provider carries."""
        left_out = self.can.left_out
        return [
            (name, value)
            for name, value in self.parts.headers
            if name.lower() not in left_out and not ("x-*" in left_out and name.lower().startswith("x-"))
        ]


# ── making letters ──────────────────────────────────────────────────────────────────────────────────────────────────


def letters(parcel: Parcel, content: bytes, can: Abilities) -> list[Letter]:
    """One for each request. What the header shows stays the same for all who get it, wherever that is possible."""
    groups = _chunks(parcel.recipients, can.max_recipients) if can.raw else _alone(parcel, content)
    numbered = [(f"{parcel.key}-{number}" if number and parcel.key else parcel.key) for number in range(len(groups))]
    return [
        Letter(
            content=content, sender=parcel.sender, recipients=group, mark=id_text(parcel.id), key=key, can=can
        )
        for group, key in zip(groups, numbered, strict=True)
    ]  # fmt: skip


def _chunks(recipients: tuple[str, ...], most: int | None) -> list[tuple[str, ...]]:
    most = most or len(recipients)
    return [recipients[start : start + most] for start in range(0, len(recipients), most)]


def _alone(parcel: Parcel, content: bytes) -> list[tuple[str, ...]]:
    """Where a request needs somebody in To, blind copies that nobody visible leads get a request each."""
    if _shown(content).isdisjoint(recipient.casefold() for recipient in parcel.recipients):
        return [(recipient,) for recipient in parcel.recipients]
    return [parcel.recipients]


def _shown(content: bytes) -> set[str]:
    """The addresses that To and Cc name."""
    return {box.email.casefold() for name in (b"to", b"cc") for box in _boxes(split(content)[0], name)}


def content_of(message: Message) -> bytes:
    """All of it. May read from the disk."""
    return b"".join(chain((message.head, message.body), message.tail.blocks() if message.tail else ()))


def with_bcc(letter: Letter) -> bytes:
    """The content with a Bcc field for those whom no field shows: for providers that read recipients from there."""
    shown = _shown(letter.content)
    hidden = ", ".join(recipient for recipient in letter.recipients if recipient.casefold() not in shown)
    return f"Bcc: {hidden}\r\n".encode() + letter.content if hidden else letter.content


def seven_bit(content: bytes) -> bytes:
    """The content in ASCII, for providers that take it as text in JSON; re-encoded only where it is not."""
    if content.isascii():
        return content
    return (
        BytesParser(policy=compat32)
        .parsebytes(content)
        .as_bytes(policy=compat32.clone(linesep="\r\n", cte_type="7bit"))
    )


# ── taking apart ────────────────────────────────────────────────────────────────────────────────────────────────────


def take_apart(content: bytes, recipients: tuple[str, ...]) -> Parts:
    """The parts, with those recipients alone in To, Cc and Bcc; each is in one of them, once."""
    head, _ = split(content)
    parts = Parts(author=next(iter(_boxes(head, b"from")), Mailbox("", "")))
    _share_out(parts, head, recipients)
    for name, value in FIELD.findall(b"\n" + head):
        match name.lower():
            case b"subject":
                parts.subject = _decoded(value)
            case b"message-id":
                parts.message_id = _decoded(value)
            case b"reply-to":
                parts.reply_to += _boxes(b"Reply-To:%b\r\n" % value, b"reply-to")
            case other if other not in _PLACED and not other.startswith(b"content-"):
                parts.headers.append((name.decode(), _decoded(value)))
    _take(BytesParser(policy=compat32).parsebytes(content), parts)
    _settle_inline(parts)
    return parts


def _boxes(head: bytes, field: bytes) -> tuple[Mailbox, ...]:
    values = [value for name, value in FIELD.findall(b"\n" + head) if name.lower() == field]
    return tuple(Mailbox(name, email) for value in values for name, email in mailboxes.mailboxes(value) if email)


def _share_out(parts: Parts, head: bytes, recipients: tuple[str, ...]) -> None:
    left = {recipient.casefold(): recipient for recipient in recipients}
    known = set(left)
    for name in (b"to", b"cc"):
        named = [(box, box.email.casefold()) for box in _boxes(head, name)]
        parts.others += tuple(box.email for box, key in named if key not in known)
        found = tuple(Mailbox(box.name, left.pop(key)) for box, key in named if key in left)
        if name == b"to":
            parts.to = found
        else:
            parts.cc = found
    parts.bcc = tuple(Mailbox("", recipient) for recipient in left.values())
    if not parts.to:  # a request needs somebody there; those in Cc are seen anyway
        parts.to, parts.cc = parts.cc, ()
    if not parts.to and len(parts.bcc) == 1:
        parts.to, parts.bcc = parts.bcc, ()


def _decoded(value: bytes) -> str:
    """A field's whole text, unfolded and decoded; `core.words` bounds it, which would lose References."""
    text = words.unicode(value.strip()).replace("\r", "").replace("\n", "")
    if "=?" not in text:
        return text
    try:
        return str(make_header(decode_header(text)))
    except (LookupError, ValueError):
        return words.decode(value)


def _take(part: Mime, parts: Parts, *, form: bool = False) -> None:
    """Put a part where it belongs. `form`: it is one of several forms of the text."""
    _mend(part)
    kind = part.get_content_type()
    if kind in _INDIVISIBLE:
        parts.whole = _INDIVISIBLE[kind]
    elif part.get_content_maintype() == "multipart" and part.is_multipart():
        for number, inner in enumerate(_inner(part)):
            root = kind == "multipart/alternative" or (form and number == 0)
            _take(inner, parts, form=root)
    elif not _take_text(part, parts, kind, form=form):
        parts.files.append(_file(part, kind, len(parts.files) + 1))


def _mend(part: Mime) -> None:
    """Fields in raw UTF-8, as file names often are, become text; the parser leaves them in a form of its own."""
    for name, value in list(part.raw_items()):
        if name.lower().startswith("content-") and not value.isascii():
            part.replace_header(name, words.unicode(_raw(value)))


def _inner(part: Mime) -> Iterator[Mime]:
    for inner in part.get_payload():
        if isinstance(inner, Mime):
            yield inner


def _take_text(part: Mime, parts: Parts, kind: str, *, form: bool) -> bool:
    """Whether it is the text in one of its forms, which then has its place."""
    if part.get_content_disposition() == "attachment" or not kind.startswith("text/"):
        return False
    if part.get_filename() and not form:
        return False
    if kind == "text/plain" and parts.text is None:
        parts.text = _text(part)
    elif kind == "text/html" and parts.html is None:
        parts.html = _text(part)
    elif form:
        parts.forms.append(Form(type=kind, text=_text(part), parameters=_parameters(part)))
    else:
        return False
    return True


def _text(part: Mime) -> str:
    return words.as_text(_data(part), str(part.get_content_charset("utf-8")))


def _data(part: Mime) -> bytes:
    if part.is_multipart():  # message/rfc822
        return b"\r\n".join(inner.as_bytes(policy=compat32.clone(linesep="\r\n")) for inner in _inner(part))
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _file(part: Mime, kind: str, number: int) -> File:
    name = words.decode((part.get_filename() or "").encode()).replace("/", "_").replace("\\", "_")
    cid = str(part.get("Content-ID", "")).strip().strip("<>")
    shown = bool(cid) and part.get_content_disposition() != "attachment"
    return File(
        name=name or f"part-{number}{_TYPES.guess_extension(kind) or '.bin'}",
        type=kind, data=_data(part), cid=cid, inline=shown, parameters=_parameters(part),
    )  # fmt: skip


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _parameters(part: Mime) -> tuple[tuple[str, str], ...]:
    given: list[Any] = list(part.get_params(failobj=[])[1:])  # a value in RFC 2231 form is a tuple
    return tuple(
        (name.lower(), value) for name, value in given if isinstance(value, str) and name.lower() not in _NOT_TOLD
    )


def _settle_inline(parts: Parts) -> None:
    """An image is within the HTML when the HTML shows it, whatever its disposition says; without HTML none is."""
    html = parts.html
    parts.files = [
        replace(file, inline=bool(html and file.cid and (file.inline or f"cid:{file.cid}" in html)))
        for file in parts.files
    ]
