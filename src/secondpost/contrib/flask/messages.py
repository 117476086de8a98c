"""Messages in the shapes that Flask apps have: Flask-Mail's `Message`, Flask-Mailman's `EmailMessage`.

Rule: what cannot be done is refused, not dropped.
"""

from collections.abc import Iterable, Mapping, Sequence
from mimetypes import guess_type
from pathlib import Path
from typing import Any, NamedTuple

from flask import current_app

from secondpost.contrib.flask.settings import person
from secondpost.errors import Refusal

Person = str | tuple[str, str]


def refuse(**given: Any) -> None:
    """Raises `Refusal` when one of these is given."""
    if wrong := [name for name, value in given.items() if value]:
        raise Refusal(550, "5.6.0", f"Secondpost cannot do {', '.join(wrong)}. Nothing was sent; leave it out.")


class _Common:
    """What both shapes have beside: `priority`, `tags`, `metadata` and `key` of `secondpost.Post.send`."""

    priority = ""
    tags: Sequence[str] = ()
    metadata: Mapping[str, str] | None = None
    key = ""

    def _beside(self) -> dict[str, Any]:
        return {"priority": self.priority, "tags": self.tags, "metadata": self.metadata, "key": self.key}


class Attachment(NamedTuple):
    """As Flask-Mail's."""

    filename: str | None = None
    content_type: str | None = None
    data: str | bytes | None = None
    disposition: str | None = None
    headers: Mapping[str, str] | None = None


