"""Room: how much mail on its way may be held in memory. What does not fit waits in the store.

Rule: memory is bounded by count and by bytes, whatever arrives; for want of room mail only waits on disk.
"""

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class Room:
    """Counts what is held. `hungry` is set when there is room again for what waits in the store."""

    max_count: int = 10_000
    max_bytes: int = 64 * 2**20
    count: int = 0
    bytes: int = 0
    behind: bool = False  # something waits in the store that could go now
    hungry: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def low(self) -> bool:
        """So little is held that the store should be asked for more. The rest is for what arrives meanwhile."""
        return self.count < self.max_count // 8 and self.bytes < self.max_bytes // 2

    def fits(self, size: int) -> bool:
        return self.count < self.max_count and self.bytes + size <= self.max_bytes

    def hold(self, size: int) -> None:
        self.count += 1
        self.bytes += size

    def give(self, size: int) -> None:
        self.count -= 1
        self.bytes -= size
        if self.behind and self.low:
            self.hungry.set()
