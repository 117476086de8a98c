"""Mailtrap: https://api-docs.mailtrap.io/"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from secondpost.core.event import Event, Kind
from secondpost.core.outcome import Accepted, Outcome
from secondpost.mailers import api, hooks
from secondpost.mailers.base import Abilities, Hook, Setting, Sought
from secondpost.mailers.parts import File, Letter, field_text, objects

URLS: Final = {
    "transactional": "https://send.api.mailtrap.io/api/send", "bulk": "https://bulk.api.mailtrap.io/api/send",
    "sandbox": "https://sandbox.api.mailtrap.io/api/send",
}  # fmt: skip
LOGS: Final = "https://mailtrap.io/api/email_logs"
SEARCHED: Final = 50  # recipients that a look-up asks for at once
EARLIER: Final = timedelta(minutes=5)  # for clocks that differ
KINDS: Final = {
    "delivery": Kind.DELIVERED, "open": Kind.OPENED, "click": Kind.CLICKED, "bounce": Kind.BOUNCED,
    "soft bounce": Kind.BOUNCED, "spam": Kind.COMPLAINED, "unsubscribe": Kind.UNSUBSCRIBED, "reject": Kind.REJECTED,
    "suspension": Kind.REJECTED,
}  # fmt: skip


class Mailtrap(api.Api):
    """Takes a message apart; has a sandbox, which delivers nothing."""

    name: ClassVar[str] = "mailtrap"
    title: ClassVar[str] = "Mailtrap"
    site: ClassVar[str] = "https://api-docs.mailtrap.io/"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="token", label="API Token", kind="secret", required=True,
            help="In Mailtrap: Settings, API Tokens, with access to the sending domain.",
        ),
        Setting(
            name="stream", label="Stream", kind="choice", default="transactional", choices=tuple(URLS),
            help="sandbox keeps mail in an inbox of Mailtrap's and delivers nothing.",
        ),
        Setting(name="inbox", label="Sandbox Inbox ID", help="Only for the sandbox."),
        Setting(
            name="signing_secret", label="Webhook Signing Secret", kind="secret", help="Only for webhooks.",
        ),
        *api.SHARED,
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(
        raw=False, max_recipients=1000, lookup=True, events=True, alternatives=False, international=False,
        no_subject=False,
    )  # fmt: skip
    notes: ClassVar[tuple[str, ...]] = (
        "Names of attachments beyond ASCII may arrive garbled.",
        "A token that may only send cannot be looked up with; a doubt then waits for the webhook.",
    )

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        parts = letter.parts
        headers = dict(letter.headers)
        if len(parts.reply_to) > 1:
            headers["Reply-To"] = field_text(parts.reply_to)
        body: dict[str, Any] = {
            "from": objects([parts.author])[0],
            "to": objects(parts.to),
            "cc": objects(parts.cc),
            "bcc": objects(parts.bcc),
            "reply_to": objects(parts.reply_to)[0] if len(parts.reply_to) == 1 else None,
            "subject": parts.subject,
            "text": parts.text,
            "html": parts.html,
            "headers": headers | ({"Message-ID": parts.message_id} if parts.message_id else {}),
            "custom_variables": {"secondpost": letter.mark},
            "attachments": [_file(file) for file in parts.files],
        }
        inbox = f"/{settings['inbox']}" if settings["stream"] == "sandbox" else ""
        url = URLS[settings["stream"]] + inbox
        return api.post(url, _key(settings), {name: value for name, value in body.items() if value})

    def outcome(self, response: api.Response, letter: Letter) -> Outcome | list[Outcome]:
        errors = response.dig("errors")
        said = "; ".join(map(str, errors)) if isinstance(errors, list) else response.dig("error")
        if response.ok:
            return _taken(response, letter)
        if response.status == 403 and "domain" in str(said).lower():
            return api.sender(response, response.reply(said))
        return api.by_status(response, said)

    def verify(self, settings: api.Values) -> api.Request:
        return api.get("https://mailtrap.io/api/accounts", _key(settings))

    def lookup(self, sought: Sought, settings: api.Values) -> api.Request:
        name = "filters[to][value]" + ("[]" if len(sought.recipients) > 1 else "")
        query = [
            ("filters[sent_after]", (sought.since - EARLIER).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")),
            ("filters[to][operator]", "ci_equal"),
            *[(name, recipient) for recipient in sought.recipients[:SEARCHED]],
        ]
        return api.get(f"{LOGS}?{urlencode(query)}", _key(settings))

    def found(self, response: api.Response, sought: Sought) -> Mapping[str, str]:
        return {
            str(one.get("to", "")).lower(): str(one.get("message_id", ""))
            for one in response.dig("messages") or []
            if (one.get("custom_variables") or {}).get("secondpost") == sought.mark
        }

    def events(self, hook: Hook, settings: api.Values, now: datetime) -> list[Event]:
        secret = hooks.key(settings, "signing_secret", "Webhook Signing Secret")
        hooks.check(hook.headers.get("mailtrap-signature", ""), hooks.hex_hmac(secret, hook.body))
        told = hooks.body(hook)
        return [_event(one, now) for one in hooks.each(told.get("events") if isinstance(told, dict) else told)]


def _key(settings: api.Values) -> dict[str, str]:
    return {"Authorization": f"Bearer {settings['token']}"}


def _file(file: File) -> dict[str, str]:
    placed = {"disposition": "inline", "content_id": file.cid} if file.inline else {"disposition": "attachment"}
    return {"content": file.encoded, "filename": file.name, "type": file.full_type, **placed}


def _taken(response: api.Response, letter: Letter) -> list[Outcome]:
    """One id for each recipient in the order of to, cc and bcc; the sandbox has one for all."""
    parts, ids = letter.parts, response.dig("message_ids") or []
    named = [box.email for box in (*parts.to, *parts.cc, *parts.bcc)]
    found = dict(zip(named, ids, strict=False)) if len(ids) > 1 else dict.fromkeys(named, next(iter(ids), ""))
    return [Accepted(response.reply("accepted"), str(found.get(one, ""))) for one in letter.recipients]


def _event(told: Mapping[str, Any], now: datetime) -> Event:
    name = str(told.get("event"))
    return Event(
        kind=KINDS.get(name, Kind.UNKNOWN),
        at=hooks.when(told.get("timestamp"), now),
        recipient=str(told.get("email") or ""),
        provider_id=str(told.get("message_id") or ""),
        message=hooks.ours((told.get("custom_variables") or {}).get("secondpost")),
        event_id=str(told.get("event_id") or ""),
        permanent=name == "bounce",
        text=str(told.get("response") or told.get("reason") or "")[:500],
    )
