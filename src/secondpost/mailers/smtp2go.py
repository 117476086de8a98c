"""SMTP2GO: https://developers.smtp2go.com/docs/introduction-guide"""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl

from secondpost.core.event import Event, Kind
from secondpost.core.outcome import Accepted, Outcome
from secondpost.mailers import api, hooks
from secondpost.mailers.base import Abilities, Hook, Setting, Sought
from secondpost.mailers.parts import Letter, with_bcc

URLS: Final = {
    "global": "https://api.smtp2go.com/v3", "us": "https://us-api.smtp2go.com/v3",
    "eu": "https://eu-api.smtp2go.com/v3", "au": "https://au-api.smtp2go.com/v3",
}  # fmt: skip
SEND: Final = "/email/mime"
MARK: Final = "X-Secondpost-Message"
SEARCHED: Final = 20  # recipients that a look-up asks for at once
CODES: Final = {"ENDPOINT_PERMISSION_DENIED": api.account, "NON_VALIDATING_IN_PAYLOAD": api.message}
KINDS: Final = {
    "processed": Kind.QUEUED, "delivered": Kind.DELIVERED, "bounce": Kind.BOUNCED, "open": Kind.OPENED,
    "click": Kind.CLICKED, "spam": Kind.COMPLAINED, "unsubscribe": Kind.UNSUBSCRIBED,
    "resubscribe": Kind.SUBSCRIBED, "reject": Kind.REJECTED,
}  # fmt: skip


class Smtp2Go(api.Api):
    """Takes the message as it is, and reads from its header who gets it."""

    name: ClassVar[str] = "smtp2go"
    title: ClassVar[str] = "SMTP2GO"
    site: ClassVar[str] = "https://developers.smtp2go.com/docs/introduction-guide"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="key", label="API Key", kind="secret", required=True,
            help="In SMTP2GO: Sending, API Keys. It begins with api-. Permissions: Emails, and Activity for look-ups.",
        ),
        Setting(
            name="region", label="Region", kind="choice", default="global", choices=("global", "us", "eu", "au"),
            help="Where your mail is handled. Global takes the nearest.",
        ),
        *api.SHARED,
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(
        envelope=False, max_bytes=50_000_000, max_recipients=100, lookup=True, events=True
    )
    notes: ClassVar[tuple[str, ...]] = (
        "Webhooks are not signed: keep their address secret.",
        f"In a webhook, add {MARK} to the headers: then its events are found even after a lost answer.",
    )
    body_tells: ClassVar[bool] = True  # 200 with failures

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        content = f"{MARK}: {letter.mark}\r\n".encode() + with_bcc(letter)
        value = {"mime_email": base64.b64encode(content).decode(), "fastaccept": False}
        return api.post(_url(settings, SEND), _key(settings), value)

    def outcome(self, response: api.Response, letter: Letter) -> Outcome | list[Outcome]:
        if not response.ok or response.dig("data", "error_code"):
            return _refused(response)
        taken, failed = response.dig("data", "succeeded"), response.dig("data", "failed")
        if taken and not failed:
            return Accepted(response.reply("succeeded"), str(response.dig("data", "email_id") or ""))
        if failed and not taken:
            return _failed(response)
        return api.unclear(response, response.reply())

    def verify(self, settings: api.Values) -> api.Request:
        return api.post(_url(settings, "/api_keys/permissions"), _key(settings), {})

    def verified(self, response: api.Response) -> tuple[Outcome, Mapping[str, str]]:
        if not response.ok:
            return _refused(response), {}
        if not any(_allows(one) for one in _texts(response.dig("data"))):
            return api.account(response, f"the API key may not send: give it the permission {SEND}"), {}
        return Accepted(response.reply("the key may send")), {}

    def lookup(self, sought: Sought, settings: api.Values) -> api.Request:
        value = {
            "search": " | ".join(sought.recipients[:SEARCHED]),
            "start_date": sought.since.strftime("%Y-%m-%d %H:%M:%S"),
            "custom_headers": [MARK],
            "limit": 1000,
        }
        return api.post(_url(settings, "/activity/search"), _key(settings), value)

    def found(self, response: api.Response, sought: Sought) -> Mapping[str, str]:
        return {
            str(one.get("recipient", "")).lower(): str(one.get("email_id", ""))
            for one in response.dig("data", "events") or []
            if (one.get("custom_headers") or {}).get(MARK) == sought.mark and one.get("event") != "rejected"
        }

    def events(self, hook: Hook, settings: api.Values, now: datetime) -> list[Event]:
        if hook.body.lstrip()[:1] in (b"{", b"["):
            return [_event(one, now) for one in hooks.each(hooks.body(hook))]
        told = dict(parse_qsl(hook.body.decode("utf-8", "replace")))
        return [_event(told, now)] if told else []


def _url(settings: api.Values, path: str) -> str:
    return f"{URLS[settings['region']]}{path}"


def _key(settings: api.Values) -> dict[str, str]:
    return {"X-Smtp2go-Api-Key": settings["key"]}


def _refused(response: api.Response) -> Outcome:
    """The words of an error stand in `data`, sometimes at the top; a missing permission has the status 400."""
    data = response.dig("data") if isinstance(response.dig("data"), dict) else response.json()
    told = data if isinstance(data, dict) else {}
    code, said = str(told.get("error_code") or "").rpartition(".")[2], told.get("error")
    if code in CODES:
        return CODES[code](response, response.reply(said))
    return api.unclear(response, response.reply(said)) if response.ok else api.by_status(response, said)


def _failed(response: api.Response) -> Outcome:
    said = json.dumps(response.dig("data", "failures"), ensure_ascii=False)
    unverified = "verif" in said.lower() and "sender" in said.lower()
    return (api.sender if unverified else api.message)(response, response.reply(said))


def _texts(told: Any) -> list[str]:
    """Every text in an answer, wherever it stands."""
    if isinstance(told, dict | list):
        inner = told.values() if isinstance(told, dict) else told
        return [text for one in inner for text in _texts(one)]
    return [told] if isinstance(told, str) else []


def _allows(permission: str) -> bool:
    """Whether it is the permission to send, or a pattern for it, such as /email/*."""
    return permission == SEND or (permission.endswith("*") and SEND.startswith(permission[:-1]))


def _event(told: Mapping[str, Any], now: datetime) -> Event:
    name, time = str(told.get("event")), told.get("time")
    recipient, provider_id = str(told.get("rcpt") or ""), str(told.get("email_id") or "")
    return Event(
        kind=KINDS.get(name, Kind.UNKNOWN),
        at=hooks.when(time, now),
        recipient=recipient,
        provider_id=provider_id,
        message=hooks.ours(told.get(MARK) or told.get(MARK.lower())),
        event_id=str(told.get("id") or f"{provider_id}-{name}-{recipient}-{time}"),
        permanent=name == "bounce" and told.get("bounce") == "hard",
        text=str(told.get("message") or told.get("reason") or told.get("context") or "")[:500],
    )
