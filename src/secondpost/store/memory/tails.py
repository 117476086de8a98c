"""Large bodies in memory."""

from collections.abc import Iterator


class MemoryTail:
    """A tail that is held in memory; its own writer."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    @property
    def size(self) -> int:
        return len(self._bytes)

    def blocks(self) -> Iterator[bytes]:
        for start in range(0, len(self._bytes), 65536):
            yield bytes(self._bytes[start : start + 65536])

    async def write(self, block: bytes) -> None:
        self._bytes += block

    async def finish(self) -> "MemoryTail":
        return self

    def abandon(self) -> None:
        self._bytes.clear()
