"""Mailgun, as its API reference documents it."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest

from secondpost.core.event import Kind
from secondpost.errors import HookRefused
from secondpost.mailers.base import Hook, Sought
from tests.mailers.parcels import Crossing, api_mailer, parcel
from tests.providers.server import SECRET, Call, Provider, Says, Script

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MESSAGE_ID = b"Message-ID: <m-1@shop.example>\r\n"


def recipients(call: Call) -> list[str]:
    return [value.decode() for name, value in call.form if name == "to"]


def faults(call: Call) -> list[str]:
    names = [name for name, _ in call.form]
    return [
        *([] if call.headers["content-type"].startswith("multipart/form-data") else ["no form"]),
        *([] if names.count("message") == 1 else ["one message is wanted"]),
        *([] if "to" in names else ["nobody in to"]),
        *[f"{name} is not documented" for name in names if name not in {"to", "message", "v:secondpost"}],
    ]


def look(call: Call, taken: list[Call]) -> Says:
    if call.path != "/v3/mg.shop.example/events":
        return Says(404)
    wanted = call.query["message-id"].encode()
    found = [one for one in taken if wanted in dict(one.form)["message"]]
    return Says(200, {"items": [{"event": "accepted", "recipient": to} for one in found for to in recipients(one)]})


PEER = Script(
    settings={"key": SECRET, "domain": "mg.shop.example"},
    send="POST /v3/mg.shop.example/messages.mime",
    authorized=lambda call: (
        call.headers.get("authorization") == "Basic " + base64.b64encode(f"api:{SECRET}".encode()).decode()
    ),
    unauthorized=Says(401, "Forbidden", "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=lambda call: Says(200, {"id": "<m-1@mg.shop.example>", "message": "Queued. Thank you."}),
    refusals={
        "bad address": Says(400, {"message": "to parameter is not a valid address."}, "rejected recipient"),
        "bad payload": Says(400, {"message": "Need at least one of 'text' or 'html'"}, "rejected message"),
        "unverified": Says(
            400, {"message": "Domain mg is not allowed to send: The domain is unverified"}, "deferred account sender"
        ),
        "batch": Says(403, {"message": "not allowed to send large batches yet"}, "deferred limit"),
        "unpaid": Says(402, {"message": "Payment required"}, "deferred limit"),
        "other region": Says(404, {"message": "Domain not found: mg.shop.example"}, "deferred account"),
        "too large": Says(413, {"message": "too large"}, "rejected message unsupported"),
        "wrong URL": Says(200, "Mailgun Magnificent API", "unclear"),
        "another success": Says(200, {"message": "Hm."}, "unclear"),
        "down": Says(503, {"message": "unavailable"}, "deferred provider"),
        "too fast": Says(429, {"message": "request limit exceeded, try again after a while"}, "deferred limit"),
    },
    verify="GET /v3/domains/mg.shop.example",
    verified=Says(200, {"domain": {"name": "mg.shop.example", "state": "active"}}),
    look=look,
)


async def test_the_wait_of_a_limit_is_read_from_its_words():
    says = Says(
        429,
        {"message": "request limit exceeded, try again after Sun, 01 Mar 2026 12:00:30 UTC"},
        headers={"Date": "Sun, 01 Mar 2026 12:00:00 GMT"},
    )
    with Provider(PEER) as provider:
        provider.fail(says)
        mailer = api_mailer("mailgun", **provider.settings)
        report = await mailer.send(parcel(), Crossing())
        await mailer.close()
    assert report.outcomes[0].retry_after == timedelta(seconds=30)


async def test_the_message_goes_unchanged_to_the_envelope_alone():
    sent = parcel("hidden@dest.example", head=b"To: list@shop.example\r\n" + MESSAGE_ID)
    with Provider(PEER) as provider:
        mailer = api_mailer("mailgun", **provider.settings)
        await mailer.send(sent, Crossing())
        sought = Sought(id=sent.id, message_id="<m-1@shop.example>", recipients=sent.recipients, since=NOW)
        assert await mailer.look(sought) == {"hidden@dest.example": "m-1@shop.example"}
        await mailer.close()
    (call,) = provider.taken
    assert dict(call.form)["message"] == sent.message.head + sent.message.body
    assert recipients(call) == ["hidden@dest.example"]


def hook(*, at=NOW, key="hook-key", **data):
    time, token = str(int(at.timestamp())), "t" * 50
    signature = hmac.new(key.encode(), (time + token).encode(), hashlib.sha256).hexdigest()
    signed = {"timestamp": time, "token": token, "signature": signature}
    return Hook(body=json.dumps({"signature": signed, "event-data": data}).encode())


@pytest.fixture
def mailer():
    settings = {"key": SECRET, "domain": "mg.shop.example", "signing_key": "hook-key"}
    return api_mailer("mailgun", **settings)


@pytest.mark.parametrize(
    ("data", "kind", "permanent"),
    [
        ({"event": "delivered"}, Kind.DELIVERED, False),
        ({"event": "failed", "severity": "permanent"}, Kind.BOUNCED, True),
        ({"event": "failed", "severity": "temporary"}, Kind.DEFERRED, False),
        ({"event": "complained"}, Kind.COMPLAINED, False),
        ({"event": "new"}, Kind.UNKNOWN, False),
    ],
)
def test_signed_events_are_believed(mailer, data, kind, permanent):
    told = data | {"id": "e1", "recipient": "b@x.example", "user-variables": {"secondpost": "0000000000007"}}
    (event,) = mailer.events(hook(**told), NOW)
    assert (event.kind, event.permanent, event.message, event.event_id) == (kind, permanent, 7, "e1")


@pytest.mark.parametrize("wrong", [{"key": "another"}, {"at": NOW - timedelta(hours=1)}])
def test_a_forged_or_an_old_webhook_is_refused(mailer, wrong):
    with pytest.raises(HookRefused):
        mailer.events(hook(event="delivered", **wrong), NOW)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"signature": {"timestamp": 1}}'])
def test_what_is_not_signed_is_refused(mailer, body):
    with pytest.raises(HookRefused):
        mailer.events(Hook(body=body), NOW)
