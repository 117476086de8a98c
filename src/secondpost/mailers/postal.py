"""Postal, a mail server of one's own: https://docs.postalserver.io/developer/api"""

import base64
import re
from binascii import Error
from collections.abc import Mapping
from datetime import datetime
from email.utils import parseaddr
from typing import Any, ClassVar, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from secondpost.core.event import Event, Kind
from secondpost.core.outcome import Accepted, Outcome
from secondpost.errors import HookRefused
from secondpost.mailers import api, hooks
from secondpost.mailers.base import Abilities, Hook, Setting
from secondpost.mailers.parts import Letter

URL: Final = "https://postal.invalid/api/v1"  # the setting `host` takes its place
CODES: Final = {
    "AccessDenied": api.account, "InvalidServerAPIKey": api.account, "ServerSuspended": api.account,
    "UnauthenticatedFromAddress": api.sender,
}  # fmt: skip
KINDS: Final = {
    "MessageSent": Kind.DELIVERED, "MessageDelayed": Kind.DEFERRED, "MessageDeliveryFailed": Kind.BOUNCED,
    "MessageHeld": Kind.QUEUED, "MessageBounced": Kind.BOUNCED, "MessageLinkClicked": Kind.CLICKED,
    "MessageLoaded": Kind.OPENED,
}  # fmt: skip
_AROUND: Final = re.compile(r"-----[^-]+-----|\s")  # what a PEM file has around the key


class Postal(api.Api):
    """Takes the message as it is, with an envelope of its own. Every answer has the status 200."""

    name: ClassVar[str] = "postal"
    title: ClassVar[str] = "Postal"
    site: ClassVar[str] = "https://docs.postalserver.io/developer/api"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="key", label="API Key", kind="secret", required=True,
            help="In Postal: your mail server, Credentials, a credential of the type API.",
        ),
        Setting(
            name="host", label="Host", required=True,
            help="Your installation of Postal, for example postal.example.com.",
        ),
        Setting(
            name="webhook_key", label="Webhook Public Key",
            help="What follows p= in the record that `postal default-dkim-record` shows. Only for webhooks.",
        ),
        api.SHARED[1],
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(events=True)
    notes: ClassVar[tuple[str, ...]] = (
        "A message carries its id in Secondpost as a tag, unless it has a tag of its own.",
    )
    body_tells: ClassVar[bool] = True

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        content = f"X-Postal-Tag: {letter.mark}\r\n".encode() + letter.content
        value = {
            "mail_from": letter.sender or letter.parts.author.email,  # an empty one is refused
            "rcpt_to": list(letter.recipients),
            "data": base64.b64encode(content).decode(),
        }
        return api.post(f"{URL}/send/raw", _key(settings), value)

    def outcome(self, response: api.Response, letter: Letter) -> Outcome | list[Outcome]:
        if not response.ok:
            return api.by_status(response)
        if response.dig("status") != "success":
            return _refused(response)
        told = response.dig("data", "messages") or {}
        ids = {address.lower(): str(one["id"]) for address, one in told.items()}
        silent = api.unclear(response, response.reply("no word about this recipient"))
        reply = response.reply("success")
        return [Accepted(reply, ids[one.lower()]) if one.lower() in ids else silent for one in letter.recipients]

    def verify(self, settings: api.Values) -> api.Request:
        return api.post(f"{URL}/messages/message", _key(settings), {"id": 0})

    def verified(self, response: api.Response) -> tuple[Outcome, Mapping[str, str]]:
        """With a good key, the answer is that there is no such message."""
        if response.dig("data", "code") == "MessageNotFound":
            return Accepted(response.reply("the key is good")), {}
        return (_refused(response) if response.ok else api.by_status(response)), {}

    def events(self, hook: Hook, settings: api.Values, now: datetime) -> list[Event]:
        _check(hook, hooks.key(settings, "webhook_key", "Webhook Public Key"))
        told = hooks.each(hooks.body(hook))
        return [_event(one, now) for one in told if _message(one).get("direction") != "incoming"]


def _key(settings: api.Values) -> dict[str, str]:
    return {"X-Server-API-Key": settings["key"]}


def _refused(response: api.Response) -> Outcome:
    status, code = response.dig("status"), response.dig("data", "code")
    reply = response.reply(f"{code or status}: {response.dig('data', 'message') or ''}")
    if status not in {"error", "parameter-error"}:
        return api.unclear(response, response.reply())
    return CODES.get(str(code), api.message)(response, reply)


def _check(hook: Hook, key: str) -> None:
    """RSA over the body; older versions of Postal sign with SHA-1 alone. Raises HookRefused."""
    newer = hook.headers.get("x-postal-signature-256", "")
    given = newer or hook.headers.get("x-postal-signature", "")
    try:
        public = load_der_public_key(base64.b64decode(_AROUND.sub("", key)))
        assert isinstance(public, RSAPublicKey)
        public.verify(base64.b64decode(given), hook.body, PKCS1v15(), SHA256() if newer else SHA1())  # noqa: S303
    except (InvalidSignature, Error, ValueError, AssertionError):
        raise HookRefused("The signature of the webhook is not Postal's. Nothing in it was believed.") from None


def _message(told: Mapping[str, Any]) -> Mapping[str, Any]:
    payload = told.get("payload") or {}
    found: Mapping[str, Any] = payload.get("message") or payload.get("original_message") or {}
    return found


def _event(told: Mapping[str, Any], now: datetime) -> Event:
    message, payload = _message(told), told.get("payload") or {}
    name = str(told.get("event"))
    return Event(
        kind=KINDS.get(name, Kind.UNKNOWN),
        at=hooks.when(told.get("timestamp"), now),
        recipient=parseaddr(str(message.get("to") or ""))[1],
        provider_id=str(message.get("id") or ""),
        message=hooks.ours(message.get("tag")),
        event_id=str(told.get("uuid") or ""),
        permanent=name == "MessageDeliveryFailed",
        text=str(payload.get("output") or payload.get("details") or "")[:500],
    )
