"""SendLayer, as its developer pages document it."""

from tests.providers.server import SECRET, Call, Says, Script, unknown, wanted

KNOWN = (
    "From", "To", "CC", "BCC", "ReplyTo", "Subject", "ContentType", "HTMLContent", "PlainContent", "Headers", "Tags",
    "Attachments",
)  # fmt: skip


def recipients(call: Call) -> list[str]:
    return [box["email"] for name in ("To", "CC", "BCC") for box in call.json.get(name, [])]


def faults(call: Call) -> list[str]:
    body = call.json
    return [
        *wanted(body, To=list, Subject=str),
        *wanted(body["From"], email=str),
        *unknown(body, *KNOWN),
        *([] if body["ContentType"] in {"HTML", "Text"} else ["ContentType is HTML or Text"]),
        *([] if len(body["To"]) <= 10 else ["more than ten in To"]),
    ]


def error(code: int, text: str = "no") -> dict[str, object]:
    return {"Errors": [{"Code": code, "Message": text}]}


PEER = Script(
    settings={"key": SECRET},
    send="POST /api/v1/email",
    authorized=lambda call: call.headers.get("authorization") == f"Bearer {SECRET}",
    unauthorized=Says(401, error(1, f"Invalid key {SECRET}"), "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=lambda call: Says(200, {"MessageID": "sl-1"}),
    refusals={
        "field": Says(400, error(5, "Subject is missing"), "rejected message"),
        "suppressed": Says(400, error(14, "bob@dest.example is suppressed"), "rejected recipient"),
        "quota": Says(400, error(17), "deferred limit"),
        "domain": Says(400, error(32), "deferred account sender"),
        "too fast": Says(429, {}, "deferred limit"),
        "entity": Says(422, {"Error": "no"}, "rejected message"),
        "down": Says(503, "", "deferred provider"),
    },
    verify="GET /api/v1/events",
    verified=Says(200, {"Events": []}),
)
