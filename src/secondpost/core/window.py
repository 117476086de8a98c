"""The attempts of the last minute, counted from the first failure in it on: while nothing fails, nothing is kept.

Rule: at most twelve slots of five seconds, however many attempts there are.
"""

from datetime import datetime

SLOT = 5  # seconds
SLOTS = 12
ENOUGH = 10  # attempts, to speak of a share

Window = tuple[tuple[int, int, int], ...]  # slot, attempts, half failures; oldest first


def add(window: Window, now: datetime, halves: int) -> Window:
    """The window after one more attempt; `halves` is 0 for a success, 1 or 2 for a failure."""
    slot = int(now.timestamp()) // SLOT
    slots = [item for item in window if slot - SLOTS < item[0] <= slot]
    if slots and slots[-1][0] == slot:
        _, attempts, failed = slots.pop()
        slots.append((slot, attempts + 1, failed + halves))
    else:
        slots.append((slot, 1, halves))
    while slots and not slots[0][2]:
        del slots[0]
    return tuple(slots)


def half_failed(window: Window) -> bool:
    """Whether there were enough attempts, and half of them failed."""
    attempts = sum(attempts for _, attempts, _ in window)
    return attempts >= ENOUGH and sum(failed for *_, failed in window) >= attempts
