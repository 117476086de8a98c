"""Mandrill, also named Mailchimp Transactional: https://mailchimp.com/developer/transactional/api/"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl

from secondpost.core.event import Event, Kind
from secondpost.core.outcome import Accepted, Outcome
from secondpost.errors import HookRefused
from secondpost.mailers import api, hooks
from secondpost.mailers.base import Abilities, Hook, Setting, Sought
from secondpost.mailers.parts import Letter, seven_bit

URL: Final = "https://mandrillapp.com/api/1.4"
NAMES: Final = {
    "Invalid_Key": api.account, "PaymentRequired": api.limit, "Unknown_Subaccount": api.account,
    "ValidationError": api.message, "GeneralError": api.unclear, "ServiceUnavailable": api.later,
}  # fmt: skip
REASONS: Final = {
    "invalid-sender": api.sender,
    "unsigned": api.sender,
    "test-mode-limit": api.limit,
    "rule": api.message,
}
KINDS: Final = {
    "send": Kind.SENT, "deferral": Kind.DEFERRED, "hard_bounce": Kind.BOUNCED, "soft_bounce": Kind.BOUNCED,
    "open": Kind.OPENED, "click": Kind.CLICKED, "spam": Kind.COMPLAINED, "unsub": Kind.UNSUBSCRIBED,
    "reject": Kind.REJECTED, "delivered": Kind.DELIVERED,
}  # fmt: skip
SEARCHED: Final = 20  # recipients that a look-up asks for at once
_COMMANDS: Final = re.compile(rb"(?im)^X-MC-[^\n]*\n(?:[ \t][^\n]*\n)*")  # its own fields: nobody else may command it


class Mandrill(api.Api):
    """Takes the message as it is, with an envelope of its own, and answers for each recipient."""

    name: ClassVar[str] = "mandrill"
    title: ClassVar[str] = "Mandrill"
    site: ClassVar[str] = "https://mailchimp.com/developer/transactional/api/"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="key", label="API Key", kind="secret", required=True,
            help="In Mandrill: Settings, SMTP & API Info. A test key delivers nothing.",
        ),
        Setting(
            name="webhook_key", label="Webhook Key", kind="secret",
            help="In Mandrill: Settings, Webhooks. Only for webhooks.",
        ),
        *api.SHARED,
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(max_bytes=25_000_000, max_recipients=1000, lookup=True, events=True)
    notes: ClassVar[tuple[str, ...]] = (
        "Header fields that begin with X-MC- are commands to Mandrill, so they are taken out of your messages.",
    )
    body_tells: ClassVar[bool] = True  # 200 with a refusal for each recipient

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        head, end, body = seven_bit(letter.content).partition(b"\r\n\r\n")
        mark = f"X-MC-Metadata: {json.dumps({'secondpost': letter.mark})}\r\n".encode()
        content = mark + _COMMANDS.sub(b"", head + b"\r\n") + end[2:] + body
        value = {
            "key": settings["key"], "raw_message": content.decode("utf-8", "replace"), "to": list(letter.recipients),
            "from_email": letter.parts.author.email, "from_name": letter.parts.author.name, "async": False,
        }  # fmt: skip
        return api.post(f"{URL}/messages/send-raw", {}, value)

    def outcome(self, response: api.Response, letter: Letter) -> Outcome | list[Outcome]:
        told = response.json()
        if response.ok and isinstance(told, list):
            each = {str(one.get("email")).lower(): _one(response, one) for one in told}
            silent = api.unclear(response, response.reply("no word about this recipient"))
            return [each.get(recipient.lower(), silent) for recipient in letter.recipients]
        return _refused(response)

    def verify(self, settings: api.Values) -> api.Request:
        return api.post(f"{URL}/users/ping2", {}, {"key": settings["key"]})

    def verified(self, response: api.Response) -> tuple[Outcome, Mapping[str, str]]:
        return (api.by_status(response) if response.ok else _refused(response)), {}

    def lookup(self, sought: Sought, settings: api.Values) -> api.Request:
        value = {
            "key": settings["key"],
            "query": " OR ".join(f"full_email:{recipient}" for recipient in sought.recipients[:SEARCHED]),
            "date_from": sought.since.astimezone(UTC).strftime("%Y-%m-%d"),
            "limit": 1000,
        }
        return api.post(f"{URL}/messages/search", {}, value)

    def found(self, response: api.Response, sought: Sought) -> Mapping[str, str]:
        """Who was rejected was never sent to, and is named by none of their copies."""
        return {
            str(one.get("email", "")).lower(): str(one.get("_id", ""))
            for one in hooks.each(response.json())
            if _marked(one) == sought.mark and one.get("state") != "rejected"
        }

    def events(self, hook: Hook, settings: api.Values, now: datetime) -> list[Event]:
        fields = sorted(parse_qsl(hook.body.decode("utf-8", "replace"), keep_blank_values=True))
        signed = hook.url + "".join(name + value for name, value in fields)
        secret = hooks.key(settings, "webhook_key", "Webhook Key")
        expected = hooks.base64_hmac(secret.encode(), signed.encode(), hashlib.sha1)
        hooks.check(hook.headers.get("x-mandrill-signature", ""), expected)
        try:
            told = json.loads(dict(fields).get("mandrill_events", ""))
        except ValueError:
            raise HookRefused("The webhook has no events that can be read. Nothing in it was believed.") from None
        return [_event(one, now) for one in hooks.each(told)]


def _one(response: api.Response, told: Mapping[str, Any]) -> Outcome:
    status, reason = str(told.get("status")), str(told.get("reject_reason") or "")
    if status in {"sent", "queued", "scheduled"}:
        return Accepted(response.reply(status), str(told.get("_id") or ""))
    if status in {"rejected", "invalid"}:
        return REASONS.get(reason, api.recipient)(response, response.reply(f"{status}: {reason}"))
    return api.unclear(response, response.reply(status))


def _marked(told: Mapping[str, Any]) -> Any:
    metadata = told.get("metadata")
    return metadata.get("secondpost") if isinstance(metadata, dict) else None


def _refused(response: api.Response) -> Outcome:
    """Its name says what it is; its status is 500 more often than not."""
    name, said = response.dig("name"), response.dig("message")
    judge = NAMES.get(str(name))
    return judge(response, response.reply(f"{name}: {said}")) if judge else api.by_status(response, said)


def _event(told: Mapping[str, Any], now: datetime) -> Event:
    message, name = told.get("msg") or {}, str(told.get("event"))
    return Event(
        kind=KINDS.get(name, Kind.UNKNOWN),
        at=hooks.when(told.get("ts"), now),
        recipient=str(message.get("email") or ""),
        provider_id=str(told.get("_id") or message.get("_id") or ""),
        message=hooks.ours(_marked(message)),
        event_id=f"{told.get('_id')}-{name}-{told.get('ts')}",
        permanent=name == "hard_bounce",
        text=str(message.get("diag") or message.get("bounce_description") or "")[:500],
    )
