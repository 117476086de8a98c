"""SendGrid, as its API reference documents it."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from secondpost.core.event import Kind
from secondpost.errors import HookRefused
from secondpost.mailers.base import Hook
from tests.mailers.parcels import Crossing, api_mailer, parcel
from tests.providers.server import SECRET, Call, Provider, Says, Script, unknown, wanted

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def recipients(call: Call) -> list[str]:
    (one,) = call.json["personalizations"]
    return [box["email"] for name in ("to", "cc", "bcc") for box in one.get(name, [])]


def faults(call: Call) -> list[str]:
    body, found = call.json, recipients(call)
    known = ["personalizations", "from", "reply_to_list", "subject", "content", "attachments", "headers"]
    return [
        *wanted(body, personalizations=list, content=list, subject=str),
        *wanted(body["from"], email=str),
        *unknown(body, *known),
        *(["an address occurs twice"] if len({one.lower() for one in found}) < len(found) else []),
        *([] if body["personalizations"][0].get("to") else ["nobody in to"]),
        *[fault for one in body["content"] for fault in wanted(one, type=str, value=str)],
        *["an empty content" for one in body["content"] if not one["value"]],
        *["a reserved header" for name in body.get("headers", {}) if name.lower() in {"to", "from", "subject", "cc"}],
        *[fault for one in body.get("attachments", []) for fault in wanted(one, content=str, type=str, filename=str)],
    ]


def errors(text: str) -> dict[str, object]:
    return {"errors": [{"message": text, "field": None, "help": None}]}


PEER = Script(
    settings={"key": SECRET},
    send="POST /v3/mail/send",
    authorized=lambda call: call.headers.get("authorization") == f"Bearer {SECRET}",
    unauthorized=Says(401, errors(f"The provided authorization grant {SECRET} is invalid"), "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=lambda call: Says(202, None, headers={"X-Message-Id": "sg-1"}),
    refusals={
        "bad payload": Says(400, errors("Does not contain a valid address."), "rejected message"),
        "no credits": Says(401, errors("Maximum credits exceeded"), "deferred limit"),
        "sender": Says(
            403, errors("The from address does not match a verified Sender Identity."), "deferred account sender"
        ),
        "forbidden": Says(403, errors("access forbidden"), "deferred account"),
        "wrong address": Says(404, errors("not found"), "deferred account"),
        "too large": Says(413, errors("Payload too large"), "rejected message unsupported"),
        "too fast": Says(429, errors("too many requests"), "deferred limit"),
        "down": Says(503, errors("unavailable"), "deferred provider"),
    },
    verify="GET /v3/scopes",
    verified=Says(200, {"scopes": ["mail.send"]}),
)


async def test_a_limit_says_when_it_ends_by_the_providers_clock():
    reset = str(int(NOW.timestamp()) + 30)
    headers = {"X-RateLimit-Reset": reset, "Date": "Sun, 01 Mar 2026 12:00:00 GMT"}
    with Provider(PEER) as provider:
        provider.fail(Says(429, errors("too many requests"), headers=headers))
        mailer = api_mailer("sendgrid", **provider.settings)
        report = await mailer.send(parcel(head=b"From: a@b.example\r\nTo: bob@dest.example\r\n"), Crossing())
        await mailer.close()
    assert report.outcomes[0].retry_after == timedelta(seconds=30)


def hook(events, *, at=NOW, tamper=b""):
    private = generate_private_key(SECP256R1())
    body, time = json.dumps(events).encode(), str(int(at.timestamp()))
    signature = private.sign(time.encode() + body, ECDSA(SHA256()))
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    prefix = "x-twilio-email-event-webhook-"
    headers = {f"{prefix}signature": base64.b64encode(signature).decode(), f"{prefix}timestamp": time}
    mailer = api_mailer("sendgrid", key=SECRET, webhook_key=base64.b64encode(public).decode())
    return mailer, Hook(body=body + tamper, headers=headers)


def test_signed_events_are_believed():
    told = [
        {
            "event": "delivered",
            "email": "b@x.example",
            "sg_event_id": "e1",
            "sg_message_id": "sg-1.filter",
            "timestamp": 7,
        },
        {"event": "bounce", "type": "blocked", "email": "b@x.example", "secondpost": "0000000000007"},
        {"event": "dropped", "email": "c@x.example", "reason": "Bounced Address"},
    ]
    mailer, signed = hook(told)
    delivered, bounced, dropped = mailer.events(signed, NOW)
    assert (delivered.kind, delivered.provider_id, delivered.event_id) == (Kind.DELIVERED, "sg-1", "e1")
    assert (bounced.kind, bounced.permanent, bounced.message) == (Kind.BOUNCED, False, 7)
    assert (dropped.kind, dropped.text) == (Kind.REJECTED, "Bounced Address")


@pytest.mark.parametrize("wrong", [{"tamper": b" "}, {"at": NOW - timedelta(hours=2)}])
def test_a_changed_or_an_old_webhook_is_refused(wrong):
    mailer, signed = hook([{"event": "delivered"}], **wrong)
    with pytest.raises(HookRefused):
        mailer.events(signed, NOW)


def test_without_its_key_a_webhook_is_refused():
    mailer = api_mailer("sendgrid", key=SECRET)
    with pytest.raises(HookRefused, match="Webhook Verification Key"):
        mailer.events(Hook(body=b"[]"), NOW)
