"""MailerSend: https://developers.mailersend.com/api/v1/email.html"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from secondpost.core.event import Event, Kind
from secondpost.core.outcome import Accepted, Outcome
from secondpost.mailers import api, hooks
from secondpost.mailers.base import Abilities, Hook, Setting
from secondpost.mailers.parts import File, Letter, objects

URL: Final = "https://api.mailersend.com/v1"
CODES: Final = {
    "MS42207": api.sender, "MS42204": api.limit, "MS42222": api.limit, "MS42225": api.limit, "MS42201": api.message,
    "MS42205": api.unsupported, "MS42206": api.unsupported, "MS42208": api.recipient, "MS42210": api.unsupported,
}  # fmt: skip
KINDS: Final = {
    "sent": Kind.SENT, "delivered": Kind.DELIVERED, "soft_bounced": Kind.BOUNCED, "hard_bounced": Kind.BOUNCED,
    "deferred": Kind.DEFERRED, "opened": Kind.OPENED, "clicked": Kind.CLICKED, "unsubscribed": Kind.UNSUBSCRIBED,
    "spam_complaint": Kind.COMPLAINED,
}  # fmt: skip
_CODE: Final = re.compile(r"#(MS\d{5})")


class MailerSend(api.Api):
    """Takes a message apart, and says whom it left out because they are suppressed."""

    name: ClassVar[str] = "mailersend"
    title: ClassVar[str] = "MailerSend"
    site: ClassVar[str] = "https://developers.mailersend.com/"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="token", label="API Token", kind="secret", required=True,
            help="In MailerSend: your domain, API Tokens. Sending access is enough.",
        ),
        Setting(
            name="signing_secret", label="Webhook Signing Secret", kind="secret",
            help="In MailerSend: your domain, Webhooks. Only for webhooks.",
        ),
        *api.SHARED,
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(
        raw=False, max_bytes=25_000_000, max_recipients=50, events=True, alternatives=False, reply_to=1,
        left_out=frozenset({"x-mailer", "user-agent", "mime-version"}), international=False, no_subject=False,
        max_cc=10, max_bcc=10,
    )  # fmt: skip
    notes: ClassVar[tuple[str, ...]] = (
        "Header fields of your own need its Enterprise plan; without it such a message is refused.",
        "At most ten recipients in Cc, and ten in Bcc.",
        "The type of an attachment follows from its name.",
    )
    body_tells: ClassVar[bool] = True  # a 202 may say that nobody gets it

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        parts = letter.parts
        own = {name.lower(): value for name, value in letter.headers}
        body: dict[str, Any] = {
            "from": objects([parts.author])[0],
            "to": objects(parts.to),
            "cc": objects(parts.cc),
            "bcc": objects(parts.bcc),
            "reply_to": next(iter(objects(parts.reply_to)), None),
            "subject": parts.subject,
            "text": parts.text,
            "html": parts.html,
            "tags": [letter.mark],
            "in_reply_to": own.get("in-reply-to", "").partition(">")[0].strip().strip("<"),  # checked as an address
            "references": own.get("references", "").split(),
            "headers": [
                {"name": name, "value": value}
                for name, value in letter.headers
                if name.lower() not in {"in-reply-to", "references"}
            ],
            "attachments": [_file(file) for file in parts.files],
        }
        return api.post(f"{URL}/email", _key(settings), {name: value for name, value in body.items() if value})

    def outcome(self, response: api.Response, letter: Letter) -> Outcome | list[Outcome]:
        said = response.dig("message")
        if response.ok:
            return _taken(response, letter)
        code = _CODE.search(response.text)
        if code and code[1] in CODES:
            return CODES[code[1]](response, response.reply(said))
        if response.status == 422 and "headers" in response.text:
            return api.unsupported(response, response.reply(said))
        return api.by_status(response, said)

    def verify(self, settings: api.Values) -> api.Request:
        return api.get(f"{URL}/api-quota", _key(settings))

    def verified(self, response: api.Response) -> tuple[Outcome, Mapping[str, str]]:
        left = response.dig("remaining")
        return api.by_status(response, response.dig("message")), {} if left is None else {"quota left": str(left)}

    def events(self, hook: Hook, settings: api.Values, now: datetime) -> list[Event]:
        secret = hooks.key(settings, "signing_secret", "Webhook Signing Secret")
        hooks.check(hook.headers.get("signature", ""), hooks.hex_hmac(secret, hook.body))
        return [_event(one, now) for one in hooks.each(hooks.body(hook))]


def _key(settings: api.Values) -> dict[str, str]:
    return {"Authorization": f"Bearer {settings['token']}", "X-Requested-With": "XMLHttpRequest"}


def _file(file: File) -> dict[str, str]:
    placed = {"disposition": "inline", "id": file.cid} if file.inline else {"disposition": "attachment"}
    return {"content": file.encoded, "filename": file.name, **placed}


def _taken(response: api.Response, letter: Letter) -> list[Outcome]:
    """Without an id nothing was sent; else those whom a warning names were left out."""
    found, warnings = response.headers.get("x-message-id", ""), response.dig("warnings") or []
    named = {str(one.get("email", "")).lower() for warning in warnings for one in warning.get("recipients") or []}
    nobody = not found and any(warning.get("type") == "ALL_SUPPRESSED" for warning in warnings)
    refused = api.recipient(response, response.reply())
    missing = api.later if nobody else api.unclear
    taken = Accepted(response.reply("accepted"), found) if found else missing(response, response.reply())
    return [refused if one.lower() in named else taken for one in letter.recipients]


def _event(told: Mapping[str, Any], now: datetime) -> Event:
    kind, data = str(told.get("type", "")).removeprefix("activity."), told.get("data") or {}
    email = data.get("email") or {}
    tags = email.get("tags") or [None]
    return Event(
        kind=KINDS.get(kind, Kind.UNKNOWN),
        at=hooks.when(told.get("created_at"), now),
        recipient=str((email.get("recipient") or {}).get("email") or ""),
        provider_id=str((email.get("message") or {}).get("id") or ""),
        message=hooks.ours(tags[0]),
        event_id=str(data.get("id") or ""),
        permanent=kind == "hard_bounced",
        text=str((data.get("morph") or {}).get("reason") or "")[:500],
    )
