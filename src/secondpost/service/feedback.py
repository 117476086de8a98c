"""Feedback: what providers tell us later by webhooks, put where people and the rules look for it.

Rule: nothing is believed before its address and its signature are right; an event that comes twice changes nothing.
"""

import asyncio
import hmac
import logging
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from secondpost.core import event as rules
from secondpost.core import suppression, words
from secondpost.core.delivery import Move
from secondpost.core.event import Event, Kind, Sequel
from secondpost.errors import HookRefused, HookUnproven, SecondpostError, StoreError
from secondpost.mailers.base import ApiMailer, Hook
from secondpost.service import settlement
from secondpost.service.suppressions import Suppressions
from secondpost.service.worker import Worker
from secondpost.store.base import Store
from secondpost.store.log import LogEntry

logger = logging.getLogger(__name__)

KIND = "webhook"
TEXT = 300  # characters of a provider's words
_OF = re.compile(r"#(\d+) ")
WHY = {Move.SETTLE_ARRIVED: "told by webhook: {} has it", Move.SETTLE_REFUSED: "told by webhook: {} did not send it"}


class NoSuchHook(SecondpostError):
    """There is no webhook at this address; which part of it is wrong is not told."""


@dataclass(slots=True)
class Feedback:
    """The webhooks of one gateway. `url` is how the world reaches it."""

    store: Store
    worker: Worker
    suppressions: Suppressions
    now: Callable[[], datetime]
    url: str
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def address(self, name: str, *, renew: bool = False) -> str:
        """The URL to enter at the provider. It is a secret. With `renew` it is a new one, and the old one is void."""
        kept = None if renew else await self.store.get(KIND, name)
        if kept is None:
            kept = {"token": secrets.token_urlsafe(32)}
            await self.store.put(KIND, name, kept)
        return f"{self.url}{path(name, kept['token'])}"

    async def forget(self, name: str) -> None:
        await self.store.delete(KIND, name)

    async def take(self, name: str, token: str, hook: Hook) -> int:
        """Believe a webhook and write down what it tells; how many events that was.

        Raises `NoSuchHook`, `HookRefused`, and what the store raises: then the provider is to come again."""
        mailer = await self.addressed(name, token)
        try:
            events = await mailer.hear(replace(hook, url=f"{self.url}{path(name, token)}"), self.now())
        except (HookRefused, HookUnproven):
            raise
        except Exception as error:
            logger.warning("a webhook of %s cannot be read: %s", name, type(error).__name__)
            raise HookRefused("The webhook cannot be read. Nothing in it was believed.") from None
        by_message: dict[int | None, list[Event]] = {}
        for event in events:
            by_message.setdefault(event.message, []).append(event)
        async with self._one_at_a_time:
            await asyncio.gather(*[self._note(name, message, told) for message, told in by_message.items()])
        return len(events)

    async def addressed(self, name: str, token: str) -> ApiMailer:
        """Whose address this is. Raises `NoSuchHook`."""
        kept = await self.store.get(KIND, name)
        line = self.worker.ways.lines.get(name)
        right = hmac.compare_digest(str((kept or {}).get("token", "")).encode(), token.encode())
        if not (kept and right and line and line.mailer.can.events):
            raise NoSuchHook("There is no webhook at this address.")
        return cast("ApiMailer", line.mailer)

    async def _note(self, name: str, message: int | None, events: Sequence[Event]) -> None:
        """What is told of one message. Mail that this connection never carried is nobody's business here."""
        entry = await self.store.entry(message) if message is not None else None
        if entry is None:
            return
        known = {(event["kind"], event["connection"], event["text"]) for event in entry.events}
        for event in events:
            if event.kind is Kind.UNKNOWN:
                continue
            numbers = carried(entry, name, event.recipient)
            if len(numbers) == 1:
                await self._follow(entry, name, numbers[0], event)
            await self._tell(entry, name, numbers, event, known)

    async def _follow(self, entry: LogEntry, name: str, number: int, event: Event) -> None:
        """Settle the doubt about a delivery, and suppress its recipient, where the event says so."""
        delivery = entry.deliveries[number]
        move = rules.move(event, delivery["state"])
        if move is not None and delivery["connection"] == name:
            now, reason = self.now(), WHY[move].format(name)
            if await settlement.settle(self.worker, entry.row.id, [number], move, now=now, reason=reason):
                await self.store.event(
                    "doubt", at=now, connection=name, message=entry.row.id, text=f"settled for #{number}: {reason}"
                )
        why = suppression.following(event)
        if why is not None:
            try:
                await self.suppressions.add([delivery["recipient"]], why)
            except StoreError:
                raise
            except SecondpostError as error:
                logger.warning("a recipient was not suppressed: %s", error)

    async def _tell(
        self, entry: LogEntry, name: str, numbers: Sequence[int], event: Event, known: set[tuple[str, str, str]]
    ) -> None:
        if not numbers:
            return
        said = words.clean(f"{event.reason} {event.text}".strip())[:TEXT]
        whose = f"#{numbers[0]} {entry.deliveries[numbers[0]]['recipient']}" if len(numbers) == 1 else "one of them"
        text = f"{whose}: {said}" if said else whose
        if (event.kind.value, name, text) in known:
            return
        known.add((event.kind.value, name, text))
        at = min(max(event.at, entry.row.accepted), self.now())  # their clock is not ours
        came = came_of(entry, name, numbers, event.kind)
        await self.store.event(event.kind.value, at=at, connection=name, message=entry.row.id, text=text, sequel=came)


def path(name: str, token: str) -> str:
    return f"/webhooks/{name}/{token}"


def carried(entry: LogEntry, connection: str, recipient: str) -> list[int]:
    """The deliveries that an event of this connection can be about: to that recipient, or to any if it names none."""
    tried = {
        outcome["number"]
        for attempt in entry.attempts
        if attempt["connection"] == connection
        for outcome in attempt["outcomes"]
    }
    return [
        delivery["number"]
        for delivery in entry.deliveries
        if delivery["number"] in tried and recipient.lower() in ("", delivery["recipient"].lower())
    ]


def came_of(entry: LogEntry, connection: str, numbers: Sequence[int], kind: Kind) -> tuple[int, Sequel] | None:
    """Of which delivery an event says what came of it. Of a copy that went another way before, only that it arrived."""
    came = rules.sequel(kind)
    if came is None or len(numbers) != 1:
        return None
    counts = came in rules.ARRIVED or entry.deliveries[numbers[0]]["connection"] == connection
    return (numbers[0], came) if counts else None


def told(events: Sequence[Mapping[str, Any]]) -> dict[int, Kind]:
    """What providers have said of each delivery, by its number."""
    kinds: dict[int, set[Kind]] = {}
    for event in events:
        whose = _OF.match(event["text"])
        if whose and event["kind"] in list(Kind):
            kinds.setdefault(int(whose[1]), set()).add(Kind(event["kind"]))
    return {number: kind for number, found in kinds.items() if (kind := rules.foremost(found)) is not None}
