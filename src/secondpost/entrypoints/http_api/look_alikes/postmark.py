"""Postmark's POST /email and /email/batch. See https://postmarkapp.com/developer/api/email-api."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from secondpost.entrypoints.http_api.letters import Letter, as_uuid
from secondpost.entrypoints.http_api.look_alikes.common import (
    Content,
    LookAlike,
    Shape,
    in_parts,
    once,
    sentence,
    several,
    unavailable,
)
from secondpost.entrypoints.http_api.problems import Problem
from secondpost.store.base import Receipt

STREAMS = {None: "normal", "": "normal", "outbound": "normal", "broadcast": "bulk"}
CODES = {401: 10, 429: 429, 503: 100, 500: 100}  # 300: an invalid email request


class Header(Shape):
    Name: str
    Value: str


class Attached(Shape):
    Name: str
    Content: str
    ContentType: str = ""
    ContentID: str | None = None


class Email(Shape):
    From: str
    To: str | None = None
    Cc: str | None = None
    Bcc: str | None = None
    Subject: str | None = None
    Tag: str | None = None
    HtmlBody: str | None = None
    TextBody: str | None = None
    ReplyTo: str | None = None
    Metadata: dict[str, str] | None = None
    Headers: list[Header] | None = None
    TrackOpens: bool | None = None
    TrackLinks: str | None = None
    Attachments: list[Attached] | None = None
    MessageStream: str | None = None


def letter(it: Email) -> Letter:
    if it.TrackOpens:
        raise unavailable("TrackOpens")
    if it.TrackLinks not in {None, "", "None"}:
        raise unavailable("TrackLinks")
    if it.MessageStream not in STREAMS:
        raise unavailable("MessageStream", "use outbound or broadcast")
    return in_parts(
        it.From,
        to=several("To", it.To or ""),
        cc=several("Cc", it.Cc or ""),
        bcc=several("Bcc", it.Bcc or ""),
        reply_to=several("ReplyTo", it.ReplyTo or ""),
        subject=it.Subject or "",
        text=it.TextBody or "",
        html=it.HtmlBody or "",
        tags=[it.Tag] if it.Tag else [],
        metadata=it.Metadata or {},
        headers=once("Headers", [(header.Name, header.Value) for header in it.Headers or ()]),
        priority="bulk" if STREAMS[it.MessageStream] == "bulk" else None,
        attachments=[_attached(file) for file in it.Attachments or ()],
    )


def _attached(file: Attached) -> dict[str, str]:
    return {
        "filename": file.Name, "content": file.Content, "content_type": file.ContentType,
        "content_id": file.ContentID or "",
    }  # fmt: skip


def one(body: bytes) -> Sequence[Content]:
    return [letter(Email.model_validate_json(body))]


def batch(body: bytes) -> Sequence[Content]:
    found = TypeAdapter(list[Email]).validate_json(body)
    if not 1 <= len(found) <= 500:
        raise Problem(422, "A batch has 1 to 500 messages.")
    return [letter(email) for email in found]


def _told(receipt: Receipt, content: Content) -> dict[str, Any]:
    to = ", ".join(content.to) if isinstance(content, Letter) else ""
    at = datetime.now(UTC).isoformat()
    return {"To": to, "SubmittedAt": at, "MessageID": as_uuid(receipt.id), "ErrorCode": 0, "Message": "OK"}


def taken(receipts: Sequence[Receipt], contents: Sequence[Content]) -> Response:
    return JSONResponse(_told(receipts[0], contents[0]))


def all_taken(receipts: Sequence[Receipt], contents: Sequence[Content]) -> Response:
    return JSONResponse([_told(*pair) for pair in zip(receipts, contents, strict=True)])


def refused(told: Problem) -> Response:
    status = told.status if told.status in {401, 413, 429, 500, 503} else 422
    return JSONResponse({"ErrorCode": CODES.get(status, 300), "Message": sentence(told)}, status)


def token(request: Request) -> str:
    return request.headers.get("x-postmark-server-token", "")


def none(_: bytes) -> Sequence[Content]:
    raise unavailable("Templates")


ROUTES = (
    LookAlike(path="/email", secret=token, read=one, taken=taken, refused=refused),
    LookAlike(path="/email/batch", secret=token, read=batch, taken=all_taken, refused=refused),
    LookAlike(path="/email/withTemplate", secret=token, read=none, taken=taken, refused=refused),
    LookAlike(path="/email/withTemplate/", secret=token, read=none, taken=taken, refused=refused),
    LookAlike(path="/email/batchWithTemplates", secret=token, read=none, taken=taken, refused=refused),
    LookAlike(path="/email/batchWithTemplates/", secret=token, read=none, taken=taken, refused=refused),
)
