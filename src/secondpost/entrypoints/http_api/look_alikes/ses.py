"""Amazon SES v2 SendEmail. See https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html.

Rule: a request is believed for its signature alone, so only keys made with `keys add --ses` can be used here.
"""

import base64
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from fastapi.responses import JSONResponse
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from secondpost.core.message import id_text
from secondpost.entrypoints.http_api.counter import Counter
from secondpost.entrypoints.http_api.letters import Envelope
from secondpost.entrypoints.http_api.look_alikes import sigv4
from secondpost.entrypoints.http_api.look_alikes.common import (
    Content,
    LookAlike,
    Shape,
    in_parts,
    once,
    sentence,
    unavailable,
)
from secondpost.entrypoints.http_api.problems import Problem
from secondpost.service.credentials import Client
from secondpost.store.base import Receipt

NAMES = {401: "UnrecognizedClientException", 403: "MessageRejected", 413: "BadRequestException",
         429: "TooManyRequestsException", 500: "InternalServiceErrorException", 503: "ServiceUnavailable"}  # fmt: skip


class Words(Shape):
    Data: str
    Charset: str | None = None


class Bodies(Shape):
    Text: Words | None = None
    Html: Words | None = None


class Header(Shape):
    Name: str
    Value: str


class Attached(Shape):
    RawContent: str
    FileName: str
    ContentType: str | None = None
    ContentDisposition: str | None = None
    ContentId: str | None = None
    ContentTransferEncoding: str | None = None


class InParts(Shape):
    Subject: Words
    Body: Bodies
    Headers: list[Header] = Field([])
    Attachments: list[Attached] = Field([])


class Written(Shape):
    Data: str


class Given(Shape):
    Simple: InParts | None = None
    Raw: Written | None = None


class Recipients(Shape):
    ToAddresses: list[str] = Field([])
    CcAddresses: list[str] = Field([])
    BccAddresses: list[str] = Field([])


class Tag(Shape):
    Name: str
    Value: str


class SendEmail(Shape):
    FromEmailAddress: str | None = None
    Destination: Recipients | None = None
    ReplyToAddresses: list[str] = Field([])
    Content: Given
    EmailTags: list[Tag] = Field([])


def read(body: bytes) -> Sequence[Content]:
    it = SendEmail.model_validate_json(body)
    to = it.Destination or Recipients.model_validate({})
    if it.Content.Raw is not None:
        return [_raw(it, it.Content.Raw, [*to.ToAddresses, *to.CcAddresses, *to.BccAddresses])]
    simple = it.Content.Simple
    if simple is None or it.FromEmailAddress is None:
        raise Problem(422, "Content needs Simple with FromEmailAddress, or Raw.")
    text, html = simple.Body.Text, simple.Body.Html
    return [
        in_parts(
            it.FromEmailAddress,
            to=to.ToAddresses,
            cc=to.CcAddresses,
            bcc=to.BccAddresses,
            reply_to=it.ReplyToAddresses,
            subject=simple.Subject.Data,
            text=text.Data if text else "",
            html=html.Data if html else "",
            headers=once("Headers", [(header.Name, header.Value) for header in simple.Headers]),
            attachments=[_attached(file) for file in simple.Attachments],
            metadata=once("EmailTags", [(tag.Name, tag.Value) for tag in it.EmailTags]),
        )
    ]


def _attached(file: Attached) -> dict[str, str]:
    return {
        "filename": file.FileName, "content": file.RawContent, "content_type": file.ContentType or "",
        "content_id": file.ContentId or "",
    }  # fmt: skip


def _raw(it: SendEmail, raw: Written, to: list[str]) -> Content:
    if it.ReplyToAddresses or it.EmailTags:
        raise Problem(422, "ReplyToAddresses and EmailTags do not go with Raw: write them into the message.")
    try:
        content = base64.b64decode(raw.Data, validate=True)
    except ValueError:  # binascii.Error is one
        raise Problem(422, "Content.Raw.Data is not base64.") from None
    bare = [text.rpartition("<")[2].removesuffix(">") for text in to]
    sender = it.FromEmailAddress and it.FromEmailAddress.rpartition("<")[2].removesuffix(">")
    return content, Envelope(sender=sender, recipients=bare)


def admission(counter: Counter) -> Callable[[Request], Awaitable[tuple[Client, bytes]]]:
    async def admit(request: Request) -> tuple[Client, bytes]:
        claim = sigv4.claim(request.headers.get("authorization", ""))
        known = counter.gate.keys.signing(claim.access_id) if claim else None
        if claim is None or known is None:
            await counter.gate.refuse(request, claim.access_id if claim else "")
        assert claim is not None
        assert known is not None
        with await counter.intake.read(request) as body:
            if not sigv4.is_right(claim, known[1], request.url.path, request.headers, body, datetime.now(UTC)):
                await counter.gate.refuse(request, claim.access_id)
            if "send" not in known[0].scopes:
                raise Problem(403, "The key has not the scope send.")
            return known[0], body

    return admit


def taken(receipts: Sequence[Receipt], _: Sequence[Content]) -> Response:
    return JSONResponse({"MessageId": id_text(receipts[0].id)})


def refused(told: Problem) -> Response:
    name = NAMES.get(told.status, "BadRequestException")
    status = 403 if told.status == 401 else told.status if told.status in {429, 500, 503} else 400
    return JSONResponse({"message": sentence(told)}, status, headers={"x-amzn-ErrorType": name})


def none(_: bytes) -> Sequence[Content]:
    raise unavailable("SendBulkEmail", "it is made of templates; use SendEmail")


def _key(request: Request) -> str:
    """The same when the SDK tries again."""
    return request.headers.get("amz-sdk-invocation-id", "")


ROUTES = tuple(
    LookAlike(path=f"/v2/email/{name}", secret=lambda _: "", read=reader, taken=taken, refused=refused, key=_key)
    for name, reader in (("outbound-emails", read), ("outbound-bulk-emails", none))
)
