"""Elastic Email, as its API reference and its Python client document it."""

from datetime import UTC, datetime

import pytest

from secondpost.core.event import Kind
from secondpost.mailers.base import Hook
from tests.mailers.parcels import Crossing, api_mailer, parcel
from tests.providers.server import SECRET, Call, Provider, Says, Script, unknown, wanted

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KNOWN = ("From", "ReplyTo", "Subject", "Body", "Headers", "Attachments", "Postback", "Merge")


def recipients(call: Call) -> list[str]:
    boxes = [box for name in ("To", "CC", "BCC") for box in call.json["Recipients"].get(name, [])]
    return [box.rpartition("<")[2].strip(">") for box in boxes]


def faults(call: Call) -> list[str]:
    body, content = call.json, call.json["Content"]
    return [
        *unknown(body, "Recipients", "Content", "Options"),
        *unknown(body["Recipients"], "To", "CC", "BCC"),
        *wanted(content, From=str, Body=list),
        *unknown(content, *KNOWN),
        *[fault for one in content["Body"] for fault in wanted(one, ContentType=str, Content=str)],
        *[
            f"{one} is no ContentType"
            for one in (part["ContentType"] for part in content["Body"])
            if one not in {"HTML", "PlainText", "AMP", "CSS"}
        ],
        *[fault for one in content.get("Attachments", []) for fault in wanted(one, BinaryContent=str, Name=str)],
    ]


def error(text: str) -> dict[str, str]:
    return {"Error": text}


PEER = Script(
    settings={"key": SECRET},
    send="POST /v4/emails/transactional",
    authorized=lambda call: call.headers.get("x-elasticemail-apikey") == SECRET,
    unauthorized=Says(401, error(f"APIKey Expired {SECRET}"), "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=lambda call: Says(200, {"TransactionID": "t-1", "MessageID": "m-1"}),
    refusals={
        "content": Says(400, error("Subject is required"), "rejected message"),
        "sender": Says(400, error("From domain is not verified"), "deferred account sender"),
        "access": Says(403, error("Access denied"), "deferred account"),
        "credits": Says(402, error("Not enough credits"), "deferred limit"),
        "too fast": Says(429, error("Too many requests"), "deferred limit"),
        "error": Says(500, error("Internal"), "unclear"),
        "down": Says(503, "", "deferred provider"),
    },
    verify="GET /v4/statistics",
    verified=Says(200, {"Recipients": 0}),
)


async def test_text_in_braces_stays_as_it_is():
    head = b"From: Shop <shop@shop.example>\r\nTo: Bob <bob@dest.example>\r\n"
    with Provider(PEER) as provider:
        mailer = api_mailer("elasticemail", **provider.settings)
        report = await mailer.send(parcel(head=head, body=b"Write {name}, {first.one} or { this }.\r\n"), Crossing())
        await mailer.close()
    content = provider.taken[0].json["Content"]
    assert content["Merge"] == {"name": "{name}", "first.one": "{first.one}"}
    assert "Write {name}" in content["Body"][0]["Content"]
    assert report.outcomes[0].provider_id == "t-1"
    assert provider.taken[0].json["Recipients"] == {"To": ['"Bob" <bob@dest.example>']}


@pytest.mark.parametrize(
    ("status", "category", "kind", "permanent"),
    [
        ("Sent", "", Kind.DELIVERED, False),
        ("Error", "NoMailbox", Kind.BOUNCED, True),
        ("Error", "GreyListed", Kind.BOUNCED, False),
        ("AbuseReport", "", Kind.COMPLAINED, False),
        ("News", "", Kind.UNKNOWN, False),
    ],
)
def test_events(status, category, kind, permanent):
    query = {"to": "b@x.example", "status": status, "category": category, "transaction": "t", "messageid": "m"}
    query |= {"postback": "0000000000007", "date": "2026-03-01T11:00:00"}
    (event,) = api_mailer("elasticemail", key=SECRET).events(Hook(body=b"", query=query), NOW)
    assert (event.kind, event.permanent, event.message, event.provider_id) == (kind, permanent, 7, "t")


def test_a_webhook_without_a_status_tells_nothing():
    assert api_mailer("elasticemail", key=SECRET).events(Hook(body=b""), NOW) == []
