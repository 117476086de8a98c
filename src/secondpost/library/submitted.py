"""Submitted: a gateway takes the message, and goes on until it is sent.

Rule: every submission has an idempotency key, the caller's or one of its own, so that it may be repeated until the
gateway has said what became of it; the gateway takes it once.
"""

import asyncio
import secrets
from dataclasses import dataclass, replace
from itertools import chain, repeat

from secondpost.core.message import id_text
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Rejected, Unclear
from secondpost.errors import ConfigError, Refusal
from secondpost.library import result
from secondpost.library.doors import Door, Handed, HttpDoor, SmtpDoor
from secondpost.library.result import Fate, Recipient, Result
from secondpost.service.submit import Draft

PAUSES = (0.1, 0.3, 1.0, 2.0)  # seconds between two tries; the last one again and again
SILENT = Deferred(Fault.UNREACHABLE, "the gateway did not answer in time")
FATES: dict[type[Outcome], Fate] = {
    Accepted: "queued", Deferred: "deferred", Rejected: "rejected", Unclear: "unclear",
}  # fmt: skip


def gateway(url: str, key: str) -> "Submitted":
    """Raises `ConfigError` for what is no gateway's address."""
    scheme = url.partition("://")[0].lower()
    if scheme in {"http", "https"}:
        return Submitted(HttpDoor(url, key))
    if scheme in {"smtp", "smtps"} and not key:
        return Submitted(SmtpDoor(url))
    if scheme in {"smtp", "smtps"}:
        raise ConfigError("By SMTP a gateway asks for a log-in, not for a key: smtp://name:secret@host:port.")
    raise ConfigError("The url of a gateway begins with http://, https://, smtp:// or smtps://. Nothing was opened.")


@dataclass(slots=True)
class Point:
    """The point of no return (a `Crossing`) of one submission over all its tries: whether they may have it."""

    passed: bool = False
    doubted: bool = False  # some try ended without an answer

    def prepare(self) -> None:
        """Nothing is written down: the key keeps a second copy away."""

    async def take(self) -> bool:
        self.passed = True
        return True

    def learn(self, outcome: Outcome) -> None:
        self.doubted = self.passed = self.doubted or isinstance(outcome, Unclear)


class Submitted:
    """The way to one gateway. Belongs to one event loop."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def open(self) -> None:
        """The first message opens it."""

    async def close(self) -> None:
        await self._door.close()

    async def find(self, id: int) -> Result | None:
        return await self._door.find(id)

    async def send(self, draft: Draft, seconds: float) -> Result:
        """What the gateway said. It is asked again, with the same key, until it says something or the time is over."""
        draft = replace(draft, key=draft.key or secrets.token_hex(16))
        point = Point()
        last: Outcome = SILENT
        try:
            async with asyncio.timeout(seconds):
                for pause in chain(PAUSES, repeat(PAUSES[-1])):
                    handed = await self._door.hand(draft, point)
                    if any(isinstance(outcome, Accepted | Rejected) for outcome in handed.outcomes):
                        return _told(draft, handed)
                    last = handed.outcomes[0]
                    point.learn(last)
                    await asyncio.sleep(max(pause, _asked(last)))
        except TimeoutError:
            pass
        end = Unclear(last.reply) if point.passed else last
        return _told(draft, Handed((end,) * len(draft.recipients)))


def _asked(outcome: Outcome) -> float:
    """Seconds that the gateway wants us to stay away."""
    wait = outcome.retry_after if isinstance(outcome, Deferred) else None
    return wait.total_seconds() if wait is not None else 0.0


def _told(draft: Draft, handed: Handed) -> Result:
    """Raises `Refusal` when the gateway wants nothing of it."""
    if all(isinstance(outcome, Rejected) for outcome in handed.outcomes):
        raise Refusal(550, "5.0.0", f"The gateway refused it: {handed.outcomes[0].reply}")
    recipients = [
        Recipient(address=address, state=FATES[type(outcome)], reply=outcome.reply)
        for address, outcome in zip(draft.recipients, handed.outcomes, strict=True)
    ]
    told = result.told(handed.id or id_text(draft.id), recipients)
    return result.repeated(told) if handed.duplicate else told
