"""Resend's POST /emails and /emails/batch. See https://resend.com/docs/api-reference/emails/send-email."""

import base64
from collections.abc import Sequence
from typing import Any, Literal

from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, Field, TypeAdapter
from starlette.responses import Response

from secondpost.entrypoints.http_api.gate import bearer
from secondpost.entrypoints.http_api.letters import Letter, Mailboxes, as_uuid
from secondpost.entrypoints.http_api.look_alikes.common import Content, LookAlike, Shape, in_parts, once, sentence
from secondpost.entrypoints.http_api.problems import Problem
from secondpost.store.base import Receipt

NAMES = {401: "missing_api_key", 403: "invalid_api_key", 409: "invalid_idempotent_request", 422: "validation_error",
         429: "rate_limit_exceeded", 500: "internal_server_error", 503: "application_error"}  # fmt: skip
Bytes = list[int]  # as some versions of the SDK send a file


class Tag(Shape):
    name: str
    value: str


class Buffer(Shape):
    """What Node makes of one in JSON."""

    type: Literal["Buffer"]
    data: Bytes


class Attached(Shape):
    filename: str = ""
    content: str | Bytes | Buffer
    content_type: str | None = None
    content_id: str | None = None
    inline_content_id: str | None = None


class Email(Shape):
    from_: str = Field(alias="from")
    to: Mailboxes
    subject: str = ""
    cc: Mailboxes | None = None
    bcc: Mailboxes | None = None
    reply_to: Mailboxes | None = None
    text: str | None = None
    html: str | None = None
    headers: dict[str, str] | None = None
    attachments: list[Attached] | None = None
    tags: list[Tag] | None = None
    scheduled_at: AwareDatetime | None = None


def letter(it: Email) -> Letter:
    return in_parts(
        it.from_,
        to=it.to,
        cc=it.cc or [],
        bcc=it.bcc or [],
        reply_to=it.reply_to or [],
        subject=it.subject,
        text=it.text or "",
        html=it.html or "",
        headers=it.headers or {},
        send_at=it.scheduled_at,
        metadata=once("tags", [(tag.name, tag.value) for tag in it.tags or ()]),
        attachments=[_attached(file) for file in it.attachments or ()],
    )


def _attached(file: Attached) -> dict[str, str]:
    content = file.content.data if isinstance(file.content, Buffer) else file.content
    if not isinstance(content, str):
        if not all(0 <= byte < 256 for byte in content):
            raise Problem(422, "attachments: a byte is a number from 0 to 255.")
        content = base64.b64encode(bytes(content)).decode()
    return {
        "filename": file.filename, "content": content, "content_type": file.content_type or "",
        "content_id": file.content_id or file.inline_content_id or "",
    }  # fmt: skip


def one(body: bytes) -> Sequence[Content]:
    return [letter(Email.model_validate_json(body))]


def batch(body: bytes) -> Sequence[Content]:
    found = TypeAdapter(list[Email]).validate_json(body)
    if not 1 <= len(found) <= 100:
        raise Problem(422, "A batch has 1 to 100 messages.")
    return [letter(email) for email in found]


def taken(receipts: Sequence[Receipt], _: Sequence[Content]) -> Response:
    return JSONResponse({"id": as_uuid(receipts[0].id)})


def all_taken(receipts: Sequence[Receipt], _: Sequence[Content]) -> Response:
    return JSONResponse({"data": [{"id": as_uuid(receipt.id)} for receipt in receipts]})


def refused(told: Problem) -> Response:
    status = 422 if told.status in {400, 415} else told.status
    document: dict[str, Any] = {"statusCode": status, "name": NAMES.get(status, "application_error")}
    return JSONResponse(document | {"message": sentence(told)}, status)


ROUTES = (
    LookAlike(path="/emails", secret=bearer, read=one, taken=taken, refused=refused),
    LookAlike(path="/emails/batch", secret=bearer, read=batch, taken=all_taken, refused=refused),
)
