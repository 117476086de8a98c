"""Mailjet, as the reference of its Send API 3.1 documents it."""

import base64
import json
from datetime import UTC, datetime

from secondpost.core.event import Kind
from secondpost.mailers.base import Hook, Sought
from tests.mailers.parcels import Crossing, api_mailer, parcel
from tests.providers.server import SECRET, Call, Provider, Says, Script, unknown, wanted

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HEAD = b"From: shop@shop.example\r\nTo: bob@dest.example\r\nX-Mailer: x\r\n"
KNOWN = (
    "From", "To", "Cc", "Bcc", "ReplyTo", "Subject", "TextPart", "HTMLPart", "Headers", "CustomID", "Attachments",
    "InlinedAttachments",
)  # fmt: skip
FORBIDDEN = {"from", "sender", "subject", "to", "cc", "bcc", "date", "message-id", "x-mailer", "user-agent", "list-id"}


def recipients(call: Call) -> list[str]:
    (one,) = call.json["Messages"]
    return [box["Email"] for name in ("To", "Cc", "Bcc") for box in one.get(name, [])]


def faults(call: Call) -> list[str]:
    (one,) = call.json["Messages"]
    return [
        *wanted(one, To=list, CustomID=str),
        *wanted(one["From"], Email=str),
        *unknown(one, *KNOWN),
        *[f"the header {name} is forbidden" for name in one.get("Headers", {}) if name.lower() in FORBIDDEN],
    ]


def taken(call: Call) -> Says:
    told = [{"Email": one, "MessageUUID": "u", "MessageID": 1000 + at} for at, one in enumerate(recipients(call))]
    return Says(200, {"Messages": [{"Status": "success", "CustomID": "x", "To": told, "Cc": [], "Bcc": []}]})


def look(call: Call, sent: list[Call]) -> Says:
    found = [one for one in sent if one.json["Messages"][0]["CustomID"] == call.query["CustomID"]]
    return Says(200, {"Count": 1, "Data": [{"ID": 7, "ContactAlt": to} for one in found for to in recipients(one)]})


def error(status: int, code: str, text: str, means: str) -> Says:
    told = {"ErrorCode": code, "ErrorMessage": text, "StatusCode": status}
    return Says(status, {"Messages": [{"Status": "error", "Errors": [told]}]}, means)


PEER = Script(
    settings={"key": SECRET, "secret": f"{SECRET}-2"},
    send="POST /v3.1/send",
    authorized=lambda call: (
        call.headers.get("authorization") == "Basic " + base64.b64encode(f"{SECRET}:{SECRET}-2".encode()).decode()
    ),
    unauthorized=Says(401, {"ErrorCode": "mj-0015", "ErrorMessage": f"{SECRET} is wrong"}, "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=taken,
    refusals={
        "suspended": Says(401, {"ErrorCode": "mj-0001", "ErrorMessage": "suspended"}, "deferred account"),
        "sender": error(403, "send-0008", "not authorized sender", "deferred account sender"),
        "address": error(400, "mj-0013", "bob@dest.example is invalid", "rejected recipient"),
        "format": error(400, "mj-0004", "type mismatch", "rejected message"),
        "size": error(400, "mj-0011", "too large", "rejected message unsupported"),
        "many": error(400, "send-0015", "too many recipients", "rejected message unsupported"),
        "header": error(400, "send-0011", "header forbidden", "rejected message unsupported"),
        "in a success": error(200, "mj-0004", "no", "rejected message"),
        "too fast": Says(429, {}, "deferred limit"),
        "down": Says(503, {}, "deferred provider"),
    },
    verify="GET /v3/REST/apikey",
    verified=Says(200, {"Count": 1}),
    look=look,
)


async def test_each_recipient_has_an_id_and_can_be_asked_for():
    sent = parcel("bob@dest.example", "hidden@dest.example", head=HEAD)
    with Provider(PEER) as provider:
        mailer = api_mailer("mailjet", **provider.settings)
        report = await mailer.send(sent, Crossing())
        sought = Sought(id=sent.id, message_id="", recipients=sent.recipients, since=NOW)
        assert await mailer.look(sought) == {"bob@dest.example": "7", "hidden@dest.example": "7"}
        await mailer.close()
    assert [outcome.provider_id for outcome in report.outcomes] == ["1000", "1001"]


def test_events_come_alone_or_together():
    told = [{"event": "bounce", "email": "b@x.example", "CustomID": "0000000000007", "hard_bounce": True, "time": 1}]
    mailer = api_mailer("mailjet", key=SECRET, secret=SECRET)
    for body in (told, told[0]):
        (event,) = mailer.events(Hook(body=json.dumps(body).encode()), NOW)
        assert (event.kind, event.permanent, event.message) == (Kind.BOUNCED, True, 7)
