"""Amazon SES, as its API reference documents it; signatures are checked with Amazon's own code."""

import base64
import json
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from moto.server import ThreadedMotoServer

from secondpost.core.event import Kind
from secondpost.core.ids import id_text
from secondpost.core.outcome import Accepted
from secondpost.errors import HookRefused, HookUnproven
from secondpost.mailers.base import Hook
from tests.mailers.parcels import Crossing, api_mailer, parcel, told
from tests.providers.server import SECRET, Call, Provider, Says, Script, unknown, wanted

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-central-1:123456789012:mail"
KNOWN = ("Content", "Destination", "EmailTags", "ConfigurationSetName")


def certified() -> tuple[rsa.RSAPrivateKey, bytes]:
    """A key, and the certificate that Amazon would hand out for it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(1).not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=1))
    return key, built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


KEY, CERTIFICATE = certified()


def authorized(call: Call) -> bool:
    """Whether Amazon's own code comes to the same signature."""
    given = call.headers.get("authorization", "")
    if "/eu-central-1/ses/aws4_request" not in given:
        return not given and call.path.endswith(".pem")
    names = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    url = f"https://{call.headers['host']}{call.path}"
    request = AWSRequest(call.method, url, {name: call.headers[name] for name in names}, call.body)
    request.context["timestamp"] = call.headers["x-amz-date"]
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", SECRET), "ses", "eu-central-1")
    canonical = signer.canonical_request(request)
    expected = signer.signature(signer.string_to_sign(request, canonical), request)
    return given.endswith(f"Signature={expected}")


def faults(call: Call) -> list[str]:
    body = call.json
    to = body["Destination"]["ToAddresses"]
    content = base64.b64decode(body["Content"]["Raw"]["Data"], validate=True)
    return [
        *wanted(body, Content=dict, Destination=dict, EmailTags=list),
        *unknown(body, *KNOWN),
        *([] if 1 <= len(to) <= 50 else ["1 to 50 recipients"]),
        *([] if content.isascii() else ["not in seven bits"]),
        *([] if not message_from_bytes(content)["Bcc"] else ["a Bcc field"]),
    ]


def refusal(name: str, text: str, status: int = 400, means: str = "") -> Says:
    return Says(status, {"message": text}, means, {"x-amzn-ErrorType": f"{name}:http://internal.amazon.com/coral/"})


PEER = Script(
    settings={"access_key": "AKIDEXAMPLE", "secret_key": SECRET, "region": "eu-central-1"},
    send="POST /v2/email/outbound-emails",
    authorized=authorized,
    unauthorized=refusal("SignatureDoesNotMatch", "The request signature does not match.", 403, "deferred account"),
    recipients=lambda call: call.json["Destination"]["ToAddresses"],
    faults=faults,
    taken=lambda call: Says(200, {"MessageId": "0100018a-1"}),
    refusals={
        "unverified": refusal(
            "MessageRejected", "Email address is not verified. The following: a@b", means="deferred account sender"
        ),
        "rejected": refusal("MessageRejected", "Message contained a virus.", means="rejected message"),
        "mail from": refusal("MailFromDomainNotVerifiedException", "No MX record.", means="deferred account sender"),
        "suspended": refusal("AccountSuspendedException", "Suspended.", means="deferred account"),
        "paused": refusal("SendingPausedException", "Paused.", means="deferred account"),
        "bad request": refusal("BadRequestException", "Missing final '@domain'", means="rejected message"),
        "quota": refusal("ThrottlingException", "Daily message quota exceeded.", means="deferred limit"),
        "rate": refusal("TooManyRequestsException", "Too many requests.", 429, means="deferred limit"),
        "no such set": refusal("NotFoundException", "Configuration set <x> does not exist", 404, "deferred account"),
        "denied": refusal("AccessDeniedException", "not authorized to perform ses:SendEmail", 403, "deferred account"),
        "expired": refusal("ExpiredTokenException", "The token has expired", 403, "deferred account"),
        "xml": Says(
            403, "<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error></ErrorResponse>", "deferred account"
        ),
        "large": Says(413, {"message": "Request entity too large"}, "rejected message unsupported"),
        "internal": refusal("InternalFailure", "An internal failure.", 500, "unclear"),
        "unavailable": Says(503, {"message": "Service Unavailable"}, "deferred provider"),
    },
    verify="GET /v2/email/account",
    verified=Says(
        200,
        {"SendingEnabled": True, "ProductionAccessEnabled": False,
         "SendQuota": {"Max24HourSend": 200.0, "MaxSendRate": 1.0, "SentLast24Hours": 7.0}},
    ),
    look=lambda call, taken: Says(200, CERTIFICATE.decode()),
)  # fmt: skip


