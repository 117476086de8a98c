"""Slows down who guesses passwords: each failed try of an account or from an address doubles the wait for the next.

Rule: it delays and never locks out; what it remembers is bounded.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

FREE = 5  # failures that cost nothing: people mistype
LONGEST = timedelta(minutes=1)
FORGOTTEN_AFTER = timedelta(minutes=15)
REMEMBERED = 10_000


@dataclass(slots=True)
class _Failures:
    count: int
    last: datetime

    def wait(self, now: datetime) -> timedelta:
        if now - self.last > FORGOTTEN_AFTER or self.count < FREE:
            return timedelta()
        delay = min(timedelta(seconds=2 ** min(self.count - FREE, 10)), LONGEST)
        return max(self.last + delay - now, timedelta())


@dataclass(slots=True)
class Throttle:
    """Counts by key: an account, and an address somebody comes from."""

    _failed: OrderedDict[str, _Failures] = field(default_factory=OrderedDict)

    def wait(self, keys: tuple[str, ...], now: datetime) -> timedelta:
        """How long the next try has to wait."""
        return max((self._failed[key].wait(now) for key in keys if key in self._failed), default=timedelta())

    def failed(self, keys: tuple[str, ...], now: datetime) -> None:
        for key in keys:
            before = self._failed.pop(key, None)
            count = before.count if before and now - before.last <= FORGOTTEN_AFTER else 0
            self._failed[key] = _Failures(count + 1, now)
        while len(self._failed) > REMEMBERED:
            self._failed.popitem(last=False)

    def succeeded(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            self._failed.pop(key, None)
