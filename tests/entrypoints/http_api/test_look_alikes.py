"""Providers' own SDKs, unmodified but for the base URL, send through us and understand our refusals."""

import base64
import json
from email import message_from_bytes
from email.policy import SMTP
from typing import Any

import aiohttp
import boto3
import pytest
import python_http_client
import resend
import resend.exceptions
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError as AmazonError
from mailgun.client import Client as MailgunClient
from postmarker.core import PostmarkClient
from postmarker.exceptions import ClientError as PostmarkError
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import Attachment, Mail

from secondpost.entrypoints.http_api import look_alikes
from secondpost.service import compose

FILE = base64.b64encode(b"file").decode()


async def parsed(api):
    return message_from_bytes(compose.whole(await api.message()), policy=SMTP)


# Postmark -------------------------------------------------------------------------------------------------------------


def postmark(api, key=None):
    return PostmarkClient(server_token=key or api.key, root_api_url=api.url)


async def test_postmarks_client_sends_and_knows_the_message(api):
    answer = await api.in_thread(
        lambda: postmark(api).emails.send(
            From="Shop <shop@example.com>", To=["Anna <anna@example.net>", "b@example.net"], Bcc="c@example.net",
            Subject="Hello", TextBody="Hi!", HtmlBody="<p>Hi!</p>", Tag="receipt", Metadata={"order": "17"},
            Headers={"X-Order": "17"}, Attachments=[("a.txt", FILE, "text/plain")],
        )
    )  # fmt: skip
    assert (answer["ErrorCode"], answer["Message"]) == (0, "OK")
    shown = (await api.get(f"/v1/messages/{answer['MessageID']}")).data
    assert [delivery["recipient"] for delivery in shown["deliveries"]] == [
        "anna@example.net", "b@example.net", "c@example.net",
    ]  # fmt: skip
    assert (shown["tag"], shown["metadata"]) == ("receipt", {"order": "17"})
    message = await parsed(api)
    assert (message["X-Order"], [part.get_content() for part in message.iter_attachments()]) == ("17", ["file"])


async def test_postmarks_batch_is_taken_whole(api):
    emails = [{"From": "s@example.com", "To": f"{name}@example.net", "TextBody": "x"} for name in "ab"]
    answers = await api.in_thread(lambda: postmark(api).emails.send_batch(*emails))
    assert len({answer["MessageID"] for answer in answers}) == 2
    assert len(await api.stored()) == 2


@pytest.mark.parametrize(
    "more",
    [{"TrackOpens": True}, {"TrackLinks": "HtmlOnly"}, {"MessageStream": "x"}, {"To": "x"}, {"From": "a\nb@c.d"}],
)
async def test_postmarks_client_is_told_what_cannot_be(api, more):
    given = {"From": "s@example.com", "To": "a@example.net", "TextBody": "x"} | more
    with pytest.raises(PostmarkError, match="300"):
        await api.in_thread(lambda: postmark(api).emails.send(**given))
    with pytest.raises(PostmarkError, match="Templates"):
        await api.in_thread(
            lambda: postmark(api).emails.send_with_template(
                TemplateId=1, TemplateModel={}, From="s@example.com", To="a@example.net"
            )
        )
    assert await api.stored() == []


async def test_postmarks_client_is_told_of_a_wrong_key(api):
    with pytest.raises(PostmarkError, match=r"\[10\]"):
        await api.in_thread(
            lambda: postmark(api, "wrong").emails.send(From="s@example.com", To="a@example.net", TextBody="x")
        )


# SendGrid -------------------------------------------------------------------------------------------------------------


async def test_sendgrids_client_sends(api):
    mail = Mail("shop@example.com", ["a@example.net", "b@example.net"], "Hello", "Hi!", "<p>Hi!</p>")
    mail.add_attachment(Attachment(FILE, "a.txt", "text/plain"))
    answer = await api.in_thread(lambda: SendGridAPIClient(api.key, host=api.url).send(mail))
    assert answer.status_code == 202
    shown = (await api.get(f"/v1/messages/{answer.headers['X-Message-Id']}")).data
    assert shown["to"] == ["a@example.net", "b@example.net"]
    assert [part.get_content() for part in (await parsed(api)).iter_attachments()] == ["file"]


