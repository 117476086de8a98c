"""Mailgun: https://documentation.mailgun.com/docs/mailgun/api-reference"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from secondpost.core.event import Event, Kind
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome
from secondpost.errors import HookRefused
from secondpost.mailers import api, hooks
from secondpost.mailers.base import Abilities, Hook, Setting, Sought
from secondpost.mailers.parts import Letter

URLS: Final = {"us": "https://api.mailgun.net/v3", "eu": "https://api.eu.mailgun.net/v3"}
KINDS: Final = {
    "accepted": Kind.QUEUED, "rejected": Kind.REJECTED, "delivered": Kind.DELIVERED, "opened": Kind.OPENED,
    "clicked": Kind.CLICKED, "unsubscribed": Kind.UNSUBSCRIBED, "complained": Kind.COMPLAINED,
}  # fmt: skip
_AFTER: Final = re.compile(r"try again after (.+?)\.?$", re.IGNORECASE)


class Mailgun(api.Api):
    """Takes the message as it is, with an envelope of its own."""

    name: ClassVar[str] = "mailgun"
    title: ClassVar[str] = "Mailgun"
    site: ClassVar[str] = "https://documentation.mailgun.com/docs/mailgun/api-reference"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="key", label="API Key", kind="secret", required=True,
            help="In Mailgun: API Security, or a sending key of the domain.",
        ),
        Setting(
            name="domain", label="Domain Name", required=True, help="The sending domain, for example mg.example.com.",
        ),
        Setting(
            name="region", label="Region", kind="choice", default="us", choices=("us", "eu"),
            help="Where the domain was added. In the other region it is not known.",
        ),
        Setting(
            name="signing_key", label="HTTP Webhook Signing Key", kind="secret",
            help="In Mailgun: Sending, Webhooks. Only for webhooks.",
        ),
        *api.SHARED,
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(
        max_bytes=25_000_000, max_recipients=1000, lookup=True, events=True,
        absent_after=timedelta(minutes=35),  # events older than half an hour are complete
    )  # fmt: skip
    notes: ClassVar[tuple[str, ...]] = (
        "A sending key of the domain can send but not be looked up with; a doubt then waits for the webhook.",
        "A suppressed recipient is accepted, and then reported as failed by the webhook.",
    )
    body_tells: ClassVar[bool] = True  # a wrong address answers 200, too

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        fields = [("to", address) for address in letter.recipients] + [("v:secondpost", letter.mark)]
        kind, body = api.form(fields, {"message": ("message.mime", letter.content)})
        return api.Request(
            url=f"{_url(settings)}/messages.mime", headers={"Content-Type": kind, **_key(settings)}, body=body
        )

    def outcome(self, response: api.Response, letter: Letter) -> Outcome:
        said = response.dig("message")
        reply, words = response.reply(said), str(said or "").lower()
        if response.ok:
            if words.startswith("queued"):
                return Accepted(reply, str(response.dig("id") or "").strip("<>"))
            return api.account(response, reply) if "magnificent" in words else api.unclear(response, reply)
        if response.status in {400, 403} and "not allowed to send" in words:
            return api.limit(response, reply) if "batch" in words else api.sender(response, reply)
        if response.status == 400 and "to parameter is not a valid address" in words:
            return api.recipient(response, reply)
        if response.status == 429 and (date := _AFTER.search(str(said or ""))):
            return Deferred(Fault.LIMIT, reply, retry_after=api.wait_until(response, date[1]))
        return api.by_status(response, said)

    def verify(self, settings: api.Values) -> api.Request:
        return api.get(f"{URLS[settings['region']]}/domains/{settings['domain']}", _key(settings))

    def verified(self, response: api.Response) -> tuple[Outcome, Mapping[str, str]]:
        state = str(response.dig("domain", "state") or "")
        if response.ok and state and state != "active":
            return api.sender(response, f"the domain is {state}, not active"), {"domain": state}
        if response.ok and not state:
            return api.account(response, response.reply()), {}
        return api.by_status(response, response.dig("message")), {"domain": state} if state else {}

    def lookup(self, sought: Sought, settings: api.Values) -> api.Request:
        message_id = sought.message_id.strip("<>")
        return api.get(f"{_url(settings)}/events", _key(settings), **{"message-id": message_id, "limit": "300"})

    def found(self, response: api.Response, sought: Sought) -> Mapping[str, str]:
        """Only events of a copy that they took; who was rejected is not named by any of them."""
        return {
            str(one.get("recipient", "")).lower(): sought.message_id.strip("<>")
            for one in response.dig("items") or []
            if one.get("event") != "rejected"
        }

    def events(self, hook: Hook, settings: api.Values, now: datetime) -> list[Event]:
        told = hooks.body(hook)
        try:
            signed, data = told["signature"], told["event-data"]
            text, time = f"{signed['timestamp']}{signed['token']}", signed["timestamp"]
            given = str(signed["signature"])
        except (KeyError, TypeError):
            raise HookRefused("The webhook has no signature. Nothing in it was believed.") from None
        secret = hooks.key(settings, "signing_key", "HTTP Webhook Signing Key")
        hooks.check(given, hooks.hex_hmac(secret, text.encode()))
        hooks.check_age(time, now)
        return [_event(one, now) for one in hooks.each(data)]


def _url(settings: api.Values) -> str:
    return f"{URLS[settings['region']]}/{settings['domain']}"


def _key(settings: api.Values) -> dict[str, str]:
    return {"Authorization": api.basic("api", settings["key"])}


def _event(told: Mapping[str, Any], now: datetime) -> Event:
    name, permanent = told.get("event"), told.get("severity") == "permanent"
    failed = Kind.BOUNCED if permanent else Kind.DEFERRED
    status = told.get("delivery-status") or {}
    return Event(
        kind=failed if name == "failed" else KINDS.get(str(name), Kind.UNKNOWN),
        at=hooks.when(told.get("timestamp"), now),
        recipient=str(told.get("recipient") or ""),
        provider_id=str(((told.get("message") or {}).get("headers") or {}).get("message-id") or ""),
        message=hooks.ours((told.get("user-variables") or {}).get("secondpost")),
        event_id=str(told.get("id") or ""),
        permanent=name == "failed" and permanent,
        text=str(status.get("message") or status.get("description") or told.get("reason") or "")[:500],
    )
