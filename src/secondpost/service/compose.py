"""Building messages from the parts that a person or a program gives; nothing in them can add a header or an address.

Rule: what is built is taken apart again and must have exactly the fields that were meant (CVE-2024-6923 and its kin).
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from email.headerregistry import HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from secondpost.core import address
from secondpost.core import message as rfc5322
from secondpost.core.fields import FIELD
from secondpost.core.message import Message
from secondpost.errors import Refusal
from secondpost.service import form, mime
from secondpost.service.form import Attachment, Mailbox
from secondpost.service.submit import Draft

TAGS = 200  # characters of all tags of a message together


class Kinds(HeaderRegistry):
    """The standard library makes a class for every field of every message; here, once for each of our few names."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = super().__getitem__(name)
        return self._made[name]


POLICY = SMTP.clone(max_line_length=998, cte_type="7bit", header_factory=Kinds())


def draft(
    id: int, *, sender: str,
    to: Sequence[str] = (), cc: Sequence[str] = (), bcc: Sequence[str] = (), reply_to: Sequence[str] = (),
    subject: str = "", text: str = "", html: str = "",
    headers: Sequence[tuple[str, str]] = (), attachments: Sequence[Mapping[str, str]] = (),
    priority: str = "", key: str = "", tag: str = "", tags: Sequence[str] = (),
    metadata: Mapping[str, str] | None = None, send_at: datetime | None = None, connection: str = "",
) -> Draft:  # fmt: skip
    """A draft of a built message. Raises `Malformed`, which names every part that is wrong."""
    check = form.Check()
    author = check(form.mailbox, "sender", sender, default=("", ""))
    boxes = _boxes(check, to=to, cc=cc, bcc=bcc, reply_to=reply_to)
    fields = [("From", form.written([author])), *_lists(boxes), *_own(check, subject, headers)]
    files = _files(check, attachments, text=text, html=html)
    it = Draft(
        id=id, sender=author[1], recipients=_envelope(boxes), content=b"", entrypoint="cli", trusted=True,
        priority=check(form.priority, "priority", priority, default=None),
        key=check(form.line, "key", key, 200, default=""),
        tag=check(form.line, "tag", ", ".join([*([tag] if tag else []), *tags]), TAGS, default=""),
        metadata=check(form.metadata, "metadata", metadata or {}, default=dict[str, str]()),
        due=send_at, connection=connection,
    )  # fmt: skip
    check.done()
    built = _built(text, html, files)
    if key:
        mime.bound(built, key)
        it.digest = _digest(it, (fields, text, html), files)
    it.content = _serialize(fields, built)
    return it


def _boxes(check: form.Check, **listed: Sequence[str]) -> dict[str, list[Mailbox]]:
    if not (listed["to"] or listed["cc"] or listed["bcc"]):
        check.note("to", "There is no recipient: name at least one.")
    return {name: form.mailboxes(name, boxes, check) for name, boxes in listed.items()}


def _envelope(boxes: Mapping[str, list[Mailbox]]) -> tuple[str, ...]:
    return address.once([box for name in ("to", "cc", "bcc") for _, box in boxes[name]])


def _own(check: form.Check, subject: str, headers: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The fields that the sender writes."""
    yield "Subject", check(form.subject, "subject", subject, default="")
    for name, value in headers:
        yield check(form.header, f"headers.{name[:80]}", name, value, default=("X-Wrong", ""))


def _files(check: form.Check, attachments: Sequence[Mapping[str, str]], **prose: str) -> list[Attachment]:
    for name, long in prose.items():
        check(form.prose, name, long, default="")
    wrong = Attachment(b"", "text", "plain", "", "", {})
    return [
        check(form.attachment, f"attachments[{number}]", attachment, default=wrong)
        for number, attachment in enumerate(attachments)
    ]


def _digest(it: Draft, words: object, files: Sequence[Attachment]) -> str:
    """What was given, as a hash."""
    told = (words, it.sender, it.recipients, it.priority, it.tag, it.metadata, it.due, [file[1:] for file in files])
    digest = hashlib.sha256(repr(told).encode())
    for file in files:
        digest.update(hashlib.sha256(file.content).digest())
    return digest.hexdigest()


def _lists(boxes: Mapping[str, list[Mailbox]]) -> list[tuple[str, str]]:
    """The fields that name people. Bcc stays in the envelope."""
    named = (("To", "to"), ("Cc", "cc"), ("Reply-To", "reply_to"))
    return [(field, form.written(boxes[name])) for field, name in named if boxes[name]]


def checked(draft: Draft) -> Draft:
    """The draft itself, when its addresses are addresses. Raises `Refusal`."""
    if not draft.recipients:
        raise form.wrong("to", "There is no recipient: name at least one.", 554, "5.5.1")
    for item in (draft.sender, *draft.recipients):
        if item:
            form.parse("to", item)
    return draft


def whole(message: Message) -> bytes:
    """The whole content as bytes, the tail included."""
    return message.head + message.body + b"".join(message.tail.blocks() if message.tail else ())


def _built(text: str, html: str, files: Sequence[Attachment]) -> EmailMessage:
    """Text, HTML with the images that it shows, and what is attached."""
    built = EmailMessage(policy=POLICY)
    if text or not html:
        built.set_content(text)
    if html and text:
        built.add_alternative(html, subtype="html")
    elif html:
        built.set_content(html, subtype="html")
    for file in files:
        if html and file.inline:
            _show(built, file)
    for file in files:
        if not (html and file.inline):
            cid = f"<{file.inline}>" if file.inline else None
            built.add_attachment(
                file.content, maintype=file.main, subtype=file.sub, filename=file.filename, cid=cid,
                params=_parameters(file),
            )  # fmt: skip
    return built


def _parameters(file: Attachment) -> dict[str, str]:
    """Text beyond ASCII says that it is UTF-8, where it is: readers would take it for something else."""
    given = dict(file.parameters)
    if file.main != "text" or file.content.isascii() or "charset" in given:
        return given
    try:
        file.content.decode()
    except UnicodeDecodeError:
        return given
    return given | {"charset": "utf-8"}


def _show(built: EmailMessage, file: Attachment) -> None:
    """An image inside the HTML (RFC 2387)."""
    body = built.get_body(("html",))
    assert isinstance(body, EmailMessage)
    holder = next((part for part in built.walk() if part.get_content_type() == "multipart/related"), body)
    assert isinstance(holder, EmailMessage)
    holder.add_related(
        file.content, maintype=file.main, subtype=file.sub, filename=file.filename, cid=f"<{file.inline}>",
        disposition="inline", params=_parameters(file),
    )  # fmt: skip


def _serialize(fields: Sequence[tuple[str, str]], built: EmailMessage) -> bytes:
    content = "".join([f"{name}: {value}\r\n" for name, value in fields]).encode() + built.as_bytes()
    head, _ = rfc5322.split(content)
    rfc5322.check_head(head)
    meant = [name.lower() for name in (*[name for name, _ in fields], *built.keys())]
    found = [name.decode().lower() for name, _ in FIELD.findall(b"\n" + head)]
    if meant != found:
        raise Refusal(
            550, "5.6.0", "A value would have added a header field of its own. Nothing was stored.", "headers"
        )
    return content
