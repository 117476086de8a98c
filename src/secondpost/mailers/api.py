"""A provider's HTTP API as facts and pure functions, and the words in which its answers are judged.

Rule: nothing here reads a clock, a disk or a socket; `http.py` does that for every provider in the same way.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from secondpost.core import words
from secondpost.core.event import Event
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Rejected, Unclear
from secondpost.mailers.base import Abilities, Hook, Setting, Sought
from secondpost.mailers.parts import Letter

Values = Mapping[str, Any]  # a connection's settings, every declared one present

LONGEST_WAIT: Final = timedelta(days=1)
REPLY_LIMIT: Final = 500
RESETS: Final = ("x-sib-ratelimit-reset", "x-ratelimit-reset")  # what some have in the place of Retry-After

# Settings that every API mailer has.
SHARED: Final = (
    Setting(
        name="host", label="API Host", advanced=True,
        help="Another server that speaks this API, such as a proxy or a test server. Empty: the provider's own.",
    ),
    Setting(
        name="private_addresses", label="Allow Private Addresses", kind="toggle", default=False, advanced=True,
        help="Also connect to addresses of this machine and of private networks, and without TLS. For a host of yours.",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. Secrets stand in its header only, unless the provider wants them elsewhere."""

    url: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def get(url: str, headers: Mapping[str, str], **query: str) -> Request:
    """A request that only asks."""
    return Request(url=f"{url}?{urlencode(query)}" if query else url, method="GET", headers=headers)


def post(url: str, headers: Mapping[str, str], value: Any) -> Request:
    """A request with a JSON body."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Request(url=url, headers={"Content-Type": "application/json", **headers}, body=body)


def form(fields: Sequence[tuple[str, str]], files: Mapping[str, tuple[str, bytes]]) -> tuple[str, bytes]:
    """A multipart form: its Content-Type and its bytes. The boundary comes from the content, so it is not in it."""
    digest = hashlib.sha256(b"".join(data for _, data in files.values())).hexdigest()[:40].encode()
    pieces = []
    for name, value in fields:
        pieces.append(b'Content-Disposition: form-data; name="%b"\r\n\r\n%b' % (name.encode(), value.encode()))
    for name, (filename, data) in files.items():
        where = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"'
        pieces.append(b"%b\r\nContent-Type: application/octet-stream\r\n\r\n%b" % (where.encode(), data))
    body = b"".join(b"--%b\r\n%b\r\n" % (digest, piece) for piece in pieces) + b"--%b--\r\n" % digest
    return f"multipart/form-data; boundary={digest.decode()}", body


def basic(user: str, password: str) -> str:
    """The value of Authorization for a user and a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came back. `body` is bounded; it is not `whole` when it was longer, or when the line was lost in it."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)  # names lower-cased
    body: bytes = b""
    whole: bool = True

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON; None when it is not."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def dig(self, *path: str | int) -> Any:
        """What stands at `path` in the JSON; None when there is nothing."""
        found = self.json()
        for step in path:
            try:
                found = found[step]
            except (TypeError, KeyError, IndexError):
                return None
        return found

    def reply(self, said: Any = None) -> str:
        """The answer in one bounded line for people: the status, and the provider's words."""
        return words.clean(f"{self.status} {said if isinstance(said, str) and said else self.text}")[:REPLY_LIMIT]


# ── the words of a refusal ──────────────────────────────────────────────────────────────────────────────────────────

Verdict = Callable[[Response, str], Outcome]


def account(_: Response, reply: str) -> Outcome:
    """The key is wrong, the account is suspended, or it may not do this."""
    return Deferred(Fault.ACCOUNT, reply)


def sender(_: Response, reply: str) -> Outcome:
    """This sender's address or domain is not verified."""
    return Deferred(Fault.ACCOUNT, reply, about_sender=True)


def limit(response: Response, reply: str) -> Outcome:
    """Too fast, or a quota is used up."""
    return Deferred(Fault.LIMIT, reply, retry_after=retry_after(response))


def recipient(_: Response, reply: str) -> Outcome:
    """The recipient is invalid or suppressed."""
    return Rejected(Fault.RECIPIENT, reply)


def message(_: Response, reply: str) -> Outcome:
    """They do not want this message."""
    return Rejected(Fault.MESSAGE, reply)


def unsupported(_: Response, reply: str) -> Outcome:
    """Its size or one of its features is too much for them; another provider may take it."""
    return Rejected(Fault.MESSAGE, reply, unsupported=True)


def later(_: Response, reply: str) -> Outcome:
    """Trouble of theirs that surely kept them from taking it, and that passes."""
    return Deferred(Fault.PROVIDER, reply)


