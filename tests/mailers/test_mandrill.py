"""Mandrill, as the reference of Mailchimp Transactional documents it."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from secondpost.core.event import Kind
from secondpost.errors import HookRefused
from secondpost.mailers.base import Hook, Sought
from tests.mailers.parcels import Crossing, api_mailer, parcel, told
from tests.providers.server import SECRET, Call, Provider, Says, Script, unknown, wanted

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://gateway.example/hooks/1"


def recipients(call: Call) -> list[str]:
    return list(call.json["to"])


def faults(call: Call) -> list[str]:
    return [
        *wanted(call.json, raw_message=str, to=list, from_email=str),
        *unknown(call.json, "key", "raw_message", "to", "from_email", "from_name", "async"),
    ]


def look(call: Call, taken: list[Call]) -> Says:
    """Messages whose recipient is asked for, each with what its header gave as metadata."""
    if f"{call.method} {call.path}" != "POST /api/1.4/messages/search":
        return Says(404)
    asked = [term.removeprefix("full_email:") for term in call.json["query"].split(" OR ")]
    found = [
        {"email": to, "_id": f"m-{to}", "state": "rejected" if "blocked" in to else "sent", "metadata": metadata(one)}
        for one in taken
        for to in recipients(one)
        if to in asked and call.json["date_from"] == "2026-03-01"
    ]
    return Says(200, found)


def metadata(call: Call) -> object:
    return json.loads(call.json["raw_message"].partition("\r\n")[0].removeprefix("X-MC-Metadata: "))


def error(name: str) -> dict[str, object]:
    return {"status": "error", "code": -1, "name": name, "message": f"{name} it is"}


def rejected(reason: str) -> list[dict[str, str]]:
    return [{"email": "bob@dest.example", "status": "rejected", "reject_reason": reason, "_id": "m"}]


PEER = Script(
    settings={"key": SECRET},
    send="POST /api/1.4/messages/send-raw",
    authorized=lambda call: call.json.get("key") == SECRET,
    unauthorized=Says(500, error("Invalid_Key") | {"message": f"Invalid {SECRET}"}, "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=lambda call: Says(200, [{"email": one, "status": "sent", "_id": f"m-{one}"} for one in recipients(call)]),
    refusals={
        "unpaid": Says(402, error("PaymentRequired"), "deferred limit"),
        "subaccount": Says(500, error("Unknown_Subaccount"), "deferred account"),
        "validation": Says(500, error("ValidationError"), "rejected message"),
        "general": Says(500, error("GeneralError"), "unclear"),
        "unavailable": Says(500, error("ServiceUnavailable"), "deferred provider"),
        "bounced": Says(200, rejected("hard-bounce"), "rejected recipient"),
        "spam": Says(200, rejected("spam"), "rejected recipient"),
        "sender": Says(200, rejected("invalid-sender"), "deferred account sender"),
        "unsigned": Says(200, rejected("unsigned"), "deferred account sender"),
        "test mode": Says(200, rejected("test-mode-limit"), "deferred limit"),
        "nobody": Says(200, [], "unclear"),
        "too large": Says(413, "", "rejected message unsupported"),
    },
    verify="POST /api/1.4/users/ping2",
    verified=Says(200, {"PING": "PONG!"}),
    look=look,
)


async def test_it_can_be_asked_what_it_has():
    to = ("bob@dest.example", "eve@dest.example", "blocked@dest.example")
    with Provider(PEER) as provider:
        mailer = api_mailer("mandrill", **provider.settings)
        sent, other = parcel(*to), parcel(*to)
        sought = Sought(id=sent.id, message_id="", recipients=to, since=NOW)
        await mailer.send(other, Crossing())
        assert await mailer.look(sought) == {}
        await mailer.send(sent, Crossing())
        assert await mailer.look(sought) == {one: f"m-{one}" for one in to[:2]}
        await mailer.close()


async def test_nobody_commands_it_by_fields_of_a_message():
    head = b"From: a@b.example\r\nX-MC-Subaccount: other\r\n folded\r\nx-mc-track: all\r\nSubject: X-MC-Tags: 1\r\n"
    with Provider(PEER) as provider:
        mailer = api_mailer("mandrill", **provider.settings)
        sent = parcel(head=head, body=b"X-MC-Tags: in the body\r\n")
        assert told(await mailer.send(sent, Crossing())) == ["accepted"]
        await mailer.close()
    (call,) = provider.taken
    head, _, body = call.json["raw_message"].partition("\r\n\r\n")
    assert [line for line in head.splitlines() if line.lower().startswith(("x-mc-", " folded"))] == [
        head.splitlines()[0]
    ]
    assert head.startswith("X-MC-Metadata: ")
    assert "Subject: X-MC-Tags: 1" in head
    assert body == "X-MC-Tags: in the body\r\n"


def hook(key="hook-key", url=URL):
    message = {"email": "b@x.example", "_id": "m-1", "metadata": {"secondpost": "0000000000007"}}
    fields = {"mandrill_events": json.dumps([{"event": "hard_bounce", "ts": 1, "_id": "m-1", "msg": message}])}
    signed = url + "".join(name + value for name, value in sorted(fields.items()))
    signature = base64.b64encode(hmac.new(key.encode(), signed.encode(), hashlib.sha1).digest()).decode()
    return Hook(body=urlencode(fields).encode(), headers={"x-mandrill-signature": signature}, url=URL)


def test_signed_events_are_believed():
    (event,) = api_mailer("mandrill", key=SECRET, webhook_key="hook-key").events(hook(), NOW)
    assert (event.kind, event.permanent, event.message, event.provider_id) == (Kind.BOUNCED, True, 7, "m-1")


@pytest.mark.parametrize("wrong", [{"key": "another"}, {"url": "https://else.example/"}])
def test_a_forged_webhook_is_refused(wrong):
    with pytest.raises(HookRefused):
        api_mailer("mandrill", key=SECRET, webhook_key="hook-key").events(hook(**wrong), NOW)
