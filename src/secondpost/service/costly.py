"""Answers that cost time: kept for as long as their price allows, and worked out one at a time.

Rule: whoever asks and however often, a twentieth of one core is spent on them at most.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

SHARE = 20
SHORTEST = 1.0  # seconds: what costs nothing is not asked more often either
MOST = 64  # answers kept


@dataclass(slots=True)
class Costly:
    clock: Callable[[], float] = time.monotonic
    _kept: dict[Hashable, tuple[float, Any]] = field(default_factory=dict)  # until when, and the answer
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """The answer that is kept for `key`, or a new one."""
        async with self._one:
            until, answer = self._kept.get(key, (0.0, None))
            begun = self.clock()
            if begun >= until:
                answer = await work()
                ended = self.clock()
                self._kept.pop(key, None)
                self._kept[key] = (ended + max(SHARE * (ended - begun), SHORTEST), answer)
                while len(self._kept) > MOST:
                    del self._kept[next(iter(self._kept))]
            return answer  # type: ignore[no-any-return]  # it is what `work` gave under this key
