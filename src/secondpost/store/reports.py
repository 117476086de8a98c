"""What every store promises of counts over many messages.

Rule: they take their time, and hold up nobody.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from secondpost.core.tally import Heading, Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAttempt:
    """The last attempt by a connection that a provider took, or the last that it did not."""

    connection: str
    accepted: bool
    at: datetime
    message: int
    reply: str


class Reports(Protocol):
    async def tally(
        self, heading: Heading, *, since: datetime, until: datetime, step: timedelta, limit: int
    ) -> list[Tally]:
        """Deliveries of the messages accepted in that time, those with the most first. `step` is for `Heading.TIME`."""
        ...

    async def last_attempts(self, since: datetime) -> list[LastAttempt]:
        """Of each connection, from the messages accepted since then."""
        ...