def never(_: Response, reply: str) -> Outcome:
    """They do not do this, whoever asks for whatever message."""
    return Rejected(Fault.PROVIDER, reply)


def unreachable(_: Response, reply: str) -> Outcome:
    """Something before the provider answered: it did not get the request."""
    return Deferred(Fault.UNREACHABLE, reply)


def unclear(_: Response, reply: str) -> Outcome:
    """Nobody can say whether they have it."""
    return Unclear(reply)


# What a status means where the provider's own words do not say it better. Any other 4xx is `later`, 5xx `unclear`.
STATUSES: Final[Mapping[int, Verdict]] = {
    400: message, 401: account, 402: limit, 403: account, 404: account, 405: never, 413: unsupported, 422: message,
    429: limit, 503: later, 521: unreachable, 522: unreachable, 523: unreachable, 525: unreachable, 526: unreachable,
}  # fmt: skip


def by_status(response: Response, said: Any = None) -> Outcome:
    """What the status alone says. `said`: the provider's words, where the answer has them apart."""
    if response.ok:
        return Accepted(response.reply(said))
    otherwise = unclear if response.status >= 500 else later
    return STATUSES.get(response.status, otherwise)(response, response.reply(said))


def retry_after(response: Response) -> timedelta | None:
    """The wait that the answer names, in seconds or as a date or a Unix time, which count by the provider's clock."""
    names = ("retry-after", *RESETS) if response.status == 429 else ("retry-after",)
    value = next((response.headers[name].strip() for name in names if response.headers.get(name)), "")
    if not (value.isascii() and value.isdigit()):
        return wait_until(response, value) if value else None
    if len(value) == 10:
        return wait_until(response, datetime.fromtimestamp(int(value), UTC))
    return min(timedelta(seconds=int(value)), LONGEST_WAIT) if len(value) < 10 else None


def wait_until(response: Response, end: datetime | str) -> timedelta | None:
    """The wait until a time, which may be an RFC 5322 date, by the provider's clock."""
    try:
        until = parsedate_to_datetime(end) if isinstance(end, str) else end
        wait = until - parsedate_to_datetime(response.headers.get("date", ""))
    except (TypeError, ValueError):
        return None
    return min(max(wait, timedelta(0)), LONGEST_WAIT)


# ── a provider ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Api:
    """A provider: subclass it, declare the facts, and write the functions that it has.

    `request`, `outcome` and `verify` are needed; `lookup` with `found`, and `events`, go with `can`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]]
    can: ClassVar[Abilities]
    site: ClassVar[str] = ""  # the provider's documentation
    notes: ClassVar[tuple[str, ...]] = ()  # what people should know, one sentence each
    learns: ClassVar[str] = ""  # a setting that `verified` tells in its details where it is left empty
    body_tells: ClassVar[bool] = False  # a 2xx may be a refusal: without a readable body nobody knows

    def request(self, letter: Letter, settings: Values) -> Request:
        """The request that sends it."""
        raise NotImplementedError

    def outcome(self, response: Response, letter: Letter) -> Outcome | Sequence[Outcome]:
        """What the answer means: for all recipients, or for each in the letter's order."""
        raise NotImplementedError

    def verify(self, settings: Values) -> Request:
        """A request that shows whether the key is good, and sends nothing."""
        raise NotImplementedError

    def verified(self, response: Response) -> tuple[Outcome, Mapping[str, str]]:
        """What the answer to `verify` means, and what was learned."""
        return by_status(response), {}

    def lookup(self, sought: Sought, settings: Values) -> Request:
        """A request that asks whether they have a message."""
        raise NotImplementedError

    def found(self, response: Response, sought: Sought) -> Mapping[str, str]:
        """The recipients for whom they have it, with their id of it."""
        raise NotImplementedError

    def events(self, hook: Hook, settings: Values, now: datetime) -> list[Event]:
        """What a webhook tells, once its signature is checked. Raises `HookRefused`."""
        raise NotImplementedError

    def proof(self, hook: Hook, settings: Values) -> Request | None:
        """What must be fetched before a webhook can be checked. Raises `HookRefused`."""
        return None

    def answer(self, hook: Hook, settings: Values) -> Request | None:
        """What the provider wants to be asked after a webhook that was believed."""
        return None

    def check(self, settings: Values) -> None:
        """Look at the settings together. Raises `ConfigError` when they cannot work."""

    async def sign(self, request: Request, settings: Values, now: datetime) -> Request:
        """The request with what must be made anew each time, such as an access token. The only place that may wait."""
        return request
