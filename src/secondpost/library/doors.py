"""The two doors of a gateway, seen from outside: its HTTP API, and SMTP.

Rule: what stands beside the message goes in its Secondpost fields, which the gateway reads and removes.
"""

import ipaddress
import json
import os
import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from secondpost import config, mailers
from secondpost.core import message as rfc5322
from secondpost.core import words
from secondpost.core.connection import Timeouts
from secondpost.core.message import Message
from secondpost.core.outcome import Accepted, Outcome, Unclear
from secondpost.errors import ConfigError, IdempotencyConflict, Malformed, Refusal, SecondpostError
from secondpost.errors import Fault as Wrong
from secondpost.library import result
from secondpost.library.result import Result
from secondpost.mailers.api import Request, Response, by_status, get
from secondpost.mailers.base import Crossing, Parcel
from secondpost.mailers.http_line import Line
from secondpost.service.submit import Draft

_QUEUED_AS = re.compile(r"queued as (\w+)")
_OWN_NETWORK = re.compile(r"localhost|[^.]+|.*\.(?:local|localhost|internal|lan|home\.arpa)", re.IGNORECASE)
METADATA_LIMIT = 900  # characters of JSON


@dataclass(frozen=True, slots=True)
class Handed:
    """What the gateway said, for each recipient."""

    outcomes: tuple[Outcome, ...]
    id: str = ""
    duplicate: bool = False


class Door(Protocol):
    async def hand(self, draft: Draft, point: Crossing) -> Handed:
        """One try. Raises `Refusal` for what will never be taken."""
        ...

    async def find(self, id: int) -> Result | None:
        """What the gateway knows of a message now."""
        ...

    async def close(self) -> None: ...


class HttpDoor:
    """`POST /v1/messages/raw` with a key."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        if not key:
            raise ConfigError("The gateway's HTTP API wants a key: secondpost keys add NAME makes one.")
        if parts.scheme == "http" and not _is_near(parts.hostname or ""):
            raise ConfigError(f"The key would go to {parts.hostname} unencrypted. Use https:// for other machines.")
        if parts.path.strip("/") or parts.query:
            raise ConfigError("The url of a gateway is its address alone, such as http://127.0.0.1:8025.")
        self._line = Line(host=url, private=True, timeouts=Timeouts(), secrets=(key,))
        self._sign = {"Authorization": f"Bearer {key}"}

    async def hand(self, draft: Draft, point: Crossing) -> Handed:
        answer = await self._line.ask(self._request(draft), point)
        if answer.response is None:
            assert answer.outcome is not None
            return Handed((answer.outcome,) * len(draft.recipients))
        return _judged(answer.response, draft)

    async def find(self, id: int) -> Result | None:
        answer = await self._line.ask(get(f"http://gateway/v1/messages/{rfc5322.id_text(id)}", self._sign))
        if answer.response is None:
            assert answer.outcome is not None
            raise SecondpostError(f"The gateway cannot be asked now: {answer.outcome.reply}.")
        if answer.response.status == 404:
            return None
        try:
            return result.shown(answer.response.json())
        except (KeyError, TypeError, ValueError):
            raise SecondpostError(f"The gateway says nothing of the message: {answer.response.reply()}") from None

    def _request(self, draft: Draft) -> Request:
        headers = {
            **self._sign,
            "Content-Type": "message/rfc822",
            "Secondpost-Mail-From": draft.sender,
            "Secondpost-Rcpt-To": ", ".join(draft.recipients),
        }
        if draft.prefer:
            headers["Secondpost-Connection"] = draft.prefer
        return Request(url="http://gateway/v1/messages/raw", headers=headers, body=_noted(draft) + draft.content)

    async def close(self) -> None:
        await self._line.close()


class SmtpDoor:
    """SMTP submission, with a log-in or from the same machine."""

    def __init__(self, url: str) -> None:
        found = config.load(environ={"SECONDPOST_CONFIG": os.devnull}, overrides={"primary": url})
        connection = found.connections[found.primary]
        self._mailer = mailers.find(connection.mailer)(connection)

    async def hand(self, draft: Draft, point: Crossing) -> Handed:
        named = _field("Connection", draft.prefer) if draft.prefer else b""
        head, body = rfc5322.split(named + _noted(draft) + draft.content)
        parcel = Parcel(
            id=draft.id, message=Message(head, body), sender=draft.sender, recipients=draft.recipients
        )  # fmt: skip
        report = await self._mailer.send(parcel, point)
        replies = " ".join(outcome.reply for outcome in report.outcomes if isinstance(outcome, Accepted))
        found = _QUEUED_AS.search(replies)
        return Handed(report.outcomes, id=found[1] if found else "")

    async def find(self, id: int) -> Result | None:
        asked = f"secondpost log show {rfc5322.id_text(id)}"
        raise SecondpostError(f"By SMTP nobody can be asked. At the gateway: {asked}; or give its http:// url.")

    async def close(self) -> None:
        await self._mailer.close()


def _is_near(host: str) -> bool:
    """Whether it is this machine, or by its name or address one of a private network."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return _OWN_NETWORK.fullmatch(host) is not None


def _noted(draft: Draft) -> bytes:
    """The fields that the gateway reads. The first of a name counts, so these win over the message's own."""
    noted = _field("Idempotency-Key", draft.key)
    if draft.priority is not None:
        noted += _field("Priority", draft.priority.label)
    if draft.tag:
        noted += _field("Tag", draft.tag)
    if draft.metadata:
        text = json.dumps(dict(draft.metadata)).replace("=", "\\u003d")
        if len(text) > METADATA_LIMIT:
            raise Malformed([Wrong("metadata", f"A gateway takes {METADATA_LIMIT} characters of metadata as JSON.")])
        noted += _field("Metadata", text)
    return noted


def _field(name: str, value: str) -> bytes:
    """One line, whatever the value: the parts were checked for line breaks when the draft was made."""
    plain = value.isascii() and "=?" not in value
    return f"Secondpost-{name}: {value if plain else words.encode_phrase(value)}\r\n".encode()


def _judged(response: Response, draft: Draft) -> Handed:
    count = len(draft.recipients)
    if response.status == 202:
        id = response.dig("id")
        if not isinstance(id, str):
            return Handed((Unclear(response.reply("the answer cannot be read")),) * count)
        return Handed((Accepted(),) * count, id=id, duplicate=response.dig("duplicate") is True)
    if response.status in {400, 403, 409, 413, 415, 422}:
        raise _refusal(response, draft)
    if response.status == 401:
        raise Refusal(
            550, "5.7.8", "The gateway does not know this key. Nothing was sent; make one: secondpost keys add."
        )
    if response.status in {404, 405}:
        raise Refusal(
            550, "5.3.5", "There is no Secondpost at this url. Nothing was sent; is it the address of [http]?"
        )
    return Handed((by_status(response, response.dig("detail")),) * count)


def _refusal(response: Response, draft: Draft) -> Refusal:
    """What the gateway says is wrong, field by field."""
    detail = str(response.dig("detail") or response.reply())[:1000]
    errors = response.dig("errors") or []
    faults = [Wrong(str(it.get("field")), str(it.get("message"))) for it in errors if isinstance(it, dict)]
    if response.status == 409 and any(fault.field == "Idempotency-Key" for fault in faults):
        return IdempotencyConflict(draft.key)
    return Malformed(faults) if response.status == 422 and faults else Refusal(550, "5.7.1", detail)
