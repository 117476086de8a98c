"""Providers' clients for Python that make the request themselves: how each sends a message of Django's."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from email.mime.base import MIMEBase
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests import django_project  # noqa: F401  # isort: skip  # Django has to be configured first
from django.conf import settings
from sendlayer import SendLayer, SendLayerError
from smtpcom import SMTPAPIClient
from smtpcom.helpers.mail import Mail

from tests.mailers.beside_anymail import seen
from tests.mailers.beside_anymail.seen import Seen, attached, objects
from tests.providers.server import SECRET, Call

settings.ZOHO_ZEPTOMAIL_API_KEY_TOKEN = f"Zoho-enczapikey {SECRET}"
from zoho_zeptomail.backend.message import ZeptoMailEmailMessage  # noqa: E402  # reads it at once
from zoho_zeptomail.emails import SendEmail  # noqa: E402


class CannotSayError(Exception):
    """The client has no place for something of the message."""


@dataclass(frozen=True)
class Client:
    """How it sends, and how what it asks is read. `rest`: what must be the same to the letter."""

    send: Callable[[str, Any], Any]  # by the provider's URL
    read: Callable[[Call], Seen]
    rest: Callable[[Call], Any] = lambda _: None
    refuses: tuple[type[Exception], ...] = ()


# ── SendLayer ───────────────────────────────────────────────────────────────────────────────────────────────────────


def send_sendlayer(url: str, message: Any) -> None:
    """Files go by their paths. Of forms of the text it knows plain and HTML."""
    forms = {kind: text for text, kind in message.alternatives}
    if not forms.keys() <= {"text/html"}:
        raise CannotSayError(str(forms.keys()))
    client = SendLayer(SECRET)
    client.Emails.client.base_url = f"{url}/api/v1"
    with tempfile.TemporaryDirectory() as folder:
        client.Emails.send(
            sender=_people([message.from_email])[0], to=_people(message.to), cc=_people(message.cc),
            bcc=_people(message.bcc), reply_to=_people(message.reply_to), subject=message.subject, text=message.body,
            html=forms.get("text/html"), headers=message.extra_headers,
            attachments=[_file(one, Path(folder)) for one in message.attachments],
        )  # fmt: skip


def _people(texts: list[str]) -> list[dict[str, str]]:
    return [{"email": email, "name": name} if name else {"email": email} for name, email in seen.pairs(texts)]


def _file(one: Any, folder: Path) -> dict[str, str]:
    given: Any = one
    if isinstance(one, MIMEBase):
        given = one.get_filename(), one.get_payload(decode=True), one.get_content_type()
    name, content, kind = given
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return {"path": str(path), "type": kind}


def read_sendlayer(call: Call) -> Seen:
    it = call.json
    assert it["ContentType"] == ("HTML" if "HTMLContent" in it else "Text")
    return Seen(
        sender=objects([it["From"]])[0], to=objects(it["To"]), cc=objects(it.get("CC")), bcc=objects(it.get("BCC")),
        reply_to=objects(it.get("ReplyTo")), subject=it.get("Subject", ""), text=it.get("PlainContent"),
        html=it.get("HTMLContent"), headers=it.get("Headers", {}),
        files=[
            attached(one["Filename"], one["Type"], one["Content"],
                     one["ContentId"] if one["Disposition"] == "inline" else "")
            for one in it.get("Attachments", [])
        ],
    )  # fmt: skip


# ── SMTP.com ────────────────────────────────────────────────────────────────────────────────────────────────────────


def send_smtpcom(url: str, message: Any) -> None:
    ((name, email),) = seen.pairs(message.from_email)
    everybody = [address for _, address in seen.pairs(message.recipients())]
    mime = message.message().as_bytes(linesep="\r\n").decode()
    SMTPAPIClient(SECRET, url).send(
        Mail(channel="shop", from_email=(email, name or None), to_emails=everybody, mime=mime)
    )


def read_smtpcom(call: Call) -> Seen:
    return seen.mime(call.json["mime"].encode(), [one["address"] for one in call.json["recipients"]["to"]])


# ── ZeptoMail ───────────────────────────────────────────────────────────────────────────────────────────────────────


def send_zeptomail(url: str, message: Any) -> None:
    try:
        made = ZeptoMailEmailMessage(message)
    except Exception as error:  # it has none of its own
        raise CannotSayError(str(error)) from error
    with patch.object(SendEmail, "get_sendmail_url", lambda *_: f"{url}/v1.1/email"):
        assert made.send() == 1


def read_zeptomail(call: Call) -> Seen:
    it = call.json
    people = {name: objects([one["email_address"] for one in it.get(name, [])], "address") for name in BOXES}
    return Seen(
        sender=objects([it["from"]], "address")[0], **people, reply_to=objects(it.get("reply_to"), "address"),
        subject=it.get("subject", ""), text=it.get("textbody"), html=it.get("htmlbody"),
        headers=it.get("mime_headers", {}),
        files=[attached(one["name"], one["mime_type"], one["content"]) for one in it.get("attachments", [])]
        + [attached("", one["mime_type"], one["content"], one["cid"]) for one in it.get("inline_images", [])],
    )  # fmt: skip


BOXES = ("to", "cc", "bcc")

CLIENTS = {
    "sendlayer": Client(send_sendlayer, read_sendlayer, refuses=(CannotSayError, SendLayerError)),
    "smtpcom": Client(
        send_smtpcom, read_smtpcom, lambda call: {name: call.json[name] for name in call.json if name != "mime"}
    ),
    "zeptomail": Client(send_zeptomail, read_zeptomail, refuses=(CannotSayError,)),
}
