"""Postal, as its API documentation and its source document it."""

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from secondpost.core.event import Kind
from secondpost.core.outcome import Accepted
from secondpost.errors import HookRefused
from secondpost.mailers.base import Hook
from tests.mailers.parcels import Crossing, api_mailer, parcel, told
from tests.providers.server import SECRET, Call, Provider, Says, Script, unknown, wanted

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PRIVATE = generate_private_key(65537, 2048)
DER = PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
PEM = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def recipients(call: Call) -> list[str]:
    return list(dict.fromkeys(call.json["rcpt_to"]))


def faults(call: Call) -> list[str]:
    return [
        *wanted(call.json, mail_from=str, rcpt_to=list, data=str),
        *unknown(call.json, "mail_from", "rcpt_to", "data", "bounce"),
        *([] if call.json["mail_from"] else ["`mail_from` parameter is required but is missing"]),
        *([] if b"\r\nFrom: " in b"\r\n" + base64.b64decode(call.json["data"]) else ["no From"]),
    ]


def taken(call: Call) -> Says:
    messages = {one: {"id": number, "token": "t"} for number, one in enumerate(recipients(call), 1)}
    return Says(200, {"status": "success", "time": 0.1, "flags": {}, "data": {"message_id": "m", "messages": messages}})


def error(code: str, text: str = "", status: str = "error") -> dict[str, object]:
    return {"status": status, "time": 0.1, "flags": {}, "data": {"code": code, "message": text} if code else {}}


PEER = Script(
    settings={"key": SECRET},
    send="POST /api/v1/send/raw",
    authorized=lambda call: call.headers.get("x-server-api-key") == SECRET,
    unauthorized=Says(200, error("InvalidServerAPIKey", f"The API key {SECRET} is not valid"), "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=taken,
    refusals={
        "denied": Says(200, error("AccessDenied", "Must be authenticated"), "deferred account"),
        "suspended": Says(200, error("ServerSuspended", "The mail server is suspended"), "deferred account"),
        "sender": Says(200, error("UnauthenticatedFromAddress"), "deferred account sender"),
        "nobody": Says(200, error("NoRecipients"), "rejected message"),
        "parameter": Says(200, error("", status="parameter-error"), "rejected message"),
        "another server": Says(200, {"hello": "world"}, "unclear"),
        "too large": Says(413, "", "rejected message unsupported"),
        "down": Says(503, "", "deferred provider"),
    },
    verify="POST /api/v1/messages/message",
    verified=Says(200, error("MessageNotFound", "No message found matching provided ID/token")),
)


async def test_each_recipient_has_an_id_and_one_that_is_not_named_is_in_doubt():
    with Provider(PEER) as provider:
        mailer = api_mailer("postal", **provider.settings)
        two = await mailer.send(parcel("a@x.example", "b@x.example", head=b"From: s@shop.example\r\n"), Crossing())
        provider.fail(taken(Call("", "", {}, {}, b'{"rcpt_to": ["a@x.example"]}')))
        one = await mailer.send(parcel("a@x.example", "b@x.example"), Crossing())
        await mailer.close()
    assert [outcome.provider_id for outcome in two.outcomes] == ["1", "2"]
    assert told(one) == ["accepted", "unclear"]


async def test_the_message_goes_unchanged_below_its_tag():
    sent = parcel(head=b"From: s@shop.example\r\n", sender="")
    with Provider(PEER) as provider:
        mailer = api_mailer("postal", **provider.settings)
        await mailer.send(sent, Crossing())
        await mailer.close()
    (call,) = provider.taken
    tag, _, rest = base64.b64decode(call.json["data"]).partition(b"\r\n")
    assert tag.startswith(b"X-Postal-Tag: ")
    assert rest == sent.message.head + sent.message.body
    assert call.json["mail_from"] == "s@shop.example"


async def test_the_answer_to_verify_says_that_the_key_is_good():
    with Provider(PEER) as provider:
        mailer = api_mailer("postal", **provider.settings)
        assert isinstance((await mailer.verify()).outcome, Accepted)
        await mailer.close()


def hook(event="MessageSent", *, digest=None, tamper=b"", **payload):
    message = {"id": 12, "to": "Bob <b@x.example>", "direction": "outgoing", "tag": "0000000000007"}
    told = {"event": event, "timestamp": 1772366400.5, "uuid": "e1", "payload": {"message": message, **payload}}
    body = json.dumps(told).encode()
    signature = base64.b64encode(PRIVATE.sign(body, PKCS1v15(), digest or SHA256())).decode()
    return Hook(body=body + tamper, headers={"x-postal-signature" if digest else "x-postal-signature-256": signature})


def mailer(key=""):
    return api_mailer("postal", key=SECRET, host="postal.example.com", webhook_key=key)


@pytest.mark.parametrize("key", [base64.b64encode(DER).decode(), PEM])
@pytest.mark.parametrize("digest", [None, SHA1()])  # older versions of Postal
@pytest.mark.parametrize(
    ("name", "kind", "permanent"),
    [
        ("MessageSent", Kind.DELIVERED, False),
        ("MessageDelayed", Kind.DEFERRED, False),
        ("MessageDeliveryFailed", Kind.BOUNCED, True),
        ("DomainDNSError", Kind.UNKNOWN, False),
    ],
)
def test_signed_events_are_believed(key, digest, name, kind, permanent):
    (event,) = mailer(key).events(hook(name, digest=digest, output="250 OK"), NOW)
    assert (event.kind, event.permanent, event.message, event.event_id) == (kind, permanent, 7, "e1")
    assert (event.recipient, event.provider_id, event.text) == ("b@x.example", "12", "250 OK")


def test_a_bounce_is_about_the_original_message():
    bounced = hook("MessageBounced", message=None, original_message={"id": 9, "to": "b@x.example"}, bounce={"id": 10})
    (event,) = mailer(PEM).events(bounced, NOW)
    assert (event.kind, event.provider_id, event.recipient) == (Kind.BOUNCED, "9", "b@x.example")


def test_events_of_incoming_mail_are_left_out():
    assert mailer(PEM).events(hook(message={"id": 1, "direction": "incoming"}), NOW) == []


def test_what_is_not_signed_is_refused():
    for wrong in (hook(tamper=b" "), Hook(body=b"{}"), Hook(body=b"{}", headers={"x-postal-signature": "?"})):
        with pytest.raises(HookRefused, match="signature"):
            mailer(PEM).events(wrong, NOW)


@pytest.mark.parametrize("key", ["", "no key"])
def test_without_a_good_key_nothing_is_believed(key):
    with pytest.raises(HookRefused):
        mailer(key).events(hook(), NOW)
