"""Zoho ZeptoMail, as its API reference documents it."""

from tests.mailers.parcels import Crossing, api_mailer, parcel, told
from tests.providers.server import SECRET, Call, Provider, Says, Script, unknown, wanted

KNOWN = (
    "from", "to", "cc", "bcc", "reply_to", "subject", "textbody", "htmlbody", "mime_headers", "client_reference",
    "attachments", "inline_images",
)  # fmt: skip


def recipients(call: Call) -> list[str]:
    return [one["email_address"]["address"] for name in ("to", "cc", "bcc") for one in call.json.get(name, [])]


def faults(call: Call) -> list[str]:
    body = call.json
    return [
        *wanted(body, to=list, subject=str, **{"from": dict}),
        *wanted(body["from"], address=str),
        *unknown(body, *KNOWN),
        *[fault for one in body.get("attachments", []) for fault in wanted(one, name=str, content=str, mime_type=str)],
        *[fault for one in body.get("inline_images", []) for fault in wanted(one, cid=str, content=str, mime_type=str)],
    ]


def error(code: str, detail: str, target: str = "") -> dict[str, object]:
    details = [{"code": detail, "message": "no", "target": target}]
    return {"error": {"code": code, "message": "refused", "details": details, "request_id": "r"}}


SUCCESS = {
    "data": [{"code": "EM_104", "additional_info": [], "message": "Email request received"}],
    "message": "OK", "request_id": "z-1", "object": "email",
}  # fmt: skip

PEER = Script(
    settings={"key": SECRET},
    send="POST /v1.1/email",
    authorized=lambda call: call.headers.get("authorization") == f"Zoho-enczapikey {SECRET}",
    unauthorized=Says(401, error("TM_4001", "SERR_157"), "deferred account"),
    recipients=recipients,
    faults=faults,
    taken=lambda call: Says(201, SUCCESS),
    refusals={
        "field": Says(400, error("TM_3201", "GE_102", "subject"), "rejected message"),
        "json": Says(400, error("TM_3301", "SM_101"), "rejected message"),
        "type": Says(400, error("TM_3301", "SM_120"), "rejected message unsupported"),
        "attachments": Says(400, error("TM_8001", "SM_127"), "rejected message unsupported"),
        "credits": Says(400, error("TM_3501", "LE_101"), "deferred limit"),
        "day": Says(403, error("TM_3601", "SMI_115"), "deferred limit"),
        "address": Says(403, error("TM_3601", "SERR_156"), "deferred account"),
        "blocked": Says(403, error("TM_3601", "AE_101"), "deferred account"),
        "review": Says(400, error("TM_4001", "SM_128"), "deferred account"),
        "sender": Says(400, error("TM_4001", "SM_111", "from"), "deferred account sender"),
        "recipient": Says(400, error("TM_4001", "SM_113", "to"), "rejected recipient"),
        "reply": Says(400, error("TM_4001", "SM_113", "reply_to"), "rejected message"),
        "too fast": Says(429, "", "deferred limit"),
        "error": Says(500, "", "unclear"),
        "down": Says(503, "", "deferred provider"),
    },
    verify="POST /v1.1/email/template",
    verified=Says(400, error("TM_3201", "GE_102", "mail_template_key")),
)


async def test_an_image_of_the_html_goes_by_its_id_and_a_file_by_its_name():
    head = b'From: shop@shop.example\r\nTo: bob@dest.example\r\nContent-Type: multipart/related; boundary="b"\r\n'
    body = (
        b'--b\r\nContent-Type: text/html\r\n\r\n<img src="cid:logo">\r\n'
        b"--b\r\nContent-Type: image/png\r\nContent-ID: <logo>\r\nContent-Disposition: inline\r\n\r\nx\r\n"
        b'--b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename="a.csv"\r\n\r\ny\r\n--b--\r\n'
    )
    with Provider(PEER) as provider:
        mailer = api_mailer("zeptomail", **provider.settings)
        report = await mailer.send(parcel(head=head, body=body), Crossing())
        await mailer.close()
    assert told(report) == ["accepted"]
    assert report.outcomes[0].provider_id == "z-1"
    (call,) = provider.taken
    assert [one["cid"] for one in call.json["inline_images"]] == ["logo"]
    assert [one["name"] for one in call.json["attachments"]] == ["a.csv"]


def test_the_data_center_is_in_the_address():
    mailer = api_mailer("zeptomail", key=SECRET, region="eu")
    assert mailer.api.verify({"key": SECRET, "region": "eu"}).url.startswith("https://api.zeptomail.eu/")