async def test_each_personalization_of_sendgrids_is_a_message(api):
    mail = Mail("shop@example.com", ["a@example.net", "b@example.net"], "Hello", "Hi!", is_multiple=True)
    await api.in_thread(lambda: SendGridAPIClient(api.key, host=api.url).send(mail))
    assert sorted(row.recipients for row in await api.stored()) == [("a@example.net",), ("b@example.net",)]


async def test_sendgrids_client_is_told_what_cannot_be(api):
    mail = Mail("shop@example.com", "a@example.net", "Hello", "Hi!")
    mail.template_id = "d-1"
    with pytest.raises(python_http_client.BadRequestsError) as caught:
        await api.in_thread(lambda: SendGridAPIClient(api.key, host=api.url).send(mail))
    assert caught.value.to_dict["errors"][0]["field"] == "template_id"
    with pytest.raises(python_http_client.UnauthorizedError):
        await api.in_thread(
            lambda: SendGridAPIClient("x", host=api.url).send(Mail("s@example.com", "a@example.net", "x", "x"))
        )
    assert await api.stored() == []


# Resend ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def resends(api, monkeypatch):
    monkeypatch.setattr(resend, "api_url", api.url)
    monkeypatch.setattr(resend, "api_key", api.key)
    return resend


EMAIL = {"from": "Shop <shop@example.com>", "to": ["a@example.net"], "subject": "Hello", "html": "<p>Hi!</p>"}


async def test_resends_client_sends_and_its_key_makes_it_the_same_message(api, resends):
    given = EMAIL | {
        "attachments": [{"filename": "a.txt", "content": list(b"file")}],
        "tags": [{"name": "o", "value": "1"}],
    }
    one, two = [
        await api.in_thread(lambda: resends.Emails.send(given, {"idempotency_key": "order-17"})) for _ in range(2)
    ]
    assert one["id"] == two["id"]
    assert (await api.get(f"/v1/messages/{one['id']}")).data["metadata"] == {"o": "1"}
    assert [part.get_content() for part in (await parsed(api)).iter_attachments()] == ["file"]


async def test_resends_batch_is_taken_whole_or_not(api, resends):
    answer = await api.in_thread(lambda: resends.Batch.send([EMAIL, EMAIL]))
    assert len(answer["data"]) == 2
    with pytest.raises(resend.exceptions.ResendError):
        await api.in_thread(lambda: resends.Batch.send([EMAIL, EMAIL | {"to": ["x"]}]))
    assert len(await api.stored()) == 2


@pytest.mark.parametrize("more", [{"template": {"id": "x"}}, {"to": ["x"]}, {"headers": {"Bcc": "e@example.org"}}])
async def test_resends_client_is_told_what_cannot_be(api, resends, more):
    with pytest.raises(resend.exceptions.ValidationError):
        await api.in_thread(lambda: resends.Emails.send(EMAIL | more))
    assert await api.stored() == []


# Amazon SES -----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def ses(api):
    made = await api.core.operations.keys.add("ses", signing=True)

    def client(secret: str = made["secret"]):
        return boto3.client(
            "sesv2", endpoint_url=api.url, region_name="eu-west-1", aws_access_key_id=made["access_id"],
            aws_secret_access_key=secret, config=BotoConfig(retries={"total_max_attempts": 1}),
        )  # fmt: skip

    return client


SIMPLE = {"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hi!"}}}}
TO = {"ToAddresses": ["a@example.net"], "BccAddresses": ["b@example.net"]}


async def test_amazons_client_sends_in_parts_and_raw(api, ses):
    answer = await api.in_thread(
        lambda: ses().send_email(FromEmailAddress="shop@example.com", Destination=TO, Content=SIMPLE)
    )
    shown = (await api.get(f"/v1/messages/{answer['MessageId']}")).data
    assert [delivery["recipient"] for delivery in shown["deliveries"]] == ["a@example.net", "b@example.net"]
    raw = {"Raw": {"Data": b"From: shop@example.com\r\nTo: c@example.net\r\n\r\nHi!\r\n"}}
    await api.in_thread(lambda: ses().send_email(Content=raw))
    assert (await api.stored())[0].recipients == ("c@example.net",)


