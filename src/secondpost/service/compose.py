"""Building messages from the parts that a person or a program gives; nothing in them can add a header or an address.

Rule: what is built is taken apart again and must have exactly the fields that were meant (CVE-2024-6923 and its kin).
"""

import base64
import binascii
import mimetypes
import re
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from secondpost.core import address, words
from secondpost.core import message as rfc5322
from secondpost.core.fields import FIELD
from secondpost.core.message import Message
from secondpost.core.priority import Priority
from secondpost.errors import Refusal
from secondpost.service.submit import Draft

Mailbox = tuple[str, str]  # name, address

POLICY = SMTP.clone(max_line_length=998, cte_type="7bit")
FORBIDDEN = dict.fromkeys((*range(32), 0x7F, 0x85, 0x2028, 0x2029))
TYPE = re.compile(r"(?!multipart/|message/)[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")


def draft(
    id: int,
    *,
    sender: str,
    to: Sequence[str],
    subject: str = "",
    text: str = "",
    html: str = "",
    attachments: Sequence[Mapping[str, str]] = (),
    priority: str = "",
    key: str = "",
    tag: str = "",
    connection: str = "",
) -> Draft:
    """A draft of a built message. Raises `Refusal` that names the field and what is wrong with it."""
    author, recipients = _mailbox("sender", sender), [_mailbox("to", item) for item in to]
    fields = {"From": _mailboxes([author]), "To": _mailboxes(recipients), "Subject": _subject(subject)}
    built = EmailMessage(policy=POLICY)
    _fill(built, text, html)
    for attachment in attachments:
        _attach(built, attachment)
    return checked(
        Draft(
            id=id,
            sender=author[1],
            recipients=tuple([mailbox for _, mailbox in recipients]),
            content=_serialize(fields, built),
            entrypoint="cli",
            trusted=True,
            priority=_priority(priority),
            key=_line("key", key),
            tag=_line("tag", tag),
            connection=connection,
        )
    )


def checked(draft: Draft) -> Draft:
    """The draft itself, when its addresses are addresses. Raises `Refusal`."""
    if not draft.recipients:
        raise Refusal(554, "5.5.1", "There is no recipient. Nothing was stored; name at least one.", "to")
    for item in (draft.sender, *draft.recipients):
        if item:
            _parse("to", item)
    return draft


def whole(message: Message) -> bytes:
    """The whole content as bytes, the tail included."""
    return message.head + message.body + b"".join(message.tail.blocks() if message.tail else ())


def _parse(field: str, text: str) -> address.Address:
    try:
        return address.parse(text)
    except address.AddressError as error:
        raise Refusal(553, "5.1.3", f"{error} Nothing was stored.", field) from None


def _mailbox(field: str, text: str) -> Mailbox:
    """One mailbox: an address, or a name and an address in angle brackets."""
    name, bracket, rest = _line(field, text).rpartition("<")
    parsed = _parse(field, rest.removesuffix(">").strip() if bracket else text.strip())
    return name.strip().strip('"'), parsed.text


def _mailboxes(boxes: Sequence[Mailbox]) -> str:
    return ",\r\n ".join([f"{words.encode_phrase(name)}\r\n <{box}>" if name else box for name, box in boxes])


def _subject(text: str) -> str:
    """In words of at most 75 characters (RFC 2047), which the library does not keep to in lines as long as ours."""
    plain = _line("subject", text)
    if len(plain) > 900:
        raise Refusal(550, "5.6.0", "The subject is longer than 900 characters. Nothing was stored.", "subject")
    return plain if plain.isascii() and "=?" not in plain else words.encode_phrase(plain)


def _line(field: str, text: str) -> str:
    if text.translate(FORBIDDEN) != text:
        raise Refusal(
            550, "5.6.0", f"The {field} contains a line break or a control character. Nothing was stored.", field
        )
    return text


def _priority(word: str) -> Priority | None:
    try:
        return Priority.parse(word) if word else None
    except ValueError as error:
        raise Refusal(550, "5.6.0", f"{error}. Nothing was stored.", "priority") from None


def _fill(built: EmailMessage, text: str, html: str) -> None:
    if text or not html:
        built.set_content(text)
    if html and text:
        built.add_alternative(html, subtype="html")
    elif html:
        built.set_content(html, subtype="html")


def _attach(built: EmailMessage, attachment: Mapping[str, str]) -> None:
    name = _line("attachment name", attachment.get("filename") or "attachment")
    try:
        content = base64.b64decode(attachment.get("content") or "", validate=True)
    except binascii.Error:
        raise Refusal(
            550, "5.6.0", f"The attachment {name!r} is not valid base64. Nothing was stored.", "attachments"
        ) from None
    kind = attachment.get("content_type") or mimetypes.guess_type(name)[0] or "application/octet-stream"
    if not TYPE.fullmatch(kind):
        raise Refusal(
            550, "5.6.0", f"{kind[:80]!r} is not a content type such as image/png. Nothing was stored.", "attachments"
        )
    main, _, sub = kind.partition("/")
    built.add_attachment(content, maintype=main, subtype=sub, filename=name)


def _serialize(fields: Mapping[str, str], built: EmailMessage) -> bytes:
    content = "".join([f"{name}: {value}\r\n" for name, value in fields.items()]).encode() + built.as_bytes()
    head, _ = rfc5322.split(content)
    meant = [name.lower() for name in (*fields, *built.keys())]
    found = [name.decode().lower() for name, _ in FIELD.findall(b"\n" + head)]
    if meant != found:
        raise Refusal(
            550, "5.6.0", "A value would have added a header field of its own. Nothing was stored.", "headers"
        )
    return content


def test_parts(to: str, *, plain: bool, connection: str) -> dict[str, Any]:
    """Subject and parts of a test message, as the tutorial words them."""
    text = (
        "Congratulations!\n\nThis message was sent by Secondpost as a test"
        f" of the connection {connection}. If you read it, the connection works.\n"
    )
    if plain:
        return {"subject": f"Secondpost: Test email to {to}", "text": text}
    html = (
        '<!doctype html><html><body style="margin:0;background:#f4f5f7;font-family:system-ui,sans-serif;color:#1c2430">'
        '<div style="max-width:36rem;margin:2rem auto;padding:2rem;background:#fff;border-radius:12px">'
        '<h1 style="font-size:1.4rem;margin:0 0 1rem">Congratulations!</h1>'
        "<p>This message was sent by Secondpost as a test of the connection "
        f"<strong>{_escape(connection)}</strong>.</p><p>If you read it, the connection works.</p></div></body></html>"
    )
    return {"subject": f"Secondpost: HTML Test email to {to}", "text": text, "html": html}


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
