"""SendGrid's POST /v3/mail/send. See https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi.responses import JSONResponse
from pydantic import Field
from starlette.responses import Response

from secondpost.core.message import id_text
from secondpost.entrypoints.http_api.gate import bearer
from secondpost.entrypoints.http_api.letters import Letter
from secondpost.entrypoints.http_api.look_alikes.common import Content, LookAlike, Shape, in_parts, once, unavailable
from secondpost.entrypoints.http_api.problems import Problem
from secondpost.store.base import Receipt

Moment = Annotated[int, Field(ge=0, le=253_402_300_799)]  # seconds since 1970, in years of four digits


class Mailbox(Shape):
    email: str
    name: str | None = None

    @property
    def text(self) -> str:
        return f"{self.name} <{self.email}>" if self.name else self.email


class Personalization(Shape):
    to: list[Mailbox]
    cc: list[Mailbox] = Field([])
    bcc: list[Mailbox] = Field([])
    subject: str | None = None
    headers: dict[str, str] = Field({})
    custom_args: dict[str, str] = Field({})
    send_at: Moment | None = None


class Part(Shape):
    type: Literal["text/plain", "text/html"]
    value: str


class Attached(Shape):
    content: str
    filename: str
    type: str | None = None
    disposition: Literal["attachment", "inline"] | None = None
    content_id: str | None = None


class Mail(Shape):
    personalizations: list[Personalization]
    from_: Mailbox = Field(alias="from")
    reply_to: Mailbox | None = None
    reply_to_list: list[Mailbox] = Field([])
    subject: str | None = None
    content: list[Part] = Field([])
    attachments: list[Attached] = Field([])
    headers: dict[str, str] = Field({})
    categories: list[str] = Field([])
    custom_args: dict[str, str] = Field({})
    send_at: Moment | None = None
    mail_settings: dict[str, dict[str, Any]] = Field({})
    tracking_settings: dict[str, dict[str, Any]] = Field({})


def read(body: bytes) -> Sequence[Content]:
    mail = Mail.model_validate_json(body)
    for group in ("mail_settings", "tracking_settings"):
        for name, setting in getattr(mail, group).items():
            if setting.get("enable"):
                raise unavailable(f"{group}.{name}")
    if not 1 <= len(mail.personalizations) <= 1000:
        raise Problem(422, "There are 1 to 1000 personalizations.", [("personalizations", "1 to 1000 are needed.")])
    return [_letter(mail, each) for each in mail.personalizations]


def _letter(mail: Mail, each: Personalization) -> Letter:
    parts = once("content", [(part.type, part.value) for part in mail.content])
    at = each.send_at or mail.send_at
    answers = [*([mail.reply_to] if mail.reply_to else []), *mail.reply_to_list]
    return in_parts(
        mail.from_.text,
        to=[box.text for box in each.to],
        cc=[box.text for box in each.cc],
        bcc=[box.text for box in each.bcc],
        reply_to=[box.text for box in answers],
        subject=each.subject or mail.subject or "",
        text=parts.get("text/plain", ""),
        html=parts.get("text/html", ""),
        headers=mail.headers | each.headers,
        tags=mail.categories,
        metadata=mail.custom_args | each.custom_args,
        send_at=datetime.fromtimestamp(at, UTC) if at else None,
        attachments=[_attached(file) for file in mail.attachments],
    )


def _attached(file: Attached) -> dict[str, str]:
    inline = file.content_id or "" if file.disposition == "inline" else ""
    return {"filename": file.filename, "content": file.content, "content_type": file.type or "", "content_id": inline}


def taken(receipts: Sequence[Receipt], _: Sequence[Content]) -> Response:
    return Response(status_code=202, headers={"X-Message-Id": id_text(receipts[0].id)})


def refused(told: Problem) -> Response:
    faults = [{"message": text, "field": name or None, "help": None} for name, text in told.errors]
    status = 400 if told.status in {422, 409, 415} else told.status
    return JSONResponse({"errors": faults or [{"message": told.detail, "field": None, "help": None}]}, status)


ROUTES = (LookAlike(path="/v3/mail/send", secret=bearer, read=read, taken=taken, refused=refused),)