async def test_amazons_client_is_told_of_a_wrong_signature_and_of_what_cannot_be(api, ses):
    given = {"FromEmailAddress": "shop@example.com", "Destination": TO, "Content": SIMPLE}
    for client, more, code in (
        (ses("sps_wrong"), {}, "UnrecognizedClientException"),
        (ses(), {"ConfigurationSetName": "x"}, "BadRequestException"),
        (ses(), {"Destination": {"ToAddresses": ["x"]}}, "BadRequestException"),
    ):
        with pytest.raises(AmazonError) as caught:
            await api.in_thread(lambda client=client, more=more: client.send_email(**(given | more)))
        assert caught.value.response["Error"]["Code"] == code
    bulk = {
        "DefaultContent": {"Template": {"TemplateName": "x", "TemplateData": "{}"}},
        "BulkEmailEntries": [{"Destination": TO}],
    }
    with pytest.raises(AmazonError, match="SendBulkEmail is not available"):
        await api.in_thread(lambda: ses().send_bulk_email(**bulk))
    assert await api.stored() == []


# Mailgun --------------------------------------------------------------------------------------------------------------


def mailguns(api, key=None):
    return MailgunClient(auth=("api", key or api.key), api_url=api.url)


FORM = {"from": "Shop <shop@example.com>", "to": ["a@example.net", "b@example.net"], "subject": "Hello", "text": "Hi!"}


async def test_mailguns_client_sends_in_parts_and_as_mime(api):
    files = [("attachment", ("a.txt", b"file", "text/plain"))]
    answer = await api.in_thread(
        lambda: mailguns(api).messages.create(data=FORM | {"o:tag": ["a"]}, files=files, domain="example.com")
    )
    assert (answer.status_code, answer.json()["message"]) == (200, "Queued. Thank you.")
    assert sorted((await api.stored())[0].recipients) == ["a@example.net", "b@example.net"]
    assert [part.get_content() for part in (await parsed(api)).iter_attachments()] == ["file"]
    given = {"from": "shop@example.com", "to": "a@example.net", "cc": "c@example.net", "subject": "Hello"}
    raw = {"message": b"From: shop@example.com\r\nTo: a@example.net\r\nSubject: Hello\r\n\r\nHi!\r\n"}
    answer = await api.in_thread(lambda: mailguns(api).mimemessage.create(data=given, files=raw, domain="example.com"))
    assert answer.status_code == 200
    assert (await api.stored())[0].recipients == ("a@example.net", "c@example.net")


async def test_mailguns_client_is_told_of_a_wrong_key_and_of_what_cannot_be(api):
    for key, more, status in (("wrong", {}, 401), (None, {"template": "x"}, 400), (None, {"to": "x"}, 400)):
        answer = await api.in_thread(
            lambda key=key, more=more: mailguns(api, key).messages.create(data=FORM | more, domain="example.com")
        )
        assert answer.status_code == status
        assert answer.json()["message"]
    assert await api.stored() == []


async def mailgun(api, path="messages", key=None, **fields):
    form = aiohttp.FormData()
    for name, value in fields.pop("more", []) + list(fields.items()):
        if isinstance(value, bytes):
            form.add_field(name, value, filename="a.txt", content_type="text/plain")
        else:
            form.add_field(name, value)
    auth = aiohttp.encode_basic_auth("api", api.key if key is None else key)
    return await api.post(f"/v3/example.com/{path}", data=form, headers={"Authorization": auth})


async def test_mailguns_form_is_taken(api):
    more = [("to", "c@example.net"), ("h:X-Order", "17"), ("v:order", "17"), ("o:tag", "a"), ("o:tracking", "no")]
    fields = {"from": "Shop <shop@example.com>", "to": "Anna <a@example.net>, b@example.net", "subject": "Hello"}
    answer = await mailgun(api, more=[*more, ("attachment", b"file")], text="Hi!", **fields)
    assert (answer.status, answer.data["message"]) == (200, "Queued. Thank you.")
    (row,) = await api.stored()
    assert sorted(row.recipients) == ["a@example.net", "b@example.net", "c@example.net"]
    message = await parsed(api)
    assert (message["X-Order"], [part.get_content() for part in message.iter_attachments()]) == ("17", ["file"])


async def test_mailguns_mime_is_taken(api):
    raw = b"From: shop@example.com\r\nTo: x@example.net\r\n\r\nHi!\r\n"
    assert (await mailgun(api, "messages.mime", to="a@example.net", message=raw)).status == 200
    assert (await api.stored())[0].recipients == ("a@example.net",)


