"""Ids drawn by this process: ordered by time, and no two alike."""

import random
import secrets
import time

from secondpost.core import message

_last = 0


def new_id() -> int:
    """A new id of a message or an attempt (see `core.ids`)."""
    global _last  # noqa: PLW0603  # one sequence for the whole process is the point
    _last = message.following_id(_last, time.time_ns() // 1_000_000, random.getrandbits(22))
    return _last


def worker_name() -> str:
    """A name that no worker before had, also not on this machine: leases must never be mistaken for one's own."""
    return secrets.token_hex(8)
