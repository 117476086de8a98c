"""Postmark, as https://postmarkapp.com/developer documents it."""

import json
from datetime import UTC, datetime
from email.utils import getaddresses

import pytest

from secondpost.core.event import Kind
from secondpost.core.outcome import Accepted
from secondpost.mailers.base import Hook, Sought
from tests.mailers.parcels import Crossing, api_mailer, parcel, told
from tests.providers.server import SECRET, Call, Provider, Says, Script, unknown, wanted

HEAD = b"From: shop@shop.example\r\nTo: bob@dest.example\r\n"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def recipients(call: Call) -> list[str]:
    return [
        address for name in ("To", "Cc", "Bcc") for _, address in getaddresses([call.json.get(name, "")]) if address
    ]


def faults(call: Call) -> list[str]:
    body = call.json
    known = set("From To Cc Bcc ReplyTo Subject TextBody HtmlBody MessageStream Metadata Headers Attachments".split())  # noqa: SIM905
    return [
        *wanted(body, From=str, To=str, Metadata=dict, MessageStream=str),
        *unknown(body, *known),
        *([] if body.get("TextBody") or body.get("HtmlBody") else ["no body"]),
        *[fault for one in body.get("Headers", []) for fault in wanted(one, Name=str, Value=str)],
        *[
            fault
            for one in body.get("Attachments", [])
            for fault in wanted(one, Name=str, Content=str, ContentType=str)
        ],
    ]


def look(call: Call, taken: list[Call]) -> Says:
    mark = call.query.get("metadata_secondpost")
    found = [one for one in taken if one.json["Metadata"]["secondpost"] == mark]
    messages = [{"MessageID": "u-1", "Recipients": recipients(one), "Status": "Sent"} for one in found]
    return Says(200, {"TotalCount": len(messages), "Messages": messages})


def error(code: int, text: str) -> dict[str, object]:
    return {"ErrorCode": code, "Message": text}


PEER = Script(
    settings={"token": SECRET},
    send="POST /email",
    authorized=lambda call: call.headers.get("x-postmark-server-token") == SECRET,
    unauthorized=Says(401, error(10, f"The Server Token {SECRET} is not valid."), "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=lambda call: Says(200, {"To": "x", "MessageID": "u-1", "ErrorCode": 0, "Message": "OK"}),
    refusals={
        "maintenance": Says(422, error(100, "Maintenance"), "deferred provider"),
        "invalid request": Says(422, error(300, "Invalid email request"), "rejected message"),
        "bad address": Says(422, error(300, "Invalid 'To' address: 'bob@dest.example'."), "rejected recipient"),
        "no sender signature": Says(422, error(400, "no Sender Signature"), "deferred account sender"),
        "unconfirmed": Says(422, error(401, "not confirmed"), "deferred account sender"),
        "out of credits": Says(422, error(405, "not allowed to send: out of credits"), "deferred limit"),
        "inactive": Says(422, error(406, "Found inactive addresses: bob@dest.example."), "rejected recipient"),
        "file type": Says(422, error(411, "forbidden attachment"), "rejected message unsupported"),
        "pending": Says(422, error(412, "account is pending approval"), "deferred account"),
        "suspended": Says(422, error(413, "You may not send"), "deferred account"),
        "too large": Says(413, "", "rejected message unsupported"),
        "down": Says(503, "", "deferred provider"),
    },
    verify="GET /server",
    verified=Says(200, {"ID": 1, "Name": "Shop"}),
    look=look,
)


def make(**settings):
    return api_mailer("postmark", token=SECRET, **settings)


async def test_inactive_recipients_are_named_and_the_others_are_served():
    text = "Message OK, but will not deliver to these inactive addresses: eve@dest.example"
    with Provider(PEER) as provider:
        mailer = api_mailer("postmark", **provider.settings)
        provider.fail(Says(200, {"ErrorCode": 0, "Message": text, "MessageID": "u-9"}))
        report = await mailer.send(parcel("bob@dest.example", "eve@dest.example"), Crossing())
        await mailer.close()
    assert told(report) == ["accepted", "rejected recipient"]


async def test_the_message_id_is_kept_and_the_key_stands_in_the_header_alone():
    with Provider(PEER) as provider:
        mailer = api_mailer("postmark", **provider.settings)
        await mailer.send(parcel(head=HEAD + b"Message-ID: <1@shop.example>\r\n"), Crossing())
        await mailer.close()
    (call,) = provider.taken
    assert {"Name": "Message-ID", "Value": "<1@shop.example>"} in call.json["Headers"]
    assert {"Name": "X-PM-KeepID", "Value": "true"} in call.json["Headers"]
    assert SECRET.encode() not in call.body


async def test_it_can_be_asked_what_it_has():
    with Provider(PEER) as provider:
        mailer = api_mailer("postmark", **provider.settings)
        sent = parcel(head=HEAD)
        sought = Sought(id=sent.id, message_id="", recipients=sent.recipients, since=NOW)
        assert await mailer.look(sought) == {}
        assert isinstance((await mailer.send(sent, Crossing())).outcomes[0], Accepted)
        assert await mailer.look(sought) == {"bob@dest.example": "u-1"}
        await mailer.close()


@pytest.mark.parametrize(
    ("body", "kind", "permanent"),
    [
        (
            {"RecordType": "Delivery", "Recipient": "b@x.example", "DeliveredAt": "2026-03-01T11:00:00Z"},
            "delivered",
            False,
        ),
        ({"RecordType": "Bounce", "Type": "HardBounce", "Email": "b@x.example", "ID": 4}, "bounced", True),
        ({"RecordType": "Bounce", "Type": "SoftBounce", "Email": "b@x.example", "ID": 4}, "bounced", False),
        ({"RecordType": "Bounce", "Type": "Transient", "Email": "b@x.example", "ID": 4}, "deferred", False),
        ({"RecordType": "SpamComplaint", "Email": "b@x.example"}, "complained", False),
        ({"RecordType": "New"}, "unknown", False),
    ],
)
def test_events(body, kind, permanent):
    body |= {"MessageID": "u-1", "Metadata": {"secondpost": "0000000000007"}}
    (event,) = make().events(Hook(body=json.dumps(body).encode()), NOW)
    assert (event.kind, event.permanent) == (Kind(kind), permanent)
    assert event.message == 7
    assert event.provider_id == "u-1"
    assert event.recipient == ("b@x.example" if kind != "unknown" else "")
