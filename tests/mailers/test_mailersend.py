"""MailerSend, as its API reference documents it."""

import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest

from secondpost.core.event import Kind
from secondpost.errors import HookRefused
from secondpost.mailers.base import Hook
from tests.mailers.parcels import Crossing, api_mailer, parcel, told
from tests.providers.server import SECRET, Call, Provider, Says, Script, unknown, wanted

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HEAD = b"From: shop@shop.example\r\nTo: bob@dest.example, eve@dest.example\r\n"
KNOWN = (
    "from", "to", "cc", "bcc", "reply_to", "subject", "text", "html", "tags", "in_reply_to", "references", "headers",
    "attachments",
)  # fmt: skip


def recipients(call: Call) -> list[str]:
    return [box["email"] for name in ("to", "cc", "bcc") for box in call.json.get(name, [])]


def faults(call: Call) -> list[str]:
    body = call.json
    return [*wanted(body, to=list, subject=str), *wanted(body["from"], email=str), *unknown(body, *KNOWN)]


def error(code: str, field: str = "to") -> dict[str, object]:
    return {"message": f"The given data was invalid. #{code}", "errors": {field: [f"no #{code}"]}}


def suppressed(kind: str, *emails: str) -> dict[str, object]:
    who = [{"email": email, "reasons": ["hard_bounced"]} for email in emails]
    return {"message": "There are some warnings.", "warnings": [{"type": kind, "recipients": who}]}


PEER = Script(
    settings={"token": SECRET},
    send="POST /v1/email",
    authorized=lambda call: call.headers.get("authorization") == f"Bearer {SECRET}",
    unauthorized=Says(401, {"message": f"Unauthenticated. {SECRET}"}, "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=lambda call: Says(202, None, headers={"X-Message-Id": "ms-1"}),
    refusals={
        "sender": Says(422, error("MS42207", "from.email"), "deferred account sender"),
        "plan": Says(422, error("MS42222"), "deferred limit"),
        "twice": Says(422, error("MS42201"), "rejected message"),
        "many": Says(422, error("MS42205"), "rejected message unsupported"),
        "size": Says(422, error("MS42206"), "rejected message unsupported"),
        "file": Says(422, error("MS42210"), "rejected message unsupported"),
        "headers": Says(422, {"message": "headers need another plan", "errors": {}}, "rejected message unsupported"),
        "other": Says(422, {"message": "subject is missing"}, "rejected message"),
        "forbidden": Says(403, {"message": "#MS40301"}, "deferred account"),
        "maintenance": Says(421, {"message": "maintenance"}, "deferred provider"),
        "too fast": Says(429, {"message": "#MS42903"}, "deferred limit"),
        "all suppressed": Says(202, suppressed("ALL_SUPPRESSED", "bob@dest.example"), "rejected recipient"),
        "a strange success": Says(200, {"hello": 1}, "unclear"),
        "down": Says(503, "", "deferred provider"),
    },
    verify="GET /v1/api-quota",
    verified=Says(200, {"quota": 1000, "remaining": 900}),
)


async def test_the_suppressed_are_named_and_the_others_served():
    with Provider(PEER) as provider:
        body = suppressed("SOME_SUPPRESSED", "eve@dest.example")
        provider.fail(Says(202, body, headers={"X-Message-Id": "ms-2"}))
        mailer = api_mailer("mailersend", **provider.settings)
        report = await mailer.send(parcel("bob@dest.example", "eve@dest.example", head=HEAD), Crossing())
        await mailer.close()
    assert told(report) == ["accepted", "rejected recipient"]


def test_signed_events_are_believed_and_others_are_not():
    email = {"message": {"id": "ms-1"}, "recipient": {"email": "b@x.example"}, "tags": ["0000000000007"]}
    body = json.dumps({"type": "activity.hard_bounced", "created_at": "2026-03-01T11:00:00Z", "data": {"email": email}})
    signature = hmac.new(b"hook", body.encode(), hashlib.sha256).hexdigest()
    mailer = api_mailer("mailersend", token=SECRET, signing_secret="hook")
    (event,) = mailer.events(Hook(body=body.encode(), headers={"signature": signature}), NOW)
    assert (event.kind, event.permanent, event.message, event.provider_id) == (Kind.BOUNCED, True, 7, "ms-1")
    with pytest.raises(HookRefused):
        mailer.events(Hook(body=body.encode() + b" ", headers={"signature": signature}), NOW)
