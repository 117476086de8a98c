"""Brevo: https://developers.brevo.com/reference/sendtransacemail"""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any, ClassVar, Final

from secondpost.core.event import Event, Kind
from secondpost.core.outcome import Accepted, Outcome
from secondpost.core.words import encode_phrase
from secondpost.mailers import api, hooks
from secondpost.mailers.base import Abilities, Hook, Setting, Sought
from secondpost.mailers.parts import Letter, Mailbox, objects

URL: Final = "https://api.brevo.com/v3"
CODES: Final = {
    "unauthorized": api.account, "permission_denied": api.account, "account_under_validation": api.account,
    "not_enough_credits": api.limit,
}  # fmt: skip
KINDS: Final = {
    "request": Kind.QUEUED, "delivered": Kind.DELIVERED, "hard_bounce": Kind.BOUNCED, "soft_bounce": Kind.BOUNCED,
    "blocked": Kind.REJECTED, "invalid_email": Kind.BOUNCED, "error": Kind.FAILED, "deferred": Kind.DEFERRED,
    "spam": Kind.COMPLAINED, "complaint": Kind.COMPLAINED, "opened": Kind.OPENED, "unique_opened": Kind.OPENED,
    "proxy_open": Kind.OPENED, "click": Kind.CLICKED, "unsubscribe": Kind.UNSUBSCRIBED,
    "unsubscribed": Kind.UNSUBSCRIBED,
}  # fmt: skip
SPECIAL: Final = frozenset('()<>@,;:\\".[]')
NOT_TAKEN: Final = {"blocked", "error", "invalid"}  # words of a look-up that do not prove that they have it


class Brevo(api.Api):
    """Takes a message apart, and the same message once by its key."""

    name: ClassVar[str] = "brevo"
    title: ClassVar[str] = "Brevo"
    site: ClassVar[str] = "https://developers.brevo.com/reference/sendtransacemail"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="key", label="API Key", kind="secret", required=True,
            help="In Brevo: SMTP & API, API Keys. It begins with xkeysib-.",
        ),
        *api.SHARED,
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(
        raw=False, max_bytes=20_000_000, max_recipients=99, idempotency=timedelta(minutes=15), lookup=True, events=True,
        inline=False, alternatives=False, reply_to=1, international=False, no_subject=False,
    )  # fmt: skip
    notes: ClassVar[tuple[str, ...]] = (
        "Webhooks are not signed: keep their address secret.",
        "A key for the same message holds for a quarter of an hour at least.",
        "A message without HTML gets the same text as HTML beside it: Brevo takes none without.",
        "Header fields of your own that go beyond ASCII are transmitted as they are, not encoded.",
        "Only attachments of known types are taken, and names beyond ASCII may arrive garbled.",
    )

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        parts = letter.parts
        headers = {name.title(): value for name, value in letter.headers}
        if letter.key:
            headers["idempotencyKey"] = str(uuid.uuid5(uuid.NAMESPACE_OID, letter.key))
        body: dict[str, Any] = {
            "sender": _people([parts.author])[0],
            "to": _people(parts.to),
            "cc": _people(parts.cc),
            "bcc": _people(parts.bcc),
            "replyTo": next(iter(_people(parts.reply_to)), None),
            "subject": parts.subject,
            "htmlContent": parts.html or _html(parts.text or ""),
            "textContent": parts.text,
            "headers": headers,
            "tags": [letter.mark],
            "attachment": [{"name": file.name, "content": file.encoded} for file in parts.files],
        }
        return api.post(f"{URL}/smtp/email", _key(settings), {name: value for name, value in body.items() if value})

    def outcome(self, response: api.Response, letter: Letter) -> Outcome:
        code, said = str(response.dig("code") or ""), response.dig("message")
        reply = response.reply(said)
        if response.ok:
            return Accepted(reply, str(response.dig("messageId") or ""))
        if code == "duplicate_request":  # asked again with the same key: they have it since the first time
            return Accepted(reply)
        if "sender" in str(said).lower() and ("valid" in str(said).lower() or "verif" in str(said).lower()):
            return api.sender(response, reply)
        return CODES[code](response, reply) if code in CODES else api.by_status(response, said)

    def verify(self, settings: api.Values) -> api.Request:
        return api.get(f"{URL}/account", _key(settings))

    def verified(self, response: api.Response) -> tuple[Outcome, Mapping[str, str]]:
        email = response.dig("email")
        return api.by_status(response, response.dig("message")), {"account": str(email)} if email else {}

    def lookup(self, sought: Sought, settings: api.Values) -> api.Request:
        """By the address, where there is one; several are found by the message's tag, which they want as an array."""
        one = {"email": sought.recipients[0]} if len(sought.recipients) == 1 else {"tags": json.dumps([sought.mark])}
        return api.get(f"{URL}/smtp/statistics/events", _key(settings), **one, limit="100")

    def found(self, response: api.Response, sought: Sought) -> Mapping[str, str]:
        return {
            str(one.get("email", "")).lower(): str(one.get("messageId", ""))
            for one in response.dig("events") or []
            if one.get("tag") == sought.mark and one.get("event") not in NOT_TAKEN
        }

    def events(self, hook: Hook, settings: api.Values, now: datetime) -> list[Event]:
        return [_event(one, now) for one in hooks.each(hooks.body(hook))]


def _people(boxes: Sequence[Mailbox]) -> list[dict[str, str]]:
    """A name beyond ASCII that has a special character, too, would be lost: it goes encoded."""
    lost = [not box.name.isascii() and not SPECIAL.isdisjoint(box.name) for box in boxes]
    names = [
        encode_phrase(box.name).replace("\r\n", "") if odd else box.name for box, odd in zip(boxes, lost, strict=True)
    ]
    return objects([Mailbox(name, box.email) for name, box in zip(names, boxes, strict=True)])


def _html(text: str) -> str:
    return f'<div style="white-space: pre-wrap">{escape(text, quote=False)}</div>'


def _key(settings: api.Values) -> dict[str, str]:
    return {"api-key": settings["key"]}


def _event(told: Mapping[str, Any], now: datetime) -> Event:
    name, tags = str(told.get("event")), told.get("tags") or [None]
    time = told.get("ts_event") or told.get("ts")
    return Event(
        kind=KINDS.get(name, Kind.UNKNOWN),
        at=hooks.when(time, now),
        recipient=str(told.get("email") or ""),
        provider_id=str(told.get("message-id") or ""),
        message=hooks.ours(tags[0] if isinstance(tags, list) else tags),
        event_id=f"{told.get('message-id')}-{name}-{told.get('email')}-{time}",
        permanent=name in {"hard_bounce", "invalid_email"},
        text=str(told.get("reason") or "")[:500],
    )
