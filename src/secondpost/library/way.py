"""What becomes of a draft: sent now, queued in this process, or handed to a gateway."""

from typing import Protocol

from secondpost.library.result import Result
from secondpost.service.submit import Draft


class Way(Protocol):
    """One of the three manners at work. Belongs to one process and one event loop."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def send(self, draft: Draft, seconds: float) -> Result: ...

    async def find(self, id: int) -> Result | None:
        """What is known of a message now; None where nothing is."""
        ...
