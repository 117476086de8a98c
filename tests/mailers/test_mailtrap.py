"""Mailtrap, as its OpenAPI documents describe it."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest

from secondpost.core.event import Kind
from secondpost.errors import HookRefused
from secondpost.mailers.base import Hook, Sought
from tests.mailers.parcels import Crossing, api_mailer, parcel
from tests.providers.server import SECRET, Call, Provider, Says, Script, unknown, wanted

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KNOWN = (
    "from", "to", "cc", "bcc", "reply_to", "subject", "text", "html", "headers", "custom_variables", "attachments",
)  # fmt: skip


def recipients(call: Call) -> list[str]:
    return [box["email"] for name in ("to", "cc", "bcc") for box in call.json.get(name, [])]


def faults(call: Call) -> list[str]:
    body = call.json
    return [
        *wanted(body, to=list, subject=str, custom_variables=dict),
        *wanted(body["from"], email=str),
        *unknown(body, *KNOWN),
    ]


def look(call: Call, taken: list[Call]) -> Says:
    """Entries of the log, as its list has them: of a recipient, in letters of whatever case."""
    if call.path != "/api/email_logs" or call.query["filters[to][operator]"] != "ci_equal":
        return Says(404)
    listed = [
        {"message_id": f"id-{to}", "to": to, "status": "enqueued", "custom_variables": one.json["custom_variables"]}
        for one in taken
        for to in recipients(one)
        if to.lower() == call.query["filters[to][value]"].lower()
    ]
    return Says(200, {"messages": listed, "total_count": len(listed), "next_page_cursor": None})


def errors(text: str) -> dict[str, object]:
    return {"success": False, "errors": [text]}


PEER = Script(
    settings={"token": SECRET},
    send="POST /api/send",
    authorized=lambda call: call.headers.get("authorization") == f"Bearer {SECRET}",
    unauthorized=Says(401, errors(f"Unauthorized {SECRET}"), "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=lambda call: Says(200, {"success": True, "message_ids": [f"id-{one}" for one in recipients(call)]}),
    refusals={
        "bad payload": Says(400, errors("'subject' is required"), "rejected message"),
        "domain": Says(403, errors("domain is not verified"), "deferred account sender"),
        "forbidden": Says(403, errors("no permission"), "deferred account"),
        "too fast": Says(429, errors("too many"), "deferred limit"),
        "down": Says(503, "", "deferred provider"),
        "error": Says(500, errors("internal"), "unclear"),
    },
    verify="GET /api/accounts",
    verified=Says(200, [{"id": 1}]),
    look=look,
)


async def test_each_recipient_has_an_id():
    with Provider(PEER) as provider:
        mailer = api_mailer("mailtrap", **provider.settings)
        sent = parcel("hidden@x.example", "bob@x.example", head=b"From: a@b.example\r\nTo: bob@x.example\r\n")
        report = await mailer.send(sent, Crossing())
        await mailer.close()
    assert [outcome.provider_id for outcome in report.outcomes] == ["id-hidden@x.example", "id-bob@x.example"]


async def test_its_log_is_asked_and_other_messages_do_not_count():
    to, head = ("Bob@x.example",), b"From: a@b.example\r\nTo: bob@x.example\r\n"
    sent, other = parcel(*to, head=head), parcel(*to, head=head)
    sought = Sought(id=sent.id, message_id="", recipients=to, since=NOW)
    with Provider(PEER) as provider:
        mailer = api_mailer("mailtrap", **provider.settings)
        await mailer.send(other, Crossing())
        assert await mailer.look(sought) == {}
        await mailer.send(sent, Crossing())
        assert await mailer.look(sought) == {"bob@x.example": "id-Bob@x.example"}
        await mailer.close()


def test_several_recipients_are_asked_for_at_once_and_clocks_may_differ():
    sought = Sought(id=1, message_id="", recipients=("a@x.example", "b@x.example"), since=NOW)
    query = parse_qsl(urlsplit(api_mailer("mailtrap", token=SECRET).api.lookup(sought, {"token": SECRET}).url).query)
    assert [value for name, value in query if name == "filters[to][value][]"] == ["a@x.example", "b@x.example"]
    assert dict(query)["filters[sent_after]"] == "2026-03-01T11:55:00Z"


def test_signed_events_are_believed_and_others_are_not():
    told = {
        "event": "bounce",
        "email": "b@x.example",
        "event_id": "e1",
        "custom_variables": {"secondpost": "0000000000007"},
    }
    body = json.dumps({"events": [told]}).encode()
    signature = hmac.new(b"hook", body, hashlib.sha256).hexdigest()
    mailer = api_mailer("mailtrap", token=SECRET, signing_secret="hook")
    (event,) = mailer.events(Hook(body=body, headers={"mailtrap-signature": signature}), NOW)
    assert (event.kind, event.permanent, event.message, event.event_id) == (Kind.BOUNCED, True, 7, "e1")
    with pytest.raises(HookRefused):
        mailer.events(Hook(body=body), NOW)
