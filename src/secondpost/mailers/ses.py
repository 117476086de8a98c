"""Amazon SES, API version 2: https://docs.aws.amazon.com/ses/latest/APIReference-V2/"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from secondpost.core.event import Event, Kind
from secondpost.core.outcome import Accepted, Outcome
from secondpost.mailers import api, hooks, sns
from secondpost.mailers.base import Abilities, Hook, Setting
from secondpost.mailers.parts import Letter, seven_bit
from secondpost.wire.sigv4 import Signed, scope, signature

CODES: Final = {
    "MailFromDomainNotVerifiedException": api.sender, "MessageRejected": api.message,
    "AccountSuspendedException": api.account, "SendingPausedException": api.account, "NotFoundException": api.account,
    "AccessDeniedException": api.account, "UnrecognizedClientException": api.account,
    "InvalidClientTokenId": api.account, "InvalidSignatureException": api.account, "SignatureDoesNotMatch": api.account,
    "IncompleteSignature": api.account, "ExpiredToken": api.account, "ExpiredTokenException": api.account,
    "NotAuthorized": api.account, "RequestExpired": api.account, "OptInRequired": api.account,
    "TooManyRequestsException": api.limit, "ThrottlingException": api.limit, "Throttling": api.limit,
    "LimitExceededException": api.limit,
    "BadRequestException": api.message, "InternalFailure": api.unclear, "InternalServiceErrorException": api.unclear,
}  # fmt: skip
KINDS: Final = {
    "Send": Kind.SENT, "Delivery": Kind.DELIVERED, "Bounce": Kind.BOUNCED, "Complaint": Kind.COMPLAINED,
    "Reject": Kind.REJECTED, "Rendering Failure": Kind.FAILED, "DeliveryDelay": Kind.DEFERRED, "Open": Kind.OPENED,
    "Click": Kind.CLICKED,
}  # fmt: skip
DETAILS: Final = {"Rendering Failure": "failure", "DeliveryDelay": "deliveryDelay"}  # else its name in lower case
TEXTS: Final = ("reason", "smtpResponse", "delayType", "errorMessage")
CONCERNED: Final = ("bouncedRecipients", "complainedRecipients", "delayedRecipients")
REGIONS: Final = (
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "us-gov-east-1", "us-gov-west-1", "ca-central-1", "ca-west-1",
    "mx-central-1", "sa-east-1", "eu-central-1", "eu-central-2", "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1",
    "eu-south-1", "eu-south-2", "il-central-1", "me-central-1", "me-south-1", "af-south-1", "ap-east-2", "ap-south-1",
    "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5",
    "ap-southeast-6", "ap-southeast-7", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3",
)  # fmt: skip
SIGNED: Final = ("content-type", "host", "x-amz-date", "x-amz-security-token")
_XML_CODE: Final = re.compile(r"<Code>([^<]{1,100})</Code>")


class Ses(api.Api):
    """Takes the message as it is, to at most fifty recipients at once."""

    name: ClassVar[str] = "ses"
    title: ClassVar[str] = "Amazon SES"
    site: ClassVar[str] = "https://docs.aws.amazon.com/ses/latest/APIReference-V2/"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="access_key", label="Access Key ID", required=True,
            help="In AWS: IAM, a user with the permissions ses:SendEmail, ses:SendRawEmail and ses:GetAccount.",
        ),
        Setting(
            name="secret_key", label="Secret Access Key", kind="secret", required=True,
            help="It is shown once, with its Access Key ID. The credentials for SMTP are others.",
        ),
        Setting(
            name="region", label="Region", kind="choice", default="us-east-1", choices=REGIONS,
            help="Where SES is set up.",
        ),
        Setting(
            name="configuration_set", label="Configuration Set",
            help="Needed for webhooks: its event destination is an SNS topic with an HTTPS subscription.",
        ),
        Setting(
            name="topic", label="SNS Topic ARN", help="The topic whose webhooks are believed. Only for webhooks.",
        ),
        Setting(
            name="session_token", label="Session Token", kind="secret", advanced=True,
            help="Only with temporary credentials. Nothing renews them.",
        ),
        *api.SHARED,
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(max_bytes=28_000_000, max_recipients=50, events=True, international=False)
    notes: ClassVar[tuple[str, ...]] = (
        "Message-ID and Date become those of Amazon.",
        "A new account is in the sandbox: it may write to verified addresses only.",
        "It cannot be asked whether it took a message; a doubt waits for the webhook.",
        "Webhooks come by SNS; the gateway confirms the subscription by itself.",
    )

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        value: dict[str, Any] = {
            "Content": {"Raw": {"Data": base64.b64encode(seven_bit(letter.content)).decode()}},
            "Destination": {"ToAddresses": list(letter.recipients)},
            "EmailTags": [{"Name": "secondpost", "Value": letter.mark}],
        }
        if settings["configuration_set"]:
            value["ConfigurationSetName"] = settings["configuration_set"]
        return api.post(f"{_url(settings)}/outbound-emails", {}, value)

    def outcome(self, response: api.Response, letter: Letter) -> Outcome:
        if response.ok:
            return Accepted(response.reply("accepted"), str(response.dig("MessageId") or ""))
        code, said = _code(response), str(response.dig("message") or response.dig("Message") or "")
        reply = response.reply(f"{code}: {said}" if code and said else None)
        if code == "MessageRejected" and "not verified" in said.lower():
            return api.sender(response, reply)
        judge = CODES.get(code)
        return judge(response, reply) if judge else api.by_status(response, said)

    def verify(self, settings: api.Values) -> api.Request:
        return api.get(f"{_url(settings)}/account", {})

    def verified(self, response: api.Response) -> tuple[Outcome, Mapping[str, str]]:
        if not response.ok:
            return self.outcome(response, Letter(content=b"", sender="", recipients=())), {}
        if response.dig("SendingEnabled") is False:
            return api.account(response, "sending is switched off for this account in this region"), {}
        quota = response.dig("SendQuota") or {}
        told = {"sent in 24 hours": quota.get("SentLast24Hours"), "of": quota.get("Max24HourSend")}
        sandbox = {} if response.dig("ProductionAccessEnabled") else {"account": "in the sandbox"}
        return Accepted(response.reply("signed in")), {
            **{k: f"{v:g}" for k, v in told.items() if v is not None},
            **sandbox,
        }

    async def sign(self, request: api.Request, settings: api.Values, now: datetime) -> api.Request:
        """Signature Version 4. The host that counts is the one that is really called."""
        url, at = urlsplit(request.url), now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        own = str(settings["host"] or "")
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers |= {"host": urlsplit(own if "://" in own else f"//{own}").netloc or url.netloc, "x-amz-date": at}
        if settings["session_token"]:
            headers["x-amz-security-token"] = settings["session_token"]
        names = tuple(name for name in SIGNED if name in headers)
        signed = Signed(method=request.method, path=url.path, headers=headers, names=names, body=request.body)
        proof = signature(signed, settings["secret_key"], settings["region"])
        credential = f"{settings['access_key']}/{scope(at, settings['region'])}"
        headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={';'.join(names)}, Signature={proof}"
        )
        return replace(request, headers=headers)

    def proof(self, hook: Hook, settings: api.Values) -> api.Request:
        return sns.certificate(hook)

    def events(self, hook: Hook, settings: api.Values, now: datetime) -> list[Event]:
        told = sns.believed(hook, hooks.key(settings, "topic", "SNS Topic ARN"), now)
        if told["Type"] == sns.CONFIRMATION:
            return []
        try:
            message = json.loads(str(told.get("Message")))
        except ValueError:  # SNS tells in plain words that it was set up
            return []
        return [event for one in hooks.each(message) for event in _events(one, str(told.get("MessageId")), now)]

    def answer(self, hook: Hook, settings: api.Values) -> api.Request | None:
        return sns.subscription(hook)


def _url(settings: api.Values) -> str:
    return f"https://email.{settings['region']}.amazonaws.com/v2/email"


def _code(response: api.Response) -> str:
    """The error's name: in the header, or in the body as JSON or as XML."""
    told = response.headers.get("x-amzn-errortype") or response.dig("__type") or response.dig("code")
    if told:
        return str(told).partition(":")[0].rpartition("#")[2]
    found = _XML_CODE.search(response.text)
    return found[1] if found else ""


def _events(told: Mapping[str, Any], event_id: str, now: datetime) -> list[Event]:
    """One event for each recipient that it is about."""
    name = str(told.get("eventType") or told.get("notificationType"))
    kind = KINDS.get(name, Kind.UNKNOWN)
    mail, detail = told.get("mail") or {}, told.get(DETAILS.get(name, name.lower())) or {}
    about = [one for field in CONCERNED for one in hooks.each(detail.get(field) or [])]
    whom = [(str(one.get("emailAddress")), str(one.get("diagnosticCode") or "")) for one in about]
    whom = whom or [(str(one), "") for one in detail.get("recipients") or mail.get("destination") or []]
    marks = (mail.get("tags") or {}).get("secondpost") or [None]
    return [
        Event(
            kind=kind,
            at=hooks.when(detail.get("timestamp") or mail.get("timestamp"), now),
            recipient=recipient,
            provider_id=str(mail.get("messageId") or ""),
            message=hooks.ours(marks[0]),
            event_id=f"{event_id}-{recipient}",
            permanent=detail.get("bounceType") == "Permanent",
            text=(said or next((str(detail[name]) for name in TEXTS if detail.get(name)), ""))[:500],
        )
        for recipient, said in whom
    ]
