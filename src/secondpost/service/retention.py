"""What is kept of finished mail, how much and how long: the settings of the Email Log, and their doing.

Rule: what the file or the environment sets wins; mail that is not finished is never touched.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from secondpost.core.content import has_attachments
from secondpost.errors import WrongInput
from secondpost.store.base import Store
from secondpost.store.log import Query

KIND, NAME = "setting", "log"
CONTENT, ENTRIES, MEGABYTES = "log.content_days", "log.retention_days", "log.content_megabytes"  # in the configuration
FOREVER = 36_500  # days
UNLIMITED = 10**9  # megabytes
MEGABYTE = 1_000_000
BATCH = 500
MOST_WORDS = 50


@dataclass(slots=True)
class Retention:
    """`configured` has numbers by the names of settings; `fixed` says where those come from that have to stay."""

    store: Store
    now: Callable[[], datetime]
    configured: Mapping[str, int]
    fixed: Mapping[str, str] = field(default_factory=dict)
    chosen: dict[str, int] = field(default_factory=dict)  # by a person
    attachments: bool = True  # content that has some is kept
    never: tuple[str, ...] = ()  # words of subjects: content of such mail is not kept
    _seen: datetime | None = None  # what was accepted before has been looked through for them

    async def load(self) -> None:
        kept = await self.store.get(KIND, NAME) or {}
        self.chosen = kept.get("numbers") or kept.get("days", {})  # the name while there were only days
        self.attachments = kept.get("attachments", True)
        self.never = tuple(kept.get("never", ()))

    @property
    def numbers(self) -> dict[str, int]:
        chosen = {name: number for name, number in self.chosen.items() if name not in self.fixed}
        return {**self.configured, **chosen}

    def configure(self, configured: Mapping[str, int], fixed: Mapping[str, str]) -> None:
        """Take up another configuration."""
        self.configured, self.fixed = configured, fixed

    async def change(
        self, *, content: int, entries: int, megabytes: int, never: Sequence[str], attachments: bool = True
    ) -> None:
        """Keep content and entries for so many days, of all content so many megabytes, and none of mail whose subject
        has one of these words; nor, unless `attachments`, of mail that has some."""
        words = tuple(dict.fromkeys(" ".join(line.split()) for line in never if line.strip()))
        if not (0 <= content <= FOREVER and 1 <= entries <= FOREVER):
            raise WrongInput("days", f"Days are whole numbers up to {FOREVER}. Nothing was saved.")
        if not 1 <= megabytes <= UNLIMITED:
            raise WrongInput("megabytes", f"Megabytes are a whole number from 1 to {UNLIMITED}. Nothing was saved.")
        if len(words) > MOST_WORDS or any(len(line) > 200 for line in words):
            raise WrongInput("never", f"At most {MOST_WORDS} lines of 200 characters. Nothing was saved.")
        asked = {CONTENT: content, ENTRIES: entries, MEGABYTES: megabytes}
        chosen = self.chosen | {name: number for name, number in asked.items() if name not in self.fixed}
        await self.store.put(KIND, NAME, {"numbers": chosen, "never": list(words), "attachments": attachments})
        self.chosen, self.never, self.attachments, self._seen = chosen, words, attachments, None

    async def purge(self) -> None:
        """Drop content and log entries whose time is over."""
        now = self.now()
        content, entries = (now - timedelta(days=self.numbers[name]) for name in (CONTENT, ENTRIES))
        more = True
        while more:
            more = any(await self.store.purge(content_before=content, log_before=entries, now=now, limit=BATCH))

    async def shrink(self) -> None:
        """Drop the oldest content of finished mail that is more than may be kept."""
        most = self.numbers[MEGABYTES]
        if most == UNLIMITED:
            return
        left, before, dropped = most * MEGABYTE, None, 0
        while rows := await self.store.contents(before=before, limit=BATCH):
            over = []
            for message, size in rows:  # newest first: once it is too much, it is for all that follow
                left -= size
                if left < 0:
                    over.append(message)
            dropped += len(await self.store.drop(over, whole=False)) if over else 0
            before = rows[-1][0]
        if dropped:
            text = f"more than {most} MB of content were kept: dropped the oldest, {dropped} in all"
            await self.store.event("retention", at=self.now(), text=text)

    async def forget(self) -> None:
        """Drop the content of finished mail that is not to be kept, from the oldest on that was open last time."""
        now = self.now()
        for words in self.never:
            await self._forget(Query(subject=words, since=self._seen, limit=BATCH))
        if not self.attachments:
            await self._forget(Query(since=self._seen, limit=BATCH), attached=True)
        if self.never or not self.attachments:
            self._seen = min([depth.oldest for depth in await self.store.depth()] + [now]) - timedelta(minutes=1)

    async def _forget(self, query: Query, *, attached: bool = False) -> None:
        while rows := await self.store.page(query):
            going = [row.id for row in rows if not attached or await self._is_attached(row.id)]
            if going:
                await self.store.drop(going, whole=False)
            query = replace(query, before=rows[-1].id)

    async def _is_attached(self, message: int) -> bool:
        """Of a large message only the beginning is at hand: it counts as one with attachments."""
        content = await self.store.content(message)
        return content is not None and (content.tail is not None or has_attachments(content.head, content.body))

    def show(self) -> dict[str, Any]:
        numbers = self.numbers
        return {
            "content": numbers[CONTENT], "entries": numbers[ENTRIES], "megabytes": numbers[MEGABYTES],
            "never": list(self.never), "attachments": self.attachments,
        }  # fmt: skip
