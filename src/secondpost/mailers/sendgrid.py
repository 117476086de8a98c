"""SendGrid: https://www.twilio.com/docs/sendgrid/api-reference"""

import base64
from binascii import Error
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from secondpost.core.event import Event, Kind
from secondpost.core.outcome import Accepted, Outcome
from secondpost.errors import HookRefused
from secondpost.mailers import api, hooks
from secondpost.mailers.base import Abilities, Hook, Setting
from secondpost.mailers.parts import File, Letter, objects

URLS: Final = {"global": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}
KINDS: Final = {
    "processed": Kind.QUEUED, "dropped": Kind.REJECTED, "delivered": Kind.DELIVERED, "deferred": Kind.DEFERRED,
    "bounce": Kind.BOUNCED, "open": Kind.OPENED, "click": Kind.CLICKED, "spamreport": Kind.COMPLAINED,
    "unsubscribe": Kind.UNSUBSCRIBED, "group_unsubscribe": Kind.UNSUBSCRIBED, "group_resubscribe": Kind.SUBSCRIBED,
}  # fmt: skip
RESERVED: Final = frozenset({"x-sg-id", "x-sg-eid"})


class SendGrid(api.Api):
    """Takes a message apart. Suppressed recipients are accepted, and dropped later."""

    name: ClassVar[str] = "sendgrid"
    title: ClassVar[str] = "SendGrid"
    site: ClassVar[str] = "https://www.twilio.com/docs/sendgrid/api-reference"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="key", label="API Key", kind="secret", required=True,
            help="In SendGrid: Settings, API Keys. Restricted access with Mail Send is enough.",
        ),
        Setting(name="region", label="Region", kind="choice", default="global", choices=("global", "eu")),
        Setting(
            name="webhook_key", label="Webhook Verification Key",
            help="In SendGrid: Settings, Mail Settings, Event Webhook, Signature Verification: the public key.",
        ),
        *api.SHARED,
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(
        raw=False, max_bytes=30_000_000, max_recipients=1000, events=True, left_out=RESERVED, international=False,
        no_subject=False,
    )  # fmt: skip
    notes: ClassVar[tuple[str, ...]] = (
        "Names of attachments beyond ASCII may arrive garbled.",
        "A suppressed recipient is accepted, and then reported as dropped by the webhook.",
    )

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        parts = letter.parts
        who = {
            name: objects(boxes) for name, boxes in (("to", parts.to), ("cc", parts.cc), ("bcc", parts.bcc)) if boxes
        }
        body: dict[str, Any] = {
            "personalizations": [{**who, "custom_args": {"secondpost": letter.mark}}],
            "from": objects([parts.author])[0],
            "reply_to_list": objects(parts.reply_to),
            "subject": parts.subject,
            "content": _content(letter),
            "attachments": [_attachment(file) for file in parts.files],
            "headers": dict(letter.headers) | ({"Message-ID": parts.message_id} if parts.message_id else {}),
        }
        return api.post(
            f"{URLS[settings['region']]}/v3/mail/send",
            _key(settings),
            {key: value for key, value in body.items() if value},
        )

    def outcome(self, response: api.Response, letter: Letter) -> Outcome:
        said = _said(response)
        if response.ok:
            return Accepted(response.reply(said), response.headers.get("x-message-id", ""))
        words = said.lower()
        if response.status == 401 and "credits" in words:
            return api.limit(response, response.reply(said))
        if response.status == 403:
            judge = api.sender if "sender identity" in words or "from address" in words else api.account
            return judge(response, response.reply(said))
        return api.by_status(response, said)

    def verify(self, settings: api.Values) -> api.Request:
        return api.get(f"{URLS[settings['region']]}/v3/scopes", _key(settings))

    def verified(self, response: api.Response) -> tuple[Outcome, Mapping[str, str]]:
        scopes = response.dig("scopes")
        if response.ok and isinstance(scopes, list) and "mail.send" not in scopes:
            return api.account(response, "the API key may not send: give it Mail Send"), {}
        return api.by_status(response, _said(response)), {}

    def events(self, hook: Hook, settings: api.Values, now: datetime) -> list[Event]:
        _check(hook, hooks.key(settings, "webhook_key", "Webhook Verification Key"), now)
        return [_event(one, now) for one in hooks.each(hooks.body(hook))]


def _key(settings: api.Values) -> dict[str, str]:
    return {"Authorization": f"Bearer {settings['key']}"}


def _content(letter: Letter) -> list[dict[str, str]]:
    """Plain, HTML, then the others, as SendGrid wants them. An empty one is refused: none at all is a space."""
    parts = letter.parts
    known = [
        ("text/plain", parts.text),
        ("text/html", parts.html),
        *[(form.full_type, form.text) for form in parts.forms],
    ]
    return [{"type": kind, "value": text} for kind, text in known if text] or [{"type": "text/plain", "value": " "}]


def _attachment(file: File) -> dict[str, str]:
    placed = {"disposition": "inline", "content_id": file.cid} if file.inline else {"disposition": "attachment"}
    return {
        "content": file.encoded, "type": file.full_type, "filename": file.name, **placed,
    }  # fmt: skip


def _said(response: api.Response) -> str:
    return "; ".join(str(one.get("message", "")) for one in response.dig("errors") or [] if isinstance(one, dict))


def _check(hook: Hook, key: str, now: datetime) -> None:
    """ECDSA over the time and the body. Raises HookRefused."""
    prefix = "x-twilio-email-event-webhook-"
    time = hook.headers.get(f"{prefix}timestamp", "")
    try:
        public = load_der_public_key(base64.b64decode(key))
        assert isinstance(public, EllipticCurvePublicKey)
        signature = base64.b64decode(hook.headers.get(f"{prefix}signature", ""))
        public.verify(signature, time.encode() + hook.body, ECDSA(SHA256()))
    except (InvalidSignature, Error, ValueError, AssertionError):
        raise HookRefused("The signature of the webhook is not SendGrid's. Nothing in it was believed.") from None
    hooks.check_age(time, now)


def _event(told: Mapping[str, Any], now: datetime) -> Event:
    kind = KINDS.get(str(told.get("event")), Kind.UNKNOWN)
    return Event(
        kind=kind,
        at=hooks.when(told.get("timestamp"), now),
        recipient=str(told.get("email") or ""),
        provider_id=str(told.get("sg_message_id") or "").partition(".")[0],
        message=hooks.ours(told.get("secondpost")),
        event_id=str(told.get("sg_event_id") or ""),
        permanent=kind is Kind.BOUNCED and told.get("type") != "blocked",
        text=str(told.get("reason") or told.get("response") or "")[:500],
    )
