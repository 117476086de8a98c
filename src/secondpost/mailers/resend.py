"""Resend: https://resend.com/docs/api-reference"""

import base64
import hmac
from binascii import Error
from collections.abc import Mapping
from datetime import datetime, timedelta
from mimetypes import MimeTypes
from typing import Any, ClassVar, Final

from secondpost.core.event import Event, Kind
from secondpost.core.outcome import Accepted, Outcome
from secondpost.errors import HookRefused
from secondpost.mailers import api, hooks
from secondpost.mailers.base import Abilities, Hook, Setting
from secondpost.mailers.parts import File, Letter, Mailbox, field_text

URL: Final = "https://api.resend.com"
NAMES: Final = {
    "missing_api_key": api.account, "restricted_api_key": api.account, "invalid_api_key": api.account,
    "suspended_api_key": api.account, "daily_quota_exceeded": api.limit, "monthly_quota_exceeded": api.limit,
    "security_error": api.message, "concurrent_idempotent_requests": api.unclear,
    "invalid_idempotent_request": api.unclear,  # they had this key before: they may have the message
}  # fmt: skip
BAD_ADDRESS: Final = ("invalid `to`", "invalid `cc`", "invalid `bcc`")
KINDS: Final = {
    "email.scheduled": Kind.QUEUED, "email.sent": Kind.SENT, "email.delivered": Kind.DELIVERED,
    "email.delivery_delayed": Kind.DEFERRED, "email.bounced": Kind.BOUNCED, "email.complained": Kind.COMPLAINED,
    "email.failed": Kind.FAILED, "email.suppressed": Kind.REJECTED, "email.opened": Kind.OPENED,
    "email.clicked": Kind.CLICKED,
}  # fmt: skip
_TYPES: Final = MimeTypes()


class Resend(api.Api):
    """Takes a message apart, and the same message once by its key."""

    name: ClassVar[str] = "resend"
    title: ClassVar[str] = "Resend"
    site: ClassVar[str] = "https://resend.com/docs/api-reference"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="key", label="API Key", kind="secret", required=True,
            help="In Resend: API Keys. Sending access is enough. It begins with re_.",
        ),
        Setting(
            name="signing_secret", label="Webhook Signing Secret", kind="secret",
            help="In Resend: Webhooks, the webhook's details. It begins with whsec_. Only for webhooks.",
        ),
        *api.SHARED,
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(
        raw=False, max_bytes=40_000_000, max_recipients=50, idempotency=timedelta(hours=24), events=True,
        alternatives=False, international=False, no_subject=False,
    )  # fmt: skip
    notes: ClassVar[tuple[str, ...]] = (
        "A key for the same message holds for a day.",
        "An attachment whose name and type disagree goes by its name: Resend would drop the message without a word.",
        "An event of a message to several recipients does not say whose it is.",
    )

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        parts = letter.parts
        body: dict[str, Any] = {
            "from": field_text([parts.author]),
            "to": _texts(parts.to),
            "cc": _texts(parts.cc),
            "bcc": _texts(parts.bcc),
            "reply_to": _texts(parts.reply_to),
            "subject": parts.subject,
            "html": parts.html,
            "text": parts.text or ("" if parts.html else " "),
            "headers": dict(letter.headers) | ({"Message-ID": parts.message_id} if parts.message_id else {}),
            "tags": [
                {"name": "secondpost", "value": letter.mark},
                {"name": "recipients", "value": str(len(letter.recipients))},
            ],
            "attachments": [_attachment(file) for file in parts.files],
        }
        headers = _key(settings) | ({"Idempotency-Key": letter.key} if letter.key else {})
        return api.post(f"{URL}/emails", headers, {name: value for name, value in body.items() if value})

    def outcome(self, response: api.Response, letter: Letter) -> Outcome:
        name, said = str(response.dig("name") or ""), str(response.dig("message") or "")
        reply = response.reply(said)
        if response.ok:
            return Accepted(reply, str(response.dig("id") or ""))
        if name in NAMES:
            return NAMES[name](response, reply)
        if name == "validation_error" and response.status == 403:
            return api.sender(response, reply)
        if any(words in said.lower() for words in BAD_ADDRESS):
            return api.recipient(response, reply)
        return api.by_status(response, said)

    def verify(self, settings: api.Values) -> api.Request:
        return api.get(f"{URL}/domains", _key(settings))

    def verified(self, response: api.Response) -> tuple[Outcome, Mapping[str, str]]:
        """A key that may only send is not shown the domains, and is good."""
        said = response.dig("message")
        if response.dig("name") == "restricted_api_key":
            return Accepted(response.reply(said)), {"key": "sending access"}
        judged = api.account if response.status == 400 else api.by_status
        return judged(response, response.reply(said)), {}

    def events(self, hook: Hook, settings: api.Values, now: datetime) -> list[Event]:
        _check(hook, hooks.key(settings, "signing_secret", "Webhook Signing Secret"), now)
        return [_event(one, hook.headers["svix-id"], now) for one in hooks.each(hooks.body(hook))]


def _key(settings: api.Values) -> dict[str, str]:
    return {"Authorization": f"Bearer {settings['key']}"}


def _texts(boxes: tuple[Mailbox, ...]) -> list[str]:
    return [field_text([box]) for box in boxes]


def _attachment(file: File) -> dict[str, str]:
    by_name, _ = _TYPES.guess_type(file.name)
    content = {"filename": file.name, "content": file.encoded}
    kind = {"content_type": file.full_type} if by_name in {None, file.type} else {}
    return content | kind | ({"content_id": file.cid} if file.inline else {})


def _check(hook: Hook, secret: str, now: datetime) -> None:
    """HMAC over the id, the time and the body; one of several signatures while a secret is renewed."""
    names = ("svix-id", "svix-timestamp", "svix-signature")
    told, time, given = (hook.headers.get(name, "") for name in names)
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (Error, ValueError):
        raise HookRefused("The Webhook Signing Secret is not one of Resend's, so no webhook can be believed.") from None
    expected = f"v1,{hooks.base64_hmac(key, f'{told}.{time}.'.encode() + hook.body)}".encode()
    if not any(hmac.compare_digest(one.encode(), expected) for one in given.split()):
        raise HookRefused("The signature of the webhook is not Resend's. Nothing in it was believed.")
    hooks.check_age(time, now)


def _event(told: Mapping[str, Any], event_id: str, now: datetime) -> Event:
    data = told.get("data") or {}
    tags, bounce = _tags(data.get("tags")), data.get("bounce") or {}
    to = data.get("to") or [""]
    return Event(
        kind=KINDS.get(str(told.get("type")), Kind.UNKNOWN),
        at=hooks.when(told.get("created_at"), now),
        recipient=str(to[0]) if tags.get("recipients") == "1" else "",
        provider_id=str(data.get("email_id") or ""),
        message=hooks.ours(tags.get("secondpost")),
        event_id=event_id,
        permanent=bounce.get("type") == "Permanent",
        text=str(bounce.get("message") or (data.get("failed") or {}).get("reason") or "")[:500],
    )


def _tags(told: Any) -> dict[str, str]:
    """Tags by their names: as they were sent, or as an object."""
    if isinstance(told, dict):
        return {str(name): str(value) for name, value in told.items()}
    return {str(one.get("name")): str(one.get("value")) for one in hooks.each(told)}
