"""Elastic Email: https://elasticemail.com/developers/api-documentation/rest-api"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from secondpost.core.event import Event, Kind
from secondpost.core.outcome import Accepted, Outcome
from secondpost.mailers import api, hooks
from secondpost.mailers.base import Abilities, Hook, Setting
from secondpost.mailers.parts import File, Letter, Parts, field_text

URL: Final = "https://api.elasticemail.com/v4"
KINDS: Final = {
    "sent": Kind.DELIVERED, "opened": Kind.OPENED, "clicked": Kind.CLICKED, "error": Kind.BOUNCED,
    "abusereport": Kind.COMPLAINED, "unsubscribed": Kind.UNSUBSCRIBED,
}  # fmt: skip
UNVERIFIED: Final = ("not verified", "unverified", "verify your domain")
_FIELD: Final = re.compile(r"\{([\w.-]+)\}")


class ElasticEmail(api.Api):
    """Takes a message apart, and fills in fields in braces: each is given itself, so that the text stays."""

    name: ClassVar[str] = "elasticemail"
    title: ClassVar[str] = "Elastic Email"
    site: ClassVar[str] = "https://elasticemail.com/developers/api-documentation/rest-api"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="key", label="API Key", kind="secret", required=True,
            help="In Elastic Email: Settings, Manage API Keys. It needs the access Send HTTP and View Reports.",
        ),
        *api.SHARED,
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(
        raw=False, max_bytes=10_000_000, events=True, inline=False, alternatives=False, international=False,
    )  # fmt: skip
    notes: ClassVar[tuple[str, ...]] = (
        "Webhooks are not signed, and come as GET requests: keep their address secret.",
        "It cannot be asked whether it took a message; a doubt waits for the webhook.",
    )

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        parts = letter.parts
        recipients = {
            name: [field_text([box]) for box in boxes]
            for name, boxes in (("To", parts.to), ("CC", parts.cc), ("BCC", parts.bcc))
            if boxes
        }
        body = {"Recipients": recipients, "Content": _content(letter)}
        return api.post(f"{URL}/emails/transactional", _key(settings), body)

    def outcome(self, response: api.Response, letter: Letter) -> Outcome:
        said = response.dig("Error")
        if response.ok:
            provider_id = response.dig("TransactionID") or response.dig("MessageID")
            return Accepted(response.reply("accepted"), str(provider_id or ""))
        if response.status in {400, 403} and any(words in str(said).lower() for words in UNVERIFIED):
            return api.sender(response, response.reply(said))
        return api.by_status(response, said)

    def verify(self, settings: api.Values) -> api.Request:
        return api.get(f"{URL}/statistics", _key(settings), **{"from": "2026-01-01T00:00:00"})

    def verified(self, response: api.Response) -> tuple[Outcome, Mapping[str, str]]:
        return api.by_status(response, response.dig("Error")), {}

    def events(self, hook: Hook, settings: api.Values, now: datetime) -> list[Event]:
        return [_event(hook.query, now)] if hook.query.get("status") else []


def _key(settings: api.Values) -> dict[str, str]:
    return {"X-ElasticEmail-ApiKey": settings["key"]}


def _content(letter: Letter) -> dict[str, Any]:
    parts = letter.parts
    content: dict[str, Any] = {
        "From": field_text([parts.author]),
        "ReplyTo": field_text(parts.reply_to),
        "Subject": parts.subject,
        "Body": [
            {"ContentType": kind, "Content": text, "Charset": "utf-8"}
            for kind, text in (("HTML", parts.html), ("PlainText", parts.text))
            if text is not None
        ],
        "Headers": dict(letter.headers),
        "Attachments": [_attachment(file) for file in parts.files],
        "Postback": letter.mark,
        "Merge": _merge(parts),
    }
    return {name: value for name, value in content.items() if value}


def _merge(parts: Parts) -> dict[str, str]:
    """Every field in braces with itself as its value: what looks like one is the sender's own text."""
    text = "\n".join([parts.subject, parts.html or "", parts.text or ""])
    return {name: f"{{{name}}}" for name in _FIELD.findall(text)}


def _attachment(file: File) -> dict[str, Any]:
    return {"BinaryContent": file.encoded, "Name": file.name, "ContentType": file.full_type, "Size": len(file.data)}


def _event(told: Mapping[str, str], now: datetime) -> Event:
    status, category = told["status"], told.get("category", "")
    return Event(
        kind=KINDS.get(status.lower(), Kind.UNKNOWN),
        at=hooks.when(told.get("date"), now),
        recipient=told.get("to", ""),
        provider_id=told.get("transaction", ""),
        message=hooks.ours(told.get("postback")),
        event_id=f"{told.get('messageid') or told.get('transaction')}-{status}-{told.get('to')}-{told.get('date')}",
        permanent=status.lower() == "error" and category.lower() == "nomailbox",
        text=category[:500],
    )
