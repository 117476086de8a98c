"""Resend, as its API reference documents it."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import getaddresses

import pytest

from secondpost.core.event import Kind
from secondpost.core.outcome import Accepted
from secondpost.errors import HookRefused
from secondpost.mailers.base import Hook
from tests.mailers.parcels import Crossing, api_mailer, parcel, told
from tests.providers.server import SECRET, Call, Provider, Says, Script, unknown, wanted

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SIGNING = "whsec_" + base64.b64encode(b"a signing secret of svix").decode()
KNOWN = ("from", "to", "cc", "bcc", "reply_to", "subject", "html", "text", "headers", "tags", "attachments")


def recipients(call: Call) -> list[str]:
    return [address for name in ("to", "cc", "bcc") for _, address in getaddresses(call.json.get(name, []))]


def faults(call: Call) -> list[str]:
    body = call.json
    return [
        *wanted(body, **{"from": str, "to": list, "subject": str}),
        *unknown(body, *KNOWN),
        *([] if 0 < len(body["to"]) <= 50 else ["to needs 1 to 50 addresses"]),
        *([] if body.get("html") or body.get("text") else ["no body"]),
        *[f"{name} is no string" for name, value in body.get("headers", {}).items() if not isinstance(value, str)],
        *[fault for one in body.get("tags", []) for fault in wanted(one, name=str, value=str)],
        *[fault for one in body.get("attachments", []) for fault in wanted(one, content=str, filename=str)],
    ]


def error(status: int, name: str, text: str) -> dict[str, object]:
    return {"statusCode": status, "name": name, "message": text}


PEER = Script(
    settings={"key": SECRET},
    send="POST /emails",
    authorized=lambda call: call.headers.get("authorization") == f"Bearer {SECRET}",
    unauthorized=Says(403, error(403, "invalid_api_key", f"API key {SECRET} is invalid"), "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=lambda call: Says(200, {"id": "u-1"}),
    refusals={
        "validation": Says(400, error(400, "validation_error", "An error with one field."), "rejected message"),
        "bad key": Says(400, error(400, "invalid_idempotency_key", "1-256 chars."), "rejected message"),
        "missing key": Says(401, error(401, "missing_api_key", "Missing API Key"), "deferred account"),
        "restricted": Says(401, error(401, "restricted_api_key", "Only send emails"), "deferred account"),
        "suspended": Says(403, error(403, "suspended_api_key", "Suspended"), "deferred account"),
        "domain": Says(
            403, error(403, "validation_error", "The shop.example domain is not verified."), "deferred account sender"
        ),
        "wrong address": Says(404, error(404, "not_found", "no endpoint"), "deferred account"),
        "in flight": Says(409, error(409, "concurrent_idempotent_requests", "in progress"), "unclear"),
        "same key": Says(409, error(409, "invalid_idempotent_request", "another payload"), "unclear"),
        "bad recipient": Says(422, error(422, "validation_error", "Invalid `to` field."), "rejected recipient"),
        "attachment": Says(422, error(422, "invalid_attachment", "no content"), "rejected message"),
        "too fast": Says(429, error(429, "rate_limit_exceeded", "Too many requests"), "deferred limit"),
        "daily": Says(429, error(429, "daily_quota_exceeded", "quota"), "deferred limit"),
        "monthly": Says(429, error(429, "monthly_quota_exceeded", "quota"), "deferred limit"),
        "security": Says(451, error(451, "security_error", "We found something"), "rejected message"),
        "their fault": Says(500, error(500, "application_error", "Internal server error"), "unclear"),
        "down": Says(503, "", "deferred provider"),
    },
    verify="GET /domains",
    verified=Says(401, error(401, "restricted_api_key", "This API key is restricted to only send emails")),
)


async def sent(made):
    with Provider(PEER) as provider:
        mailer = api_mailer("resend", **provider.settings)
        report = await mailer.send(made, Crossing())
        await mailer.close()
    assert told(report) == ["accepted"]
    return provider.taken[0]


async def test_the_key_of_the_message_goes_along():
    made = parcel(head=b"From: shop@shop.example\r\nTo: bob@dest.example\r\n")
    made.key = "k-1"
    call = await sent(made)
    assert call.headers["idempotency-key"] == "k-1"


async def test_an_attachment_whose_name_and_type_disagree_goes_by_its_name():
    head = b'From: shop@shop.example\r\nTo: bob@dest.example\r\nContent-Type: multipart/mixed; boundary="b"\r\n'
    part = b'--b\r\nContent-Type: %b\r\nContent-Disposition: attachment; filename="%b"\r\n\r\nx\r\n'
    body = part % (b"application/pdf", b"a.pdf") + part % (b"application/octet-stream", b"b.pdf") + b"--b--\r\n"
    call = await sent(parcel(head=head, body=body))
    assert [one.get("content_type") for one in call.json["attachments"]] == ["application/pdf", None]


async def test_a_key_with_all_rights_is_good_too():
    script = replace(PEER, verified=Says(200, {"data": []}))
    with Provider(script) as provider:
        mailer = api_mailer("resend", **provider.settings)
        assert isinstance((await mailer.verify()).outcome, Accepted)
        await mailer.close()


def hook(*, at=NOW, key=b"a signing secret of svix", more="", **told):
    body, time = json.dumps(told).encode(), str(int(at.timestamp()))
    signature = base64.b64encode(hmac.digest(key, b"msg_1.%b.%b" % (time.encode(), body), hashlib.sha256)).decode()
    headers = {"svix-id": "msg_1", "svix-timestamp": time, "svix-signature": f"{more}v1,{signature}"}
    return Hook(body=body, headers=headers)


def mailer(secret=SIGNING):
    return api_mailer("resend", key=SECRET, signing_secret=secret)


def data(count="1", **more):
    tags = {"secondpost": "0000000000007", "recipients": count}
    return {"email_id": "u-1", "to": ["b@x.example"], "tags": tags, **more}


@pytest.mark.parametrize(
    ("name", "more", "kind", "permanent"),
    [
        ("email.delivered", {}, Kind.DELIVERED, False),
        ("email.bounced", {"bounce": {"type": "Permanent", "message": "none here"}}, Kind.BOUNCED, True),
        ("email.bounced", {"bounce": {"type": "Transient", "message": "full"}}, Kind.BOUNCED, False),
        ("email.suppressed", {}, Kind.REJECTED, False),
        ("contact.created", {}, Kind.UNKNOWN, False),
    ],
)
def test_signed_events_are_believed(name, more, kind, permanent):
    made = hook(type=name, created_at="2026-03-01T11:00:00Z", data=data(**more))
    (event,) = mailer().events(made, NOW)
    assert (event.kind, event.permanent, event.message, event.event_id) == (kind, permanent, 7, "msg_1")
    assert (event.provider_id, event.recipient, event.at) == ("u-1", "b@x.example", NOW - timedelta(hours=1))


def test_of_several_recipients_an_event_names_none():
    (event,) = mailer().events(hook(type="email.delivered", data=data("2")), NOW)
    assert (event.recipient, event.message) == ("", 7)


def test_tags_are_read_as_a_list_too():
    tags = [{"name": "secondpost", "value": "0000000000007"}]
    (event,) = mailer().events(hook(type="email.sent", data=data(tags=tags)), NOW)
    assert event.message == 7


def test_one_good_signature_of_several_is_enough():
    assert mailer().events(hook(more="v1,b2xk ", type="email.sent", data={}), NOW)


@pytest.mark.parametrize("wrong", [{"key": b"another"}, {"at": NOW - timedelta(hours=1)}])
def test_a_forged_or_an_old_webhook_is_refused(wrong):
    with pytest.raises(HookRefused):
        mailer().events(hook(type="email.sent", data={}, **wrong), NOW)


@pytest.mark.parametrize("secret", ["", "whsec_?"])
def test_without_a_good_secret_nothing_is_believed(secret):
    with pytest.raises(HookRefused, match="Webhook Signing Secret"):
        mailer(secret).events(hook(type="email.sent", data={}), NOW)
