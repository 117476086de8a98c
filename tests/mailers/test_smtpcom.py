"""SMTP.com, as its API and its Python client document it."""

from tests.mailers.parcels import Crossing, api_mailer, parcel
from tests.providers.server import SECRET, Call, Provider, Says, Script, unknown, wanted


def recipients(call: Call) -> list[str]:
    return [one["address"] for one in call.json["recipients"]["to"]]


def faults(call: Call) -> list[str]:
    body = call.json
    return [
        *wanted(body, channel=str, originator=dict, recipients=dict, mime=str),
        *wanted(body["originator"]["from"], address=str),
        *unknown(body, "channel", "originator", "recipients", "mime"),
    ]


PEER = Script(
    settings={"key": SECRET, "channel": "shop"},
    send="POST /v4/messages/mime",
    authorized=lambda call: call.headers.get("authorization") == f"Bearer {SECRET}",
    unauthorized=Says(401, {"status": "fail", "data": {"api_key": f"{SECRET} is wrong"}}, "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=lambda call: Says(200, {"status": "success", "data": {"message": "accepted msg_id: sc-1"}}),
    refusals={
        "field": Says(400, {"status": "fail", "data": {"channel": "is unknown"}}, "rejected message"),
        "in a success": Says(200, {"status": "fail", "data": {"mime": "is broken"}}, "rejected message"),
        "an error in a success": Says(200, {"status": "error", "message": "no"}, "unclear"),
        "another success": Says(200, {"hello": "world"}, "unclear"),
        "too fast": Says(429, {"status": "fail", "data": {}}, "deferred limit"),
        "down": Says(503, "", "deferred provider"),
        "error": Says(500, {"status": "error"}, "unclear"),
    },
    verify="GET /v4/account",
    verified=Says(200, {"status": "success", "data": {}}),
)


async def test_a_message_beyond_ascii_arrives_whole():
    head = b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n"
    with Provider(PEER) as provider:
        mailer = api_mailer("smtpcom", **provider.settings)
        report = await mailer.send(parcel(head=head, body=b"Gr\xfc\xdfe\r\n"), Crossing())
        await mailer.close()
    assert report.outcomes[0].provider_id == "sc-1"
    (call,) = provider.taken
    assert call.json["mime"].isascii()
    assert "=FC=DF" in call.json["mime"] or "R3L83" in call.json["mime"]
