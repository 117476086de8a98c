"""Postmark: https://postmarkapp.com/developer"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from secondpost.core.event import Event, Kind
from secondpost.core.outcome import Accepted, Outcome, Rejected
from secondpost.mailers import api, hooks
from secondpost.mailers.base import Abilities, Hook, Setting, Sought
from secondpost.mailers.parts import File, Letter, field_text

URL: Final = "https://api.postmarkapp.com"

# Codes in the body. They look like statuses but are none.
CODES: Final = {
    10: api.account, 100: api.later, 300: api.message, 400: api.sender, 401: api.sender, 405: api.limit,
    406: api.recipient, 411: api.unsupported, 412: api.account, 413: api.account,
}  # fmt: skip
BAD_ADDRESS: Final = ("invalid 'to'", "invalid 'cc'", "invalid 'bcc'", "parsing 'to'", "parsing 'cc'", "parsing 'bcc'")
KINDS: Final = {
    "Delivery": Kind.DELIVERED, "Bounce": Kind.BOUNCED, "SpamComplaint": Kind.COMPLAINED, "Open": Kind.OPENED,
    "Click": Kind.CLICKED, "SubscriptionChange": Kind.UNSUBSCRIBED,
}  # fmt: skip
BOUNCES: Final = {
    "Transient": Kind.DEFERRED,
    "AutoResponder": Kind.AUTORESPONDED,
    "ChallengeVerification": Kind.UNKNOWN,
}


class Postmark(api.Api):
    """Takes a message apart; says of inactive recipients who they are."""

    name: ClassVar[str] = "postmark"
    title: ClassVar[str] = "Postmark"
    site: ClassVar[str] = "https://postmarkapp.com/developer"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="token", label="Server API Token", kind="secret", required=True,
            help="In Postmark: your server, tab API Tokens.",
        ),
        Setting(
            name="message_stream", label="Message Stream ID", default="outbound",
            help="Your server's streams have an ID each. Bulk mail needs a stream for broadcasts.",
        ),
        *api.SHARED,
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(
        raw=False, max_bytes=10_000_000, max_recipients=50, lookup=True, events=True, alternatives=False,
        international=False,
    )  # fmt: skip
    notes: ClassVar[tuple[str, ...]] = (
        "Webhooks are not signed: keep their address secret.",
        "Some types of attachments, such as programs, are refused.",
    )

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        parts = letter.parts
        body: dict[str, Any] = {
            "From": field_text([parts.author]),
            "To": field_text(parts.to),
            "Cc": field_text(parts.cc),
            "Bcc": field_text(parts.bcc),
            "ReplyTo": field_text(parts.reply_to),
            "Subject": parts.subject,
            "TextBody": parts.text,
            "HtmlBody": parts.html,
            "MessageStream": settings["message_stream"],
            "Metadata": {"secondpost": letter.mark},
            "Headers": [{"Name": name, "Value": value} for name, value in _fields(letter)],
            "Attachments": [_attachment(file) for file in parts.files],
        }
        return api.post(f"{URL}/email", _key(settings), {name: value for name, value in body.items() if value})

    def outcome(self, response: api.Response, letter: Letter) -> Outcome | list[Outcome]:
        code, said = response.dig("ErrorCode"), str(response.dig("Message") or "")
        if response.ok:
            return _taken(response, said, letter)
        if code == 300 and any(words in said.lower() for words in BAD_ADDRESS):
            return api.recipient(response, response.reply(said))
        judge = CODES.get(code) if isinstance(code, int) else None
        return judge(response, response.reply(said)) if judge else api.by_status(response, said)

    def verify(self, settings: api.Values) -> api.Request:
        return api.get(f"{URL}/server", _key(settings))

    def verified(self, response: api.Response) -> tuple[Outcome, Mapping[str, str]]:
        said = response.dig("Message")
        return api.by_status(response, said), {"server": response.dig("Name") or ""} if response.ok else {}

    def lookup(self, sought: Sought, settings: api.Values) -> api.Request:
        mark = sought.mark
        return api.get(f"{URL}/messages/outbound", _key(settings), count="50", offset="0", metadata_secondpost=mark)

    def found(self, response: api.Response, sought: Sought) -> Mapping[str, str]:
        return {
            str(address).lower(): str(one.get("MessageID", ""))
            for one in response.dig("Messages") or []
            if (one.get("Metadata") or {}).get("secondpost", sought.mark) == sought.mark
            for address in one.get("Recipients") or []
        }

    def events(self, hook: Hook, settings: api.Values, now: datetime) -> list[Event]:
        return [_event(one, now) for one in hooks.each(hooks.body(hook))]


def _key(settings: api.Values) -> dict[str, str]:
    return {"X-Postmark-Server-Token": settings["token"], "Accept": "application/json"}


def _fields(letter: Letter) -> list[tuple[str, str]]:
    """The sender's fields, and our Message-ID, which Postmark keeps when asked to."""
    own = [("Message-ID", letter.parts.message_id), ("X-PM-KeepID", "true")] if letter.parts.message_id else []
    return [*letter.headers, *own]


def _attachment(file: File) -> dict[str, str]:
    content = {"Name": file.name, "Content": file.encoded, "ContentType": file.full_type}
    return content | ({"ContentID": f"cid:{file.cid}"} if file.inline else {})


def _taken(response: api.Response, said: str, letter: Letter) -> Outcome | list[Outcome]:
    """They name the inactive recipients that they left out."""
    taken = Accepted(response.reply(said), str(response.dig("MessageID") or ""))
    if "will not deliver" not in said:
        return taken
    refused = api.recipient(response, response.reply(said))
    assert isinstance(refused, Rejected)
    return [refused if one.lower() in said.lower() else taken for one in letter.recipients]


def _event(told: Mapping[str, Any], now: datetime) -> Event:
    record, kind = str(told.get("RecordType")), str(told.get("Type") or "")
    times = [told.get(name) for name in ("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt")]
    what = BOUNCES.get(kind, Kind.BOUNCED) if record == "Bounce" else KINDS.get(record, Kind.UNKNOWN)
    return Event(
        kind=what,
        at=hooks.when(next(filter(None, times), None), now),
        recipient=str(told.get("Recipient") or told.get("Email") or ""),
        provider_id=str(told.get("MessageID") or ""),
        message=hooks.ours((told.get("Metadata") or {}).get("secondpost")),
        event_id=f"{record}-{told.get('ID') or told.get('MessageID')}-{next(filter(None, times), '')}",
        permanent=kind in {"HardBounce", "BadEmailAddress", "ManuallyDeactivated"},
        text=str(told.get("Description") or told.get("Details") or "")[:500],
    )
