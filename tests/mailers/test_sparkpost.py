"""SparkPost, as its API reference documents it."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from secondpost.core.event import Kind
from secondpost.core.outcome import Accepted
from secondpost.mailers.base import Hook, Sought
from tests.mailers.parcels import Crossing, api_mailer, parcel, told
from tests.providers.server import SECRET, Call, Provider, Says, Script, unknown, wanted

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def recipients(call: Call) -> list[str]:
    return [one["address"]["email"] for one in call.json["recipients"]]


def faults(call: Call) -> list[str]:
    body = call.json
    return [
        *wanted(body, recipients=list, content=dict, metadata=dict, options=dict),
        *unknown(body, "recipients", "content", "metadata", "options", "campaign_id", "return_path"),
        *wanted(body["content"], email_rfc822=str),
        *([] if body["content"]["email_rfc822"].isascii() else ["the message is not in ASCII"]),
        *([] if body["options"]["perform_substitutions"] is False else ["templates would be filled in"]),
    ]


def look(call: Call, taken: list[Call]) -> Says:
    if call.path != "/api/v1/events/message" or "from" not in call.query:
        return Says(404)
    asked = call.query["recipients"].split(",")
    return Says(200, {"results": [
        {"type": kind, "rcpt_to": to, "rcpt_meta": one.json["metadata"], "transmission_id": "t-1"}
        for one in taken for to in recipients(one) if to in asked for kind in ("injection", "delivery")
    ]})  # fmt: skip


def error(code: str, text: str) -> dict[str, object]:
    return {"errors": [{"message": text, "description": f"{text}, in full", "code": code}]}


def results(accepted: int, rejected: int) -> dict[str, object]:
    told = {"id": "t-1", "total_accepted_recipients": accepted, "total_rejected_recipients": rejected}
    return {"results": told}


PEER = Script(
    settings={"key": SECRET},
    send="POST /api/v1/transmissions",
    authorized=lambda call: call.headers.get("authorization") == SECRET,
    unauthorized=Says(401, {"errors": [{"message": f"Unauthorized {SECRET}"}]}, "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=lambda call: Says(200, results(len(recipients(call)), 0)),
    refusals={
        "domain": Says(400, error("7001", "Invalid domain"), "deferred account sender"),
        "bad payload": Says(422, error("1300", "invalid data format/type"), "rejected message"),
        "missing": Says(422, error("1400", "required field is missing"), "rejected message"),
        "suppressed": Says(422, error("1902", "Message generation rejected"), "rejected recipient"),
        "all rejected": Says(200, results(0, 1), "rejected recipient"),
        "another success": Says(200, {"results": {}}, "unclear"),
        "forbidden": Says(403, {"errors": [{"message": "Forbidden."}]}, "deferred account"),
        "limit": Says(420, error("2102", "Exceed Sending Limit (daily)"), "deferred limit"),
        "limit alone": Says(420, "", "deferred limit"),
        "too large": Says(413, "", "rejected message unsupported"),
        "too fast": Says(429, {"errors": [{"message": "Too many requests"}]}, "deferred limit"),
        "their fault": Says(500, {"errors": [{"message": "Internal"}]}, "unclear"),
        "down": Says(503, "", "deferred provider"),
    },
    verify="GET /api/v1/account",
    verified=Says(200, {"results": {"company_name": "Shop", "status": "active"}}),
    look=look,
)


async def test_some_rejected_without_names_is_a_doubt():
    with Provider(PEER) as provider:
        mailer = api_mailer("sparkpost", **provider.settings)
        provider.fail(Says(200, results(1, 1)))
        assert told(await mailer.send(parcel("a@x.example", "b@x.example"), Crossing())) == ["unclear"] * 2
        provider.fail(Says(200, results(0, 2)))
        assert told(await mailer.send(parcel("a@x.example", "b@x.example"), Crossing())) == ["rejected recipient"] * 2
        await mailer.close()


async def test_a_header_that_would_be_a_template_is_refused_and_a_body_is_not():
    with Provider(PEER) as provider:
        mailer = api_mailer("sparkpost", **provider.settings)
        refused = await mailer.send(parcel(head=b"X-Name: {{ name }}\r\n"), Crossing())
        taken = await mailer.send(parcel(body=b"{{ name }}\r\n"), Crossing())
        await mailer.close()
    assert told(refused) + told(taken) == ["rejected message unsupported", "accepted"]
    assert len(provider.taken) == 1


async def test_the_message_goes_unchanged_to_the_envelope_alone():
    sent = parcel("hidden@dest.example", head=b"To: list@shop.example\r\n")
    with Provider(PEER) as provider:
        mailer = api_mailer("sparkpost", **provider.settings)
        await mailer.send(sent, Crossing())
        await mailer.close()
    (call,) = provider.taken
    assert call.json["content"]["email_rfc822"].encode() == sent.message.head + sent.message.body
    assert recipients(call) == ["hidden@dest.example"]


async def test_it_can_be_asked_what_it_has():
    with Provider(PEER) as provider:
        mailer = api_mailer("sparkpost", **provider.settings)
        sent = parcel()
        sought = Sought(id=sent.id, message_id="", recipients=sent.recipients, since=NOW)
        await mailer.send(parcel(), Crossing())
        assert await mailer.look(sought) == {}
        await mailer.send(sent, Crossing())
        assert await mailer.look(sought) == {"bob@dest.example": "t-1"}
        await mailer.close()


async def test_a_key_that_may_only_send_is_good():
    with Provider(replace(PEER, verified=Says(403, {"errors": [{"message": "Forbidden."}]}))) as provider:
        mailer = api_mailer("sparkpost", **provider.settings)
        assert isinstance((await mailer.verify()).outcome, Accepted)
        await mailer.close()


@pytest.mark.parametrize(
    ("event", "kind", "permanent"),
    [
        ({"type": "delivery"}, Kind.DELIVERED, False),
        ({"type": "bounce", "bounce_class": "10"}, Kind.BOUNCED, True),
        ({"type": "bounce", "bounce_class": "22"}, Kind.BOUNCED, False),
        ({"type": "out_of_band", "bounce_class": "60"}, Kind.AUTORESPONDED, False),
        ({"type": "generation_rejection"}, Kind.REJECTED, False),
        ({"type": "new"}, Kind.UNKNOWN, False),
    ],
)
def test_events(event, kind, permanent):
    told = {"rcpt_to": "b@x.example", "raw_rcpt_to": "B@x.example", "transmission_id": "t-1", "event_id": "e1"}
    more = {"timestamp": "1772366400", "rcpt_meta": {"secondpost": "0000000000007"}}
    body = [{"msys": {"message_event": event | told | more}}, {"msys": {}}]  # the second is a ping
    (found,) = api_mailer("sparkpost", key=SECRET).events(Hook(body=json.dumps(body).encode()), NOW)
    assert (found.kind, found.permanent, found.message, found.event_id) == (kind, permanent, 7, "e1")
    assert (found.recipient, found.provider_id, found.at) == ("B@x.example", "t-1", NOW)
