"""Cloudflare Email Sending, as its API reference documents it."""

import pytest

from tests.mailers.parcels import Crossing, api_mailer, parcel, told
from tests.providers.server import SECRET, Call, Provider, Says, Script, unknown, wanted


def recipients(call: Call) -> list[str]:
    return [str(one) for one in call.json["recipients"]]


def faults(call: Call) -> list[str]:
    body = call.json
    return [
        *wanted(body, recipients=list, mime_message=str, **{"from": str}),
        *unknown(body, "from", "recipients", "mime_message"),
        *([] if body["from"] else ["from is empty"]),
        *([] if 0 < len(body["recipients"]) <= 50 else ["not 1 to 50 recipients"]),
    ]


def error(code: int, text: str = "no") -> dict[str, object]:
    said = [{"code": code, "message": f"email.sending.error.{text}"}]
    return {"success": False, "errors": said, "messages": [], "result": None}


def success(delivered: list[str], bounced: list[str], **more: list[str]) -> dict[str, object]:
    result = {"delivered": delivered, "permanent_bounces": bounced, "queued": [], "suppressed_recipients": []}
    return {
        "success": True,
        "errors": [],
        "messages": [],
        "result": result | {"message_id": "<1@cf.example>"} | more,
    }


PEER = Script(
    settings={"token": SECRET, "account": "a1"},
    send="POST /client/v4/accounts/a1/email/sending/send_raw",
    authorized=lambda call: call.headers.get("authorization") == f"Bearer {SECRET}",
    unauthorized=Says(401, error(10101, f"authentication.unauthorized {SECRET}"), "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=lambda call: Says(200, success(recipients(call), [])),
    refusals={
        "bounced": Says(200, success([], ["bob@dest.example"]), "rejected recipient"),
        "suppressed": Says(200, success([], [], suppressed_recipients=["bob@dest.example"]), "rejected recipient"),
        "suppressed, as an error": Says(400, error(10299, "email.recipient_suppressed"), "rejected recipient"),
        "sender": Says(403, error(10298, "email.sender_not_configured"), "deferred account sender"),
        "nobody is named": Says(200, success([], []), "unclear"),
        "schema": Says(400, error(10001, "invalid_request_schema"), "rejected message"),
        "too big": Says(400, error(10200, "email.too_big"), "rejected message unsupported"),
        "invalid": Says(400, error(10202, "email.invalid"), "rejected message"),
        "a token of another form": Says(400, error(6003, "Invalid request headers"), "deferred account"),
        "forbidden": Says(403, error(10102, "authentication.forbidden"), "deferred account"),
        "not entitled": Says(403, error(10105, "authentication.not_entitled"), "deferred account"),
        "disabled": Says(403, error(10203, "email.sending_disabled"), "deferred account sender"),
        "unknown account": Says(404, error(10000, "not_found"), "deferred account"),
        "too fast": Says(429, error(10004, "throttled"), "deferred limit"),
        "error": Says(500, error(10002, "internal_server"), "unclear"),
        "not implemented": Says(500, error(10003, "not_implemented"), "rejected provider"),
        "down": Says(503, error(10100, "authentication.upstream"), "deferred provider"),
        "no success": Says(200, {"success": False, "errors": []}, "unclear"),
    },
    verify="GET /client/v4/user/tokens/verify",
    verified=Says(200, {"success": True, "result": {"id": "t1", "status": "active"}}),
)


async def test_who_bounced_is_told_apart():
    with Provider(PEER) as provider:
        lists = {"queued": ["cy@dest.example"], "suppressed_recipients": ["di@dest.example"]}
        provider.fail(Says(200, success(["ann@dest.example"], ["Bob@dest.example"], **lists)))
        mailer = api_mailer("cloudflare", **provider.settings)
        sent = parcel(*(f"{name}@dest.example" for name in ("ann", "bob", "cy", "di", "ed")))
        report = await mailer.send(sent, Crossing())
        await mailer.close()
    assert told(report) == ["accepted", "rejected recipient", "accepted", "rejected recipient", "unclear"]
    assert report.outcomes[0].provider_id == "1@cf.example"


async def test_a_message_without_a_sender_goes_by_its_author():
    head = b"From: Shop <shop@shop.example>\r\nTo: bob@dest.example\r\n"
    with Provider(PEER) as provider:
        mailer = api_mailer("cloudflare", **provider.settings)
        report = await mailer.send(parcel(sender="", head=head), Crossing())
        await mailer.close()
    assert told(report) == ["accepted"]
    assert provider.taken[0].json["from"] == "shop@shop.example"


@pytest.mark.parametrize(
    ("token", "path"),
    [("cfat_1", "/client/v4/accounts/a1/tokens/verify"), ("cfut_1", "/client/v4/user/tokens/verify")],
)
def test_a_token_is_checked_where_it_belongs(token, path):
    mailer = api_mailer("cloudflare", token=token, account="a1")
    assert mailer.api.verify({"token": token, "account": "a1"}).url.endswith(path)


@pytest.mark.parametrize("state", ["disabled", "expired"])
async def test_a_token_that_is_no_longer_active_is_not_good(state):
    script = Script(**{
        **{name: getattr(PEER, name) for name in PEER.__dataclass_fields__},
        "verified": Says(200, {"success": True, "result": {"id": "t1", "status": state}}),
    })  # fmt: skip
    with Provider(script) as provider:
        mailer = api_mailer("cloudflare", **provider.settings)
        verdict = await mailer.verify()
        await mailer.close()
    assert verdict.outcome.fault.value == "account"
