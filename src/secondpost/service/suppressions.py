"""The suppression list at work: kept in the store, asked for every message, changed by people and by events.

Rule: what is added is on disk before it is said to be; mail that was accepted before is not touched.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from secondpost.core import address, suppression
from secondpost.core.suppression import Reason
from secondpost.errors import SecondpostError
from secondpost.service.desk import Desk
from secondpost.store.base import Store

KIND = "suppression"


@dataclass(slots=True)
class Suppressions:
    """The list of one store. The desk withholds mail by it."""

    store: Store
    desk: Desk
    now: Callable[[], datetime]
    _kept: dict[str, Any] = field(default_factory=dict)  # address → reason, since

    async def load(self) -> None:
        self._kept = await self.store.all(KIND)
        self._apply()

    def _apply(self) -> None:
        self.desk.suppressed = suppression.List({known: kept["reason"] for known, kept in self._kept.items()})

    def show(self) -> list[dict[str, Any]]:
        """All of it, by address."""
        return [{"address": known, **kept} for known, kept in sorted(self._kept.items())]

    async def add(self, addresses: Sequence[str], reason: Reason = Reason.MANUAL) -> list[str]:
        """Suppress addresses; none if one of them is no address. Returns the new ones; others keep their reason."""
        new = [known for known in _keys(addresses) if known not in self._kept]
        kept = {"reason": reason.value, "since": self.now().isoformat(timespec="seconds")}
        await self.store.put_all(KIND, dict.fromkeys(new, kept))
        self._kept |= dict.fromkeys(new, kept)
        self._apply()
        await self._tell("suppressed", new, f" ({reason.value})")
        return new

    async def remove(self, addresses: Sequence[str]) -> list[str]:
        """Allow addresses again. Raises `SecondpostError` when one is not suppressed; then none is allowed."""
        known = _keys(addresses)
        for name in known:
            if name not in self._kept:
                raise SecondpostError(
                    f"{name} is not suppressed. Nothing was changed; see: secondpost suppressions list"
                )
        await self.store.put_all(KIND, dict.fromkeys(known))
        self._kept = {name: kept for name, kept in self._kept.items() if name not in known}
        self._apply()
        await self._tell("allowed again", known, "")
        return known

    async def _tell(self, what: str, addresses: Sequence[str], why: str) -> None:
        now = self.now()
        await asyncio.gather(*[self.store.event("suppression", at=now, text=f"{what}: {it}{why}") for it in addresses])


def _keys(addresses: Sequence[str]) -> list[str]:
    """What the list knows them by, each once. Raises `SecondpostError` for what is no address."""
    try:
        return list(dict.fromkeys([suppression.key(address.parse(text.strip()).text) for text in addresses]))
    except address.AddressError as error:
        raise SecondpostError(f"{error} Nothing was changed.") from None


def reason(word: str) -> Reason:
    """The reason that a person's word means."""
    try:
        return Reason(word)
    except ValueError:
        raise SecondpostError(f"Unknown reason {word!r}: use {', '.join(Reason)}. Nothing was changed.") from None
