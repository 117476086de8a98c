"""Counting mail: what became of the deliveries of some time under one heading, and how long they took.

Rule: a delivery counts once, by what became of it so far, at the time its message was accepted. Spans of time are kept
to two digits, cut off, so that the middle of a million can be told from a hundred numbers.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Heading(StrEnum):
    """What deliveries are counted by. Of a time, the key is the number of the step, from 0."""

    TIME = "time"
    SUBJECT = "subject"
    CONNECTION = "connection"
    INITIATOR = "initiator"
    DOMAIN = "domain"  # of the recipient


EACH = ("primary", "backup", "failed", "unclear", "waiting", "cancelled")  # of these, one counts a delivery
COUNTS = (*EACH, "delivered", "bounced", "complained")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """`times`: milliseconds from our acceptance to a provider's, and how many deliveries took that long.

    The last three counts are parts of what was sent, and 0 where providers do not tell."""

    key: str = ""
    primary: int = 0  # accepted by the first connection of its route
    backup: int = 0  # accepted by another one
    failed: int = 0
    unclear: int = 0
    waiting: int = 0
    cancelled: int = 0
    delivered: int = 0
    bounced: int = 0
    complained: int = 0
    times: Mapping[int, int] = field(default_factory=dict)

    @property
    def sent(self) -> int:
        return self.primary + self.backup

    @property
    def all(self) -> int:
        return self.sent + self.failed + self.unclear + self.waiting + self.cancelled

    @property
    def told(self) -> int:
        """Of how much of what was sent a provider told what came of it."""
        return self.delivered + self.bounced + self.complained

    def within(self, share: float) -> int | None:
        """In how many milliseconds this share of what was sent was accepted; None when nothing was."""
        wanted = share * sum(self.times.values())
        for time in sorted(self.times):
            wanted -= self.times[time]
            if wanted <= 0:
                return time
        return None


def together(tallies: Iterable[Tally]) -> Tally:
    """All of them as one."""
    times: Counter[int] = Counter()
    counts = dict.fromkeys(COUNTS, 0)
    for tally in tallies:
        times.update(tally.times)
        for name in counts:
            counts[name] += getattr(tally, name)
    return Tally(key="", times=times, **counts)


def rough(milliseconds: int) -> int:
    """The first two digits of it; of a clock that stepped back, nothing."""
    unit = 1
    while milliseconds >= 100 * unit and unit < 10_000:
        unit *= 10
    return max(milliseconds, 0) // unit * unit
