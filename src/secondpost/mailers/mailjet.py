"""Mailjet: https://dev.mailjet.com/email/reference/send-emails/"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

from secondpost.core.event import Event, Kind
from secondpost.core.outcome import Accepted, Outcome
from secondpost.mailers import api, hooks
from secondpost.mailers.base import Abilities, Hook, Setting, Sought
from secondpost.mailers.parts import File, Letter, Mailbox, objects

URLS: Final = {"global": "https://api.mailjet.com", "us": "https://api.us.mailjet.com"}
CODES: Final = {
    "mj-0001": api.account, "mj-0015": api.account, "send-0008": api.sender, "mj-0013": api.recipient,
    "send-0006": api.message, "send-0007": api.message, "mj-0011": api.unsupported, "send-0015": api.unsupported,
    "send-0011": api.unsupported,
}  # fmt: skip
KINDS: Final = {
    "sent": Kind.DELIVERED, "open": Kind.OPENED, "click": Kind.CLICKED, "bounce": Kind.BOUNCED,
    "blocked": Kind.REJECTED, "spam": Kind.COMPLAINED, "unsub": Kind.UNSUBSCRIBED,
}  # fmt: skip
LEFT_OUT: Final = frozenset({"sender", "x-mailer", "user-agent", "list-id"})  # an error for Mailjet


class Mailjet(api.Api):
    """Takes a message apart; can be asked by our own id."""

    name: ClassVar[str] = "mailjet"
    title: ClassVar[str] = "Mailjet"
    site: ClassVar[str] = "https://dev.mailjet.com/email/guides/"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="key", label="API Key", kind="secret", required=True, help="In Mailjet: Account, API Key Management.",
        ),
        Setting(name="secret", label="Secret Key", kind="secret", required=True, help="Beside the API key."),
        Setting(name="region", label="Region", kind="choice", default="global", choices=("global", "us")),
        *api.SHARED,
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(
        raw=False, max_bytes=15_000_000, max_recipients=50, lookup=True, events=True, alternatives=False,
        left_out=LEFT_OUT, reply_to=1, international=False,
    )  # fmt: skip
    notes: ClassVar[tuple[str, ...]] = (
        "Webhooks are not signed: keep their address secret.",
        "It gives the message a Message-ID of its own.",
    )

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        parts = letter.parts
        message: dict[str, Any] = {
            "From": _boxes([parts.author])[0],
            "To": _boxes(parts.to),
            "Cc": _boxes(parts.cc),
            "Bcc": _boxes(parts.bcc),
            "ReplyTo": next(iter(_boxes(parts.reply_to)), None),
            "Subject": parts.subject,
            "TextPart": parts.text,
            "HTMLPart": parts.html,
            "Headers": dict(letter.headers),
            "CustomID": letter.mark,
            "Attachments": [_file(file) for file in parts.attachments],
            "InlinedAttachments": [_file(file) | {"ContentID": file.cid} for file in parts.inline],
        }
        body = {"Messages": [{name: value for name, value in message.items() if value}]}
        return api.post(f"{URLS[settings['region']]}/v3.1/send", _key(settings), body)

    def outcome(self, response: api.Response, letter: Letter) -> Outcome | list[Outcome]:
        told = response.dig("Messages", 0) or {}
        if response.ok and told.get("Status", "success") == "success":
            return _taken(told, response.reply(told.get("Status")), letter)
        error = next(iter(told.get("Errors") or []), None) or response.json() or {}
        said, judge = error.get("ErrorMessage"), CODES.get(str(error.get("ErrorCode")))
        if judge is None and response.ok:
            judge = api.message
        return judge(response, response.reply(said)) if judge else api.by_status(response, said)

    def verify(self, settings: api.Values) -> api.Request:
        return api.get(f"{URLS[settings['region']]}/v3/REST/apikey", _key(settings))

    def lookup(self, sought: Sought, settings: api.Values) -> api.Request:
        url = f"{URLS[settings['region']]}/v3/REST/message"
        return api.get(url, _key(settings), CustomID=sought.mark, ShowContactAlt="true")

    def found(self, response: api.Response, sought: Sought) -> Mapping[str, str]:
        data = response.dig("Data") or []
        return {str(one["ContactAlt"]).lower(): str(one.get("ID", "")) for one in data if one.get("ContactAlt")}

    def events(self, hook: Hook, settings: api.Values, now: datetime) -> list[Event]:
        return [_event(one, now) for one in hooks.each(hooks.body(hook))]


def _key(settings: api.Values) -> dict[str, str]:
    return {"Authorization": api.basic(settings["key"], settings["secret"])}


def _boxes(boxes: Sequence[Mailbox]) -> list[dict[str, str]]:
    return objects(boxes, "Email", "Name")


def _file(file: File) -> dict[str, str]:
    return {"ContentType": file.full_type, "Filename": file.name, "Base64Content": file.encoded}


def _taken(told: Mapping[str, Any], reply: str, letter: Letter) -> list[Outcome]:
    """Each recipient has an id of its own."""
    each = [one for name in ("To", "Cc", "Bcc") for one in told.get(name) or []]
    ids = {str(one.get("Email")).lower(): str(one.get("MessageID") or "") for one in each}
    return [Accepted(reply, ids.get(recipient.lower(), "")) for recipient in letter.recipients]


def _event(told: Mapping[str, Any], now: datetime) -> Event:
    name, lasting = str(told.get("event")), bool(told.get("hard_bounce"))
    return Event(
        kind=KINDS.get(name, Kind.UNKNOWN),
        at=hooks.when(told.get("time"), now),
        recipient=str(told.get("email") or ""),
        provider_id=str(told.get("MessageID") or ""),
        message=hooks.ours(told.get("CustomID")),
        event_id=f"{told.get('MessageID')}-{name}-{told.get('time')}",
        permanent=lasting,
        text=str(told.get("comment") or told.get("error") or "")[:500],
    )
