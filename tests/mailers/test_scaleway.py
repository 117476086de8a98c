"""Scaleway Transactional Email, as its API reference documents it."""

from datetime import UTC, datetime

from secondpost.mailers.base import Sought
from tests.mailers.parcels import Crossing, api_mailer, parcel, told
from tests.providers.server import SECRET, Call, Provider, Says, Script, unknown, wanted

BASE = "/transactional-email/v1alpha1/regions/fr-par"
HEAD = (
    b"From: Shop <shop@shop.example>\r\nTo: bob@dest.example\r\nMessage-ID: <1@shop.example>\r\n"
    b"Reply-To: Help <help@shop.example>, desk@shop.example\r\n"
)
KNOWN = ("project_id", "from", "to", "cc", "bcc", "subject", "text", "html", "attachments", "additional_headers")


def recipients(call: Call) -> list[str]:
    return [box["email"] for name in ("to", "cc", "bcc") for box in call.json.get(name, [])]


def fields(call: Call) -> dict[str, str]:
    return {one["key"]: one["value"] for one in call.json.get("additional_headers", [])}


def faults(call: Call) -> list[str]:
    body = call.json
    return [
        *wanted(body, project_id=str, to=list, subject=str, **{"from": dict}),
        *wanted(body["from"], email=str),
        *unknown(body, *KNOWN),
        *[fault for one in body.get("attachments", []) for fault in wanted(one, name=str, type=str, content=str)],
        *[fault for one in body.get("additional_headers", []) for fault in wanted(one, key=str, value=str)],
    ]


def emails(call: Call) -> dict[str, object]:
    told = {"message_id": fields(call).get("Message-ID", "").strip("<>"), "status": "sending"}
    return {"emails": [{"id": f"e-{to}", "mail_rcpt": to, **told} for to in recipients(call)]}


def look(call: Call, taken: list[Call]) -> Says:
    assert call.query["project_id"] == "p1"
    wanted_id = call.query["message_id"]
    found = [one for one in taken if fields(one).get("Message-ID", "").strip("<>") == wanted_id]
    return Says(200, emails(found[0]) if found else {"emails": []})


def error(kind: str, field: str = "", **more: str) -> dict[str, object]:
    details = [{"argument_name": field, "reason": "constraint", "help_message": "no"}] if field else []
    return {"type": kind, "message": "refused", "details": details, **more}


PEER = Script(
    settings={"key": SECRET, "project_id": "p1"},
    send=f"POST {BASE}/emails",
    authorized=lambda call: call.headers.get("x-auth-token") == SECRET,
    unauthorized=Says(401, {"type": "denied_authentication", "message": f"{SECRET} is wrong"}, "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=lambda call: Says(200, emails(call)),
    refusals={
        "short": Says(400, error("invalid_arguments", "subject"), "rejected message unsupported"),
        "attachment": Says(400, error("invalid_arguments", "attachments[0].type"), "rejected message unsupported"),
        "recipient": Says(400, error("invalid_arguments", "to[0].email"), "rejected recipient"),
        "project": Says(400, error("invalid_arguments", "project_id"), "deferred account"),
        "sender": Says(400, error("invalid_arguments", "from.email"), "deferred account sender"),
        "other": Says(400, error("invalid_arguments"), "rejected message"),
        "rights": Says(403, error("permissions_denied"), "deferred account"),
        "quota": Says(403, error("quotas_exceeded"), "deferred limit"),
        "domain": Says(404, error("not_found", resource="domain"), "deferred account sender"),
        "too fast": Says(429, error("too_many_requests"), "deferred limit"),
        "error": Says(500, error("internal_error"), "unclear"),
        "down": Says(503, "", "deferred provider"),
    },
    verify=f"GET {BASE}/domains",
    verified=Says(200, {"domains": [{"name": "shop.example", "status": "checked"}]}),
    look=look,
)


async def test_each_recipient_has_an_id_and_is_found_by_it():
    with Provider(PEER) as provider:
        mailer = api_mailer("scaleway", **provider.settings)
        report = await mailer.send(parcel("bob@dest.example", "ann@dest.example", head=HEAD), Crossing())
        sought = Sought(id=1, message_id="<1@shop.example>", recipients=("bob@dest.example",), since=datetime.now(UTC))
        found = await mailer.look(sought)
        other = await mailer.look(Sought(id=2, message_id="<2@shop.example>", recipients=(), since=datetime.now(UTC)))
        await mailer.close()
    assert [one.provider_id for one in report.outcomes] == ["e-bob@dest.example", "e-ann@dest.example"]
    assert found["bob@dest.example"] == "e-bob@dest.example"
    assert other == {}


async def test_all_of_reply_to_is_carried():
    with Provider(PEER) as provider:
        mailer = api_mailer("scaleway", **provider.settings)
        await mailer.send(parcel(head=HEAD), Crossing())
        await mailer.close()
    assert fields(provider.taken[0])["Reply-To"] == '"Help" <help@shop.example>, desk@shop.example'


async def test_an_attachment_that_it_does_not_take_is_refused_before_sending():
    head = HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n'
    program = b'Content-Disposition: attachment; filename="a.exe"\r\n\r\nx\r\n'
    body = b"--b\r\n\r\nHello, all of you.\r\n--b\r\n%b--b--\r\n" % program
    with Provider(PEER) as provider:
        mailer = api_mailer("scaleway", **provider.settings)
        report = await mailer.send(parcel(head=head, body=body), Crossing())
        await mailer.close()
    assert told(report) == ["rejected message unsupported"]
    assert provider.calls == []
