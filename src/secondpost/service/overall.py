"""Limits over all: how many messages all connections together may carry, whoever carries them.

Rule: a message is counted when it sets out, once for all connections that this round tries. What may not go yet waits
in the store, and comes from there most urgent first: no other connection would help it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from secondpost.core import limits
from secondpost.core.connection import Limits
from secondpost.errors import WrongInput
from secondpost.service.line import Errand
from secondpost.store.base import Store

KIND, CHOSEN, COUNTED = "misc", "limits", "counted"
SPANS = ("per_second", "per_minute", "per_hour", "per_day", "per_month")
MOST = 2**53
_ZERO = timedelta(0)


@dataclass(slots=True)
class Overall:
    """What all lines share. `limiter` is None where nothing is limited: then nothing is counted, and nothing asked."""

    limiter: limits.Limiter | None = None

    def limit(self, rates: Mapping[str, int]) -> None:
        """Take up other limits; what was counted stays counted."""
        allowed = Limits(**rates)
        self.limiter = replace(self.limiter or limits.Limiter(), limits=allowed) if rates else None

    def wait(self, now: datetime, errand: Errand | None = None) -> timedelta:
        """How long the next message has to wait; or this one, which does not if it has set out before."""
        if self.limiter is None or (errand is not None and errand.counted):
            return _ZERO
        return limits.wait(self.limiter, now)

    def room(self, now: datetime, most: int) -> int:
        """How many may set out now, if no more than `most` are asked for."""
        return limits.room(self.limiter, now, most) if self.limiter is not None else most

    def count(self, errand: Errand, now: Callable[[], datetime]) -> None:
        """The errand sets out, unless it has before."""
        if self.limiter is not None and not errand.counted:
            self.limiter = limits.take(self.limiter, now())
            errand.counted = True


@dataclass(slots=True)
class OverallLimits:
    """Their settings. `fixed`: what the configuration sets, with where; `chosen`: by a person, for the other spans."""

    store: Store
    overall: Overall
    fixed: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    chosen: dict[str, int] = field(default_factory=dict)
    _kept: limits.Limiter | None = None

    async def load(self) -> None:
        """What a person chose, and what was counted before a restart."""
        self.chosen = await self.store.get(KIND, CHOSEN) or {}
        self.overall.limiter = limits.from_dict(await self.store.get(KIND, COUNTED) or {}, limits.UNLIMITED)
        self._apply()

    @property
    def rates(self) -> dict[str, int]:
        """What is in force, by span."""
        return self.chosen | {span: rate for span, (rate, _) in self.fixed.items()}

    def origin(self, span: str) -> str:
        """Where the configuration sets it; empty when it does not."""
        return self.fixed[span][1] if span in self.fixed else ""

    def configure(self, fixed: Mapping[str, tuple[int, str]]) -> None:
        """Take up another configuration."""
        self.fixed = fixed
        self._apply()

    async def change(self, rates: Mapping[str, int | None]) -> None:
        """Have these limits and no others; None: no limit. What the configuration sets stays. Raises `WrongInput`."""
        chosen = self.checked(rates)
        await self.store.put(KIND, CHOSEN, chosen)
        self.chosen = chosen
        self._apply()

    def checked(self, rates: Mapping[str, object]) -> dict[str, int]:
        """The limits that a person may choose, as they are kept. Raises `WrongInput`."""
        chosen: dict[str, int] = {}
        for span, rate in rates.items():
            if span not in SPANS:
                raise WrongInput(span, f"There is no limit {span!r}: use {', '.join(SPANS)}. Nothing was saved.")
            if rate is None or span in self.fixed:
                continue
            if type(rate) is not int or not 1 <= rate <= MOST:
                raise WrongInput(span, "A limit is a whole number of messages, at least 1. Nothing was saved.")
            chosen[span] = rate
        return chosen

    def _apply(self) -> None:
        self.overall.limit(self.rates)

    async def keep_counts(self) -> None:
        """Write down what was counted since the last time, so that a restart does not begin a new quota."""
        limiter = self.overall.limiter
        if limiter is not None and limiter is not self._kept:
            await self.store.put(KIND, COUNTED, limits.to_dict(limiter))
            self._kept = limiter
