"""Brevo, as its API reference documents it."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from secondpost.core.event import Kind
from secondpost.core.words import decode
from secondpost.mailers.base import Hook, Sought
from tests.mailers.parcels import Crossing, api_mailer, parcel, told
from tests.providers.server import SECRET, Call, Provider, Says, Script, unknown, wanted

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HEAD = b"From: shop@shop.example\r\nTo: bob@dest.example\r\nContent-Type: text/html\r\n"
KNOWN = (
    "sender",
    "to",
    "cc",
    "bcc",
    "replyTo",
    "subject",
    "htmlContent",
    "textContent",
    "headers",
    "tags",
    "attachment",
)


def recipients(call: Call) -> list[str]:
    return [box["email"] for name in ("to", "cc", "bcc") for box in call.json.get(name, [])]


def faults(call: Call) -> list[str]:
    body = call.json
    return [
        *wanted(body, to=list, subject=str, htmlContent=str),
        *wanted(body["sender"], email=str),
        *unknown(body, *KNOWN),
        *[
            f"{name} is not in title case"
            for name in body.get("headers", {})
            if name != name.title() != "Idempotencykey"
        ],
        *[fault for one in body.get("attachment", []) for fault in wanted(one, name=str, content=str)],
    ]


def look(call: Call, taken: list[Call]) -> Says:
    """By an address, or by tags as an array."""
    assert call.path == "/v3/smtp/statistics/events"
    tags = json.loads(call.query.get("tags", "null"))
    events = [{"email": to, "event": "requests", "tag": one.json["tags"][0]} for one in taken for to in recipients(one)]
    found = [one for one in events if [one["tag"]] == tags or one["email"] == call.query.get("email")]
    return Says(200, {"events": found})


def error(code: str, text: str) -> dict[str, str]:
    return {"code": code, "message": text}


PEER = Script(
    settings={"key": SECRET},
    send="POST /v3/smtp/email",
    authorized=lambda call: call.headers.get("api-key") == SECRET,
    unauthorized=Says(401, error("unauthorized", f"Key {SECRET} not found"), "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=lambda call: Says(201, {"messageId": "<1@smtp-relay.mailin.fr>"}),
    refusals={
        "no credits": Says(402, error("not_enough_credits", "none left"), "deferred limit"),
        "forbidden": Says(403, error("permission_denied", "no"), "deferred account"),
        "validation": Says(403, error("account_under_validation", "wait"), "deferred account"),
        "parameter": Says(400, error("invalid_parameter", "to is not valid"), "rejected message"),
        "missing": Says(400, error("missing_parameter", "subject is missing"), "rejected message"),
        "sender": Says(400, error("invalid_parameter", "sender is not valid"), "deferred account sender"),
        "again": Says(400, error("duplicate_request", "seen before"), "accepted"),
        "not acceptable": Says(406, error("not_acceptable", "no"), "deferred provider"),
        "entity": Says(422, error("unprocessable_entity", "no"), "rejected message"),
        "too fast": Says(429, error("too_many_requests", "slow down"), "deferred limit"),
        "down": Says(503, "", "deferred provider"),
    },
    verify="GET /v3/account",
    verified=Says(200, {"email": "shop@shop.example"}),
    look=look,
)


async def test_the_same_message_has_the_same_key():
    sent = parcel(head=HEAD)
    sent.key = "a" * 40
    with Provider(PEER) as provider:
        mailer = api_mailer("brevo", **provider.settings)
        await mailer.send(sent, Crossing())
        await mailer.send(sent, Crossing())
        await mailer.close()
    first, second = [call.json["headers"]["idempotencyKey"] for call in provider.taken]
    assert first == second
    assert len(first) == 36


@pytest.mark.parametrize("to", [("bob@dest.example",), ("bob@dest.example", "eve@dest.example")])
async def test_it_is_asked_by_the_address_or_by_the_tag_and_other_messages_do_not_count(to):
    sent, other = parcel(*to, head=HEAD), parcel(*to, head=HEAD)
    sought = Sought(id=sent.id, message_id="", recipients=to, since=NOW)
    with Provider(PEER) as provider:
        mailer = api_mailer("brevo", **provider.settings)
        await mailer.send(other, Crossing())
        assert await mailer.look(sought) == {}
        await mailer.send(sent, Crossing())
        assert (await mailer.look(sought)).keys() == set(to)
        await mailer.close()


async def test_a_limit_says_in_seconds_when_it_ends():
    with Provider(PEER) as provider:
        provider.fail(Says(429, {}, headers={"x-sib-ratelimit-reset": "42"}))
        mailer = api_mailer("brevo", **provider.settings)
        report = await mailer.send(parcel(head=HEAD), Crossing())
        await mailer.close()
    assert report.outcomes[0].retry_after == timedelta(seconds=42)


async def sent(**parts):
    with Provider(PEER) as provider:
        mailer = api_mailer("brevo", **provider.settings)
        report = await mailer.send(parcel(**parts), Crossing())
        await mailer.close()
    assert told(report) == ["accepted"]
    return provider.taken[0].json


async def test_a_message_without_html_gets_its_text_as_html():
    body = await sent(head=b"From: a@b.example\r\n", body=b"1 < 2\r\n  & more\r\n")
    assert body["textContent"].split() == ["1", "<", "2", "&", "more"]
    assert "1 &lt; 2\n  &amp; more" in body["htmlContent"].replace("\r\n", "\n")


async def test_a_name_that_would_be_lost_goes_encoded():
    body = await sent(head=b'From: "M\xc3\xbcller, Inc." <a@b.example>\r\nTo: "Doe, B" <bob@dest.example>\r\n')
    assert decode(body["sender"]["name"].encode()) == "Müller, Inc."
    assert body["sender"]["name"].isascii()
    assert body["to"][0]["name"] == "Doe, B"


@pytest.mark.parametrize(
    ("name", "kind", "permanent"),
    [("delivered", Kind.DELIVERED, False), ("hard_bounce", Kind.BOUNCED, True), ("blocked", Kind.REJECTED, False)],
)
def test_events(name, kind, permanent):
    body = {"event": name, "email": "b@x.example", "message-id": "<1@x>", "tags": ["0000000000007"], "ts_event": 1}
    (event,) = api_mailer("brevo", key=SECRET).events(Hook(body=json.dumps(body).encode()), NOW)
    assert (event.kind, event.permanent, event.message, event.provider_id) == (kind, permanent, 7, "<1@x>")
