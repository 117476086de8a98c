"""How many messages each client may submit, and when the next one may come.

Rule: neither a change of another client's limits nor a restart begins a count anew.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from secondpost.core import limits
from secondpost.core.connection import Limits
from secondpost.errors import SecondpostError, TooMany
from secondpost.store.base import Store

SPANS = {"per_minute": "a minute", "per_hour": "an hour", "per_day": "a day"}  # of UTC


@dataclass(slots=True)
class Pace:
    """Only clients that have limits are known here. What they have submitted is kept in the store as `kind`."""

    store: Store
    kind: str
    _limiters: dict[str, limits.Limiter] = field(default_factory=dict)
    _kept: dict[str, limits.Limiter] = field(default_factory=dict)

    async def load(self, clients: Mapping[str, Mapping[str, Any]]) -> None:
        """Take the limits from the documents of all clients, by name; and what they had submitted before a restart."""
        counted = await self.store.all(self.kind)
        allowed = {name: _limits(document) for name, document in clients.items()}
        self._limiters = {
            name: replace(self._limiters.get(name) or limits.from_dict(counted.get(name, {}), limit), limits=limit)
            for name, limit in allowed.items()
            if limit != limits.UNLIMITED
        }
        if gone := counted.keys() - self._limiters.keys():
            await self.store.put_all(self.kind, dict.fromkeys(gone))

    async def keep(self) -> None:
        """Write down what was counted since the last time."""
        counted = {name: it for name, it in self._limiters.items() if self._kept.get(name) is not it}
        if counted:
            await self.store.put_all(self.kind, {name: limits.to_dict(it) for name, it in counted.items()})
            self._kept |= counted

    def take(self, name: str, now: datetime, called: str) -> None:
        """Count one message. Raises `TooMany`, which calls the client as `called`."""
        limiter = self._limiters.get(name)
        if limiter is None:
            return
        wait = limits.wait(limiter, now)
        if wait:
            raise TooMany(
                f"{called} has submitted as many messages as it may ({_words(limiter.limits)}). Nothing was "
                f"stored; send it again in {math.ceil(wait.total_seconds())} s, or ask for a higher limit.",
                wait,
            )
        self._limiters[name] = limits.take(limiter, now)


def checked(rates: Mapping[str, int | None]) -> dict[str, int | None]:
    """A client's limits as its document keeps them. Raises `SecondpostError` for a limit that is none."""
    for span, limit in rates.items():
        if span not in SPANS:
            raise SecondpostError(f"There is no limit {span!r}: use {', '.join(SPANS)}.")
        if limit is not None and (type(limit) is not int or limit < 1):
            raise SecondpostError("A limit is a whole number of messages, at least 1.")
    return shown(rates)


def shown(kept: Mapping[str, Any]) -> dict[str, int | None]:
    """The limits among the fields of a client's document."""
    return {span: kept.get(span) for span in SPANS}


def _limits(kept: Mapping[str, Any]) -> Limits:
    return Limits(per_minute=kept.get("per_minute"), per_hour=kept.get("per_hour"), per_day=kept.get("per_day"))


def _words(limit: Limits) -> str:
    return ", ".join(f"{number} {words}" for span, words in SPANS.items() if (number := getattr(limit, span)))