# Signing in -----------------------------------------------------------------------------------------------------------


async def test_signing_in_tells_the_quota_and_the_sandbox():
    with Provider(PEER) as peer:
        mailer = api_mailer("ses", **peer.settings)
        verdict = await mailer.verify()
        await mailer.close()
    assert verdict.details == {"sent in 24 hours": "7", "of": "200", "account": "in the sandbox"}


async def test_an_account_that_may_not_send_is_not_usable():
    with Provider(replace(PEER, verified=Says(200, {"SendingEnabled": False}))) as peer:
        mailer = api_mailer("ses", **peer.settings)
        verdict = await mailer.verify()
        await mailer.close()
    assert not isinstance(verdict.outcome, Accepted)


async def test_temporary_credentials_are_signed_too():
    with Provider(PEER) as peer:
        mailer = api_mailer("ses", **peer.settings, session_token="session-canary", configuration_set="news")
        assert told(await mailer.send(parcel(), Crossing())) == ["accepted"]
        await mailer.close()
        (call,) = peer.taken
    assert call.headers["x-amz-security-token"] == "session-canary"
    assert "x-amz-security-token" in call.headers["authorization"]
    assert call.json["ConfigurationSetName"] == "news"


# Somebody else's Amazon -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def amazon():
    """moto, which checks every signature: its URL, and the key of a user who may send."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    options: Any = {"endpoint_url": url, "region_name": "eu-central-1"} | dict.fromkeys(
        ("aws_access_key_id", "aws_secret_access_key"), "x"
    )
    iam = boto3.client("iam", **options)
    iam.create_user(UserName="mail")
    key = iam.create_access_key(UserName="mail")["AccessKey"]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ses:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="mail", PolicyName="send", PolicyDocument=json.dumps(document))
    boto3.client("sesv2", **options).create_email_identity(EmailIdentity="shop@shop.example")
    reset = urllib.request.Request(f"{url}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"}, method="POST")
    urllib.request.urlopen(reset).close()
    keys = {"access_key": key["AccessKeyId"], "secret_key": key["SecretAccessKey"]}
    yield {"host": url, "private_addresses": True, "region": "eu-central-1", **keys}
    server.stop()


async def test_moto_takes_the_message_as_it_is(amazon):
    mailer = api_mailer("ses", **amazon)
    sent = parcel("bob@dest.example", head=b"From: Shop <shop@shop.example>\r\nTo: bob@dest.example\r\n")
    report = await mailer.send(sent, Crossing())
    await mailer.close()
    assert told(report) == ["accepted"], report
    with urllib.request.urlopen(f"{amazon['host']}/moto-api/data.json") as answer:
        (kept,) = json.load(answer)["ses"]["RawMessage"]
    assert kept["raw_data"].replace("\r\n", "\n").endswith("\n\nHello.\n")
    assert "bob@dest.example" in str(kept["destinations"])


@pytest.mark.parametrize(
    ("change", "means"),
    [({"secret_key": "wrong"}, "deferred account"), ({"access_key": "AKIANOBODY"}, "deferred account")],
)  # fmt: skip
async def test_moto_refuses_keys_that_are_not_right(amazon, change, means):
    mailer = api_mailer("ses", **{**amazon, **change})
    assert told(await mailer.send(parcel(), Crossing())) == [means]
    await mailer.close()


# Webhooks, which come by SNS ------------------------------------------------------------------------------------------


FIELDS = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


def signed(message: Any, kind: str = "Notification", version: str = "2", **changes: Any) -> Hook:
    value = {
        "Type": kind, "MessageId": "m-1", "TopicArn": TOPIC, "Timestamp": "2026-03-01T12:00:00.000Z",
        "Message": message if isinstance(message, str) else json.dumps(message), "SignatureVersion": version,
        "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-1.pem",
    }  # fmt: skip
    value |= {name: changes.pop(name) for name in list(changes) if name in ("Token", "SubscribeURL", "Timestamp")}
    text = "".join(f"{name}\n{value[name]}\n" for name in FIELDS[kind] if name in value)
    digest: Any = hashes.SHA256() if version == "2" else hashes.SHA1()
    value["Signature"] = base64.b64encode(KEY.sign(text.encode(), padding.PKCS1v15(), digest)).decode()
    return Hook(body=json.dumps(value | changes).encode())


def bounce(mark: str) -> dict[str, Any]:
    return {
        "eventType": "Bounce",
        "mail": {"messageId": "0100-1", "destination": ["a@b.example"], "tags": {"secondpost": [mark]}},
        "bounce": {
            "bounceType": "Permanent", "timestamp": "2026-03-01T11:59:00.000Z",
            "bouncedRecipients": [{"emailAddress": "a@b.example", "diagnosticCode": "smtp; 550 5.1.1 unknown"}],
        },
    }  # fmt: skip


@pytest.fixture
def peer():
    with Provider(PEER) as peer:
        yield peer


@pytest.fixture
async def mailer(peer):
    mailer = api_mailer("ses", **peer.settings, topic=TOPIC)
    yield mailer
    await mailer.close()


MAIL = {"messageId": "0100-1", "destination": ["a@b.example", "c@d.example"], "tags": {"secondpost": [id_text(7)]}}
LATE = {"delayType": "MailboxFull", "delayedRecipients": [{"emailAddress": "c@d.example", "diagnosticCode": "4.2.2"}]}


@pytest.mark.parametrize(
    ("told", "kind", "about"),
    [
        ({"eventType": "DeliveryDelay", "deliveryDelay": LATE}, Kind.DEFERRED, {"c@d.example": "4.2.2"}),
        (
            {"eventType": "Rendering Failure", "failure": {"errorMessage": "no name"}},
            Kind.FAILED,
            dict.fromkeys(MAIL["destination"], "no name"),
        ),
        ({"eventType": "Reject", "reject": {"reason": "Bad content"}}, Kind.REJECTED, {"a@b.example": "Bad content"}),
        (
            {"notificationType": "Complaint", "complaint": {"complainedRecipients": [{"emailAddress": "c@d.example"}]}},
            Kind.COMPLAINED,
            {"c@d.example": ""},
        ),
    ],
)
async def test_each_kind_of_event_says_of_whom_and_why(mailer, told, kind, about):
    events = await mailer.hear(signed({"mail": MAIL, **told}), NOW)
    assert {event.kind for event in events} == {kind}
    assert about.items() <= {event.recipient: event.text for event in events}.items()


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_bounce_says_of_whom_and_that_it_will_not_pass(mailer, version):
    (event,) = await mailer.hear(signed(bounce(id_text(7)), version=version), NOW)
    assert (event.kind, event.recipient, event.message, event.permanent) == (Kind.BOUNCED, "a@b.example", 7, True)
    assert event.text == "smtp; 550 5.1.1 unknown"
    assert event.provider_id == "0100-1"


@pytest.mark.parametrize(
    "changes",
    [{"Message": "{}"}, {"Signature": "AAAA"}, {"Signature": "?"}, {"TopicArn": TOPIC + "2"}, {"Type": "Other"},
     {"SignatureVersion": "3"}, {"SigningCertURL": "https://sns.evil.example/x.pem"}, {"Timestamp": "2026-03-01"},
     {"SigningCertURL": "https://sns.eu-central-1.amazonaws.com.evil.example/x.pem"}, {"SigningCertURL": 7}],
)  # fmt: skip
async def test_what_is_not_amazons_is_refused(mailer, changes):
    given = json.loads(signed(bounce(id_text(7))).body) | changes
    with pytest.raises(HookRefused):
        await mailer.hear(Hook(body=json.dumps(given).encode()), NOW)


async def test_an_old_one_that_comes_again_is_refused(mailer):
    with pytest.raises(HookRefused, match="long ago"):
        await mailer.hear(signed(bounce(id_text(7)), Timestamp="2026-03-01T11:00:00.000Z"), NOW)


async def test_without_a_topic_nothing_is_believed(peer):
    mailer = api_mailer("ses", **peer.settings)
    with pytest.raises(HookRefused, match="SNS Topic ARN"):
        await mailer.hear(signed(bounce(id_text(7))), NOW)
    await mailer.close()


async def test_a_subscription_is_confirmed_once_it_is_believed(mailer, peer):
    url = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&Token=t-1"
    hook = signed("You have chosen", "SubscriptionConfirmation", Token="t-1", SubscribeURL=url)
    confirmed = replace(PEER, authorized=lambda call: True)
    peer.script = confirmed
    assert await mailer.hear(hook, NOW) == []
    assert peer.calls[-1].query == {"Action": "ConfirmSubscription", "Token": "t-1"}
    assert "authorization" not in peer.calls[-1].headers


async def test_a_certificate_that_cannot_be_had_makes_amazon_come_again(mailer, peer):
    peer.script = replace(PEER, look=lambda call, taken: Says(500, "no"))
    with pytest.raises(HookUnproven):
        await mailer.hear(signed(bounce(id_text(7))), NOW)


async def test_plain_words_of_sns_tell_nothing(mailer):
    assert await mailer.hear(signed("Successfully validated SNS topic for Amazon SES event publishing."), NOW) == []
