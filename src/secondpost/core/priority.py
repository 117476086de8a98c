"""What a message's priority changes: the order of the queue, how long it may wait, and what becomes of a doubt.

Rule: urgent never waits behind bulk; every default can be changed in the configuration.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum, StrEnum


class Priority(IntEnum):
    """Smaller goes first; the number is what the store sorts by."""

    URGENT = 0
    NORMAL = 1
    BULK = 2

    @property
    def label(self) -> str:
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> "Priority":
        """The priority named by `word` in any case. Raises ValueError with the words that are known."""
        try:
            return cls[word.strip().upper()]
        except KeyError:
            raise ValueError(f"unknown priority {word!r}: use urgent, normal or bulk") from None


class WhenUnclear(StrEnum):
    """What to do with a doubt that nothing settled in time."""

    SEND_AGAIN = "send_again"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a priority means. `patience` None: wait as long as the limit says. `hedge_after` None: never race."""

    expires: timedelta
    patience: timedelta | None
    when_unclear: WhenUnclear
    unclear_after: timedelta
    hedge_after: timedelta | None = None


DEFAULTS: dict[Priority, Policy] = {
    Priority.URGENT: Policy(
        expires=timedelta(hours=1),
        patience=timedelta(seconds=2),
        when_unclear=WhenUnclear.SEND_AGAIN,
        unclear_after=timedelta(minutes=1),
        hedge_after=timedelta(seconds=1),
    ),
    Priority.NORMAL: Policy(
        expires=timedelta(days=2),
        patience=timedelta(seconds=30),
        when_unclear=WhenUnclear.SEND_AGAIN,
        unclear_after=timedelta(minutes=10),
    ),
    Priority.BULK: Policy(
        expires=timedelta(days=5),
        patience=None,
        when_unclear=WhenUnclear.HOLD,
        unclear_after=timedelta(minutes=10),
    ),
}
