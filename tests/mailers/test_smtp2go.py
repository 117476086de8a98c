"""SMTP2GO, as its API reference documents it."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from email.parser import BytesParser
from email.utils import getaddresses
from urllib.parse import urlencode

import pytest

from secondpost.core.event import Kind
from secondpost.mailers.base import Hook, Sought
from tests.mailers.parcels import Crossing, api_mailer, parcel, told
from tests.providers.server import SECRET, Call, Provider, Says, Script, unknown, wanted

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MARK = "X-Secondpost-Message"


def mail(call: Call):
    return BytesParser().parsebytes(base64.b64decode(call.json["mime_email"]))


def recipients(call: Call) -> list[str]:
    fields = [value for name in ("To", "Cc", "Bcc") for value in mail(call).get_all(name, [])]
    return [address for _, address in getaddresses(fields)]


def faults(call: Call) -> list[str]:
    return [
        *wanted(call.json, mime_email=str),
        *unknown(call.json, "mime_email", "fastaccept", "schedule"),
        *([] if recipients(call) else ["no recipients"]),
    ]


def look(call: Call, taken: list[Call]) -> Says:
    if call.path != "/v3/activity/search":
        return Says(404)
    asked = call.json["search"].split(" | ")
    events = [
        {"event": "processed", "recipient": to, "email_id": "e-1", "custom_headers": {MARK: mail(one)[MARK]}}
        for one in taken
        for to in recipients(one)
        if to in asked and call.json["custom_headers"] == [MARK]
    ]
    return Says(200, {"request_id": "r", "data": {"events": events, "total_events": len(events)}})


def error(code: str, text: str) -> dict[str, object]:
    return {"request_id": "r", "data": {"error": text, "error_code": f"E_ApiResponseCodes.{code}"}}


def done(taken: int, failures: list[object]) -> dict[str, object]:
    told = {"succeeded": taken, "failed": len(failures), "failures": failures, "email_id": "e-1"}
    return {"request_id": "r", "data": told}


PEER = Script(
    settings={"key": SECRET},
    send="POST /v3/email/mime",
    authorized=lambda call: call.headers.get("x-smtp2go-api-key") == SECRET,
    unauthorized=Says(401, error("API_EXCEPTION", f"The api_key {SECRET} is not known"), "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=lambda call: Says(200, done(len(recipients(call)), [])),
    refusals={
        "no permission": Says(400, error("ENDPOINT_PERMISSION_DENIED", "no permission"), "deferred account"),
        "payload": Says(400, error("NON_VALIDATING_IN_PAYLOAD", "mime_email is not valid"), "rejected message"),
        "at the top": Says(400, {"error": "no", "error_code": "ENDPOINT_PERMISSION_DENIED"}, "deferred account"),
        "all failed": Says(200, done(0, ["the message was refused"]), "rejected message"),
        "sender": Says(200, done(0, ["the sender is not verified"]), "deferred account sender"),
        "some failed": Says(200, done(1, ["bob@dest.example"]), "unclear"),
        "another success": Says(200, {"hello": "world"}, "unclear"),
        "unpaid": Says(402, error("API_EXCEPTION", "no credit"), "deferred limit"),
        "forbidden": Says(403, error("API_EXCEPTION", "no"), "deferred account"),
        "too fast": Says(429, error("API_EXCEPTION", "slow down"), "deferred limit"),
        "down": Says(503, "", "deferred provider"),
    },
    verify="POST /v3/api_keys/permissions",
    verified=Says(200, {"request_id": "r", "data": {"permissions": ["/email/mime", "/email/send"]}}),
    look=look,
)


async def test_hidden_recipients_stand_in_bcc():
    sent = parcel("bob@dest.example", "eve@dest.example", head=b"To: bob@dest.example\r\n")
    with Provider(PEER) as provider:
        mailer = api_mailer("smtp2go", **provider.settings)
        assert told(await mailer.send(sent, Crossing())) == ["accepted"] * 2
        await mailer.close()
    assert mail(provider.taken[0])["Bcc"] == "eve@dest.example"


async def test_whoever_the_header_names_must_be_meant():
    with Provider(PEER) as provider:
        mailer = api_mailer("smtp2go", **provider.settings)
        report = await mailer.send(parcel(head=b"To: bob@dest.example, eve@dest.example\r\n"), Crossing())
        await mailer.close()
    assert told(report) == ["rejected message unsupported"]
    assert not provider.calls


async def test_it_can_be_asked_what_it_has():
    with Provider(PEER) as provider:
        mailer = api_mailer("smtp2go", **provider.settings)
        sent, other = parcel(head=b"To: bob@dest.example\r\n"), parcel(head=b"To: bob@dest.example\r\n")
        sought = Sought(id=sent.id, message_id="", recipients=sent.recipients, since=NOW)
        await mailer.send(other, Crossing())
        assert await mailer.look(sought) == {}
        await mailer.send(sent, Crossing())
        assert await mailer.look(sought) == {"bob@dest.example": "e-1"}
        await mailer.close()


@pytest.mark.parametrize(
    ("permissions", "good"),
    [(["/email/mime"], True), (["/email/*"], True), (["*"], True), (["/email/send"], False), ([], False)],
)
async def test_a_key_that_may_not_send_is_not_good(permissions, good):
    script = replace(PEER, verified=Says(200, {"data": {"permissions": permissions}}))
    with Provider(script) as provider:
        mailer = api_mailer("smtp2go", **provider.settings)
        verdict = await mailer.verify()
        await mailer.close()
    assert (getattr(verdict.outcome, "fault", None) is None) is good


@pytest.mark.parametrize("written", [json.dumps, urlencode])
@pytest.mark.parametrize(
    ("event", "kind", "permanent"),
    [
        ({"event": "delivered"}, Kind.DELIVERED, False),
        ({"event": "bounce", "bounce": "hard"}, Kind.BOUNCED, True),
        ({"event": "bounce", "bounce": "soft"}, Kind.BOUNCED, False),
        ({"event": "reject"}, Kind.REJECTED, False),
        ({"event": "new"}, Kind.UNKNOWN, False),
    ],
)
def test_events(written, event, kind, permanent):
    told = event | {"rcpt": "b@x.example", "email_id": "e-1", "time": "2026-03-01T11:00:00Z", MARK: "0000000000007"}
    mailer = api_mailer("smtp2go", key=SECRET)
    (found,) = mailer.events(Hook(body=written(told).encode()), NOW)
    assert (found.kind, found.permanent, found.message) == (kind, permanent, 7)
    assert (found.recipient, found.provider_id) == ("b@x.example", "e-1")