@pytest.mark.parametrize(
    ("name", "value"), [("template", "x"), ("o:testmode", "yes"), ("recipient-variables", "{}"), ("to", "x")]
)
async def test_mailguns_client_is_told_what_cannot_be(api, name, value):
    answer = await mailgun(api, **({"from": "s@example.com", "to": "a@example.net", "text": "x"} | {name: value}))
    assert answer.status == 400
    assert answer.data["message"]
    assert (await mailgun(api, key="", text="x")).status == 401
    assert await api.stored() == []


# All ------------------------------------------------------------------------------------------------------------------

SENDGRID: dict[str, Any] = {
    "personalizations": [{"to": [{"email": "a@example.net"}]}], "from": {"email": "s@example.com"},
    "content": [{"type": "text/plain", "value": "x"}],
}  # fmt: skip
POSTMARK = {"From": "s@example.com", "To": "a@example.net", "TextBody": "x"}
RESEND = {"from": "s@example.com", "to": "a@example.net", "text": "x"}
TWICE = [{"Name": "X-A", "Value": "1"}, {"Name": "X-A", "Value": "2"}]
MAILGUN = "/v3/example.com/messages"
URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}
ODD: list[tuple[str, str, dict[str, str]]] = [
    (MAILGUN, '["a"]', {}),
    (MAILGUN, "[", {}),
    (f"{MAILGUN}.mime", '[["to"]]', {}),
    (MAILGUN, "x", {"Content-Type": "multipart/form-data"}),
    (MAILGUN, "&".join(["to=a@example.net"] * 3000), URLENCODED),
    (MAILGUN, "from=s@example.com&from=t@example.com&to=a@example.net&text=x", URLENCODED),
    (MAILGUN, "from=s@example.com&to=a@example.net&text=x&h:X-A=1&h:X-A=2", URLENCODED),
    ("/v3/mail/send", json.dumps(SENDGRID | {"send_at": 10**18}), {}),
    ("/v3/mail/send", json.dumps(SENDGRID | {"send_at": -(10**18)}), {}),
    ("/v3/mail/send", json.dumps(SENDGRID | {"content": SENDGRID["content"] * 2}), {}),
    ("/v3/mail/send", json.dumps(SENDGRID | {"template_id": "d-1"}), {}),
    ("/email", json.dumps(POSTMARK | {"Headers": TWICE}), {}),
    ("/email", '{"From": NaN}', {}),
    ("/email/batch", json.dumps({"Messages": [POSTMARK]}), {}),
    ("/emails", json.dumps(RESEND | {"topic_id": "x"}), {}),
    ("/emails", json.dumps(RESEND | {"attachments": [{"content": [256]}]}), {}),
    ("/emails", "[" * 10_000, {}),
]


async def test_no_odd_request_is_taken_for_a_fault_of_ours_or_taken_in_part(api):
    basic = aiohttp.encode_basic_auth("api", api.key)
    for path, body, more in ODD:
        headers = {"X-Postmark-Server-Token": api.key} | ({"Authorization": basic} if path.startswith(MAILGUN) else {})
        answer = await api.post(path, data=body, headers=headers | more)
        assert answer.status in {400, 422}, (path, body[:80], answer.text)
    assert await api.stored() == []


async def test_a_feature_that_only_the_provider_has_is_named(api):
    answer = await api.post("/v3/mail/send", json=SENDGRID | {"template_id": "d-1"})
    assert answer.data["errors"] == [
        {"field": "template_id", "message": "It is not available through Secondpost. Nothing was sent.", "help": None}
    ]


async def test_a_file_as_nodes_buffer_is_taken(api):
    file = {"filename": "a.txt", "content": {"type": "Buffer", "data": list(b"file")}}
    assert (await api.post("/emails", json=RESEND | {"attachments": [file]})).status == 200
    assert [part.get_content() for part in (await parsed(api)).iter_attachments()] == ["file"]


async def test_no_look_alike_opens_without_a_key_or_without_the_scope(api):
    reader = await api.make_key("read")
    for route in (*look_alikes.ROUTES, *look_alikes.ses.ROUTES):
        path = route.path.replace("{domain}", "example.com")
        assert (await api.post(path, key="", data=b"{}")).status in {401, 403}, path
        basic = aiohttp.encode_basic_auth("api", reader)
        tries = ({"Authorization": f"Bearer {reader}"}, {"Authorization": basic}, {"X-Postmark-Server-Token": reader})
        for headers in tries:
            assert 400 <= (await api.post(path, key="", data=b"{}", headers=headers)).status < 500, path
    assert await api.stored() == []
