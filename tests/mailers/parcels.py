"""What the tests of mailers share: parcels, crossings that remember, and connections with short time-outs."""

import asyncio
from datetime import timedelta
from itertools import count
from typing import Any

from secondpost import mailers
from secondpost.core.connection import Connection, Limits, Timeouts
from secondpost.core.message import Message
from secondpost.core.outcome import Accepted, Unclear
from secondpost.mailers.base import Parcel

_ids = count(1)
SENDER, TO = "shop@shop.example", "bob@dest.example"


class Tail:
    """The rest of a large message, in blocks that are cut anywhere."""

    def __init__(self, data, block=65536, broken=False):
        self.data, self.block, self.broken = data, block, broken

    @property
    def size(self):
        return len(self.data)

    def blocks(self):
        for start in range(0, len(self.data), self.block):
            if self.broken and start:
                raise OSError(5, "Input/output error")
            yield self.data[start : start + self.block]


def parcel(*recipients, sender=SENDER, body=b"Hello.\r\n", head=b"", tail=None, trace=False):
    number = next(_ids)
    head = b"X-Test-Id: %d\r\nSubject: test\r\n%b\r\n" % (number, head)
    recipients = recipients or (TO,)
    return Parcel(id=number, message=Message(head, body, tail), sender=sender, recipients=recipients, trace=trace)


class Crossing:
    """Gives the right (or not), after `delay`, and remembers what was asked."""

    def __init__(self, granted=True, delay=0.0, error=None):
        self.granted, self.delay, self.error = granted, delay, error
        self.prepared = self.taken = 0

    def prepare(self):
        self.prepared += 1

    async def take(self):
        self.taken += 1
        await asyncio.sleep(self.delay)
        if self.error:
            raise self.error
        return self.granted


def connection(mailer="smtp", *, sessions=20, connect=2.0, command=2.0, data_block=2.0, data_reply=2.0, **settings):
    spans = {"connect": connect, "command": command, "data_block": data_block, "data_reply": data_reply}
    timeouts = Timeouts(**{name: timedelta(seconds=span) for name, span in spans.items()})
    limits = Limits(sessions=sessions)
    return Connection(name="test", mailer=mailer, settings=settings, limits=limits, timeouts=timeouts)


def api_mailer(name: str, **settings: Any) -> Any:
    """A mailer with an HTTP API, by its settings."""
    made: type[Any] = mailers.find(name)
    return made(connection(name, **settings))


def words(outcome):
    """An outcome in short: its kind, its fault, and what else decides."""
    if isinstance(outcome, Accepted | Unclear):
        return type(outcome).__name__.lower()
    more = " sender" if outcome.about_sender else ""
    more += " unsupported" if getattr(outcome, "unsupported", False) else ""
    return f"{type(outcome).__name__.lower()} {outcome.fault.value}{more}"


def told(report):
    return [words(outcome) for outcome in report.outcomes]