class Message(_Common):
    """As Flask-Mail's."""

    def __init__(
        self, subject: str = "", recipients: Iterable[Person] | None = None, body: str | None = None,
        html: str | None = None, alts: Mapping[str, str] | None = None, sender: Person | None = None,
        cc: Iterable[Person] | None = None, bcc: Iterable[Person] | None = None,
        attachments: Iterable[Any] | None = None, reply_to: Person | None = None, date: float | None = None,
        charset: str | None = None, extra_headers: Mapping[str, str] | None = None,
        mail_options: Sequence[str] | None = None, rcpt_options: Sequence[str] | None = None,
    ) -> None:  # fmt: skip
        refuse(date=date, charset=charset and charset.lower() != "utf-8", mail_options=mail_options,
               rcpt_options=rcpt_options, alts=set(alts or ()) - {"html"})  # fmt: skip
        self.subject, self.body, self.html = subject, body, html or (alts or {}).get("html")
        self.recipients, self.cc, self.bcc = list(recipients or ()), list(cc or ()), list(bcc or ())
        self.sender, self.reply_to = sender, reply_to
        self.extra_headers = dict(extra_headers or {})
        self.attachments: list[Any] = []
        for it in attachments or ():
            self._add(it)

    def _add(self, it: Any) -> None:
        """An attachment of Flask-Mail's shape, or one as `secondpost.Post.send` takes it."""
        if hasattr(it, "disposition"):
            self.attach(it.filename, it.content_type, it.data, it.disposition, it.headers)
        else:
            self.attachments.append(it)

    def add_recipient(self, recipient: Person) -> None:
        self.recipients.append(recipient)

    def attach(
        self, filename: str | None = None, content_type: str | None = None, data: str | bytes | None = None,
        disposition: str | None = None, headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        refuse(headers=set(headers or ()) - {"Content-ID"})
        name = filename or "attachment"
        content = data.encode() if isinstance(data, str) else data or b""
        file = {"filename": name, "content": content, "content_type": content_type or guess_type(name)[0] or ""}
        if (disposition or "attachment") == "inline" and headers:
            file["content_id"] = headers["Content-ID"]
        self.attachments.append(file)

    def send(self, connection: Any) -> None:
        connection.send(self)

    def parts(self) -> dict[str, Any]:
        return {
            "to": people(self.recipients), "cc": people(self.cc), "bcc": people(self.bcc), "subject": self.subject,
            "from_email": person(self.sender or ""), "reply_to": people([self.reply_to] if self.reply_to else ()),
            "text": self.body or "", "html": self.html or "", "headers": self.extra_headers,
            "attachments": self.attachments, **self._beside(),
        }  # fmt: skip


class EmailMessage(_Common):
    """As Flask-Mailman's, which is as Django's."""

    content_subtype = "plain"

    def __init__(
        self, subject: str = "", body: str = "", from_email: Person | None = None, to: Sequence[Person] | None = None,
        bcc: Sequence[Person] | None = None, connection: Any = None, attachments: Iterable[Any] | None = None,
        headers: Mapping[str, str] | None = None, cc: Sequence[Person] | None = None,
        reply_to: Sequence[Person] | None = None,
    ) -> None:  # fmt: skip
        if wrong := [
            name for name, it in (("to", to), ("cc", cc), ("bcc", bcc), ("reply_to", reply_to)) if isinstance(it, str)
        ]:
            raise TypeError(f"{wrong[0]} must be a list or a tuple")
        self.subject, self.body, self.from_email = subject, body, from_email
        self.to, self.cc, self.bcc, self.reply_to = (
            list(to or ()),
            list(cc or ()),
            list(bcc or ()),
            list(reply_to or ()),
        )
        self.extra_headers, self.connection = dict(headers or {}), connection
        self.attachments: list[Any] = []
        self.html = ""
        for attachment in attachments or ():
            self.attach(*attachment)

    def recipients(self) -> list[Person]:
        return [*self.to, *self.cc, *self.bcc]

    def attach(self, filename: str, content: str | bytes, mimetype: str | None = None) -> None:
        data = content.encode() if isinstance(content, str) else content
        self.attachments.append((filename, data, mimetype or guess_type(filename)[0] or ""))

    def attach_file(self, path: str | Path, mimetype: str | None = None) -> None:
        self.attach(Path(path).name, Path(path).read_bytes(), mimetype)

    def send(self, fail_silently: bool = False) -> int:
        """1 when it is sent, or will be."""
        connection = self.connection or current_app.extensions["secondpost"].get_connection(fail_silently=fail_silently)
        sent: int = connection.send_messages([self])
        return sent

    def parts(self) -> dict[str, Any]:
        is_html = self.content_subtype == "html"
        return {
            "to": people(self.to), "cc": people(self.cc), "bcc": people(self.bcc), "subject": self.subject,
            "from_email": person(self.from_email or ""), "reply_to": people(self.reply_to),
            "text": "" if is_html else self.body, "html": self.body if is_html else self.html,
            "headers": self.extra_headers, "attachments": self.attachments, **self._beside(),
        }  # fmt: skip


class EmailMultiAlternatives(EmailMessage):
    """With HTML beside the text."""

    def attach_alternative(self, content: str, mimetype: str) -> None:
        refuse(**{mimetype: mimetype != "text/html"})
        self.html = content


def people(given: Iterable[Person]) -> list[str]:
    return [person(one) for one in given]


def handed(message: Any) -> tuple[Any, dict[str, Any]]:
    """What a post's `send` is given: parts of our messages and of Flask-Mail's; Flask-Mailman's are built already."""
    if hasattr(message, "send_to"):
        message = _taken_over(message)
    if hasattr(message, "parts"):
        return None, message.parts()
    return message.message(), {"to": people(message.recipients()), "from_email": person(message.from_email or "")}


def _taken_over(theirs: Any) -> Message:
    """Flask-Mail's message as ours: what theirs writes is not always a message, and hides line breaks."""
    return Message(
        theirs.subject, theirs.recipients, theirs.body, alts=theirs.alts, sender=theirs.sender, cc=theirs.cc,
        bcc=theirs.bcc, attachments=theirs.attachments, reply_to=theirs.reply_to, date=theirs.date,
        charset=theirs.charset, extra_headers=theirs.extra_headers, mail_options=theirs.mail_options,
        rcpt_options=theirs.rcpt_options,
    )  # fmt: skip
