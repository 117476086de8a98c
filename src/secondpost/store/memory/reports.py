"""Counts over many messages in memory."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from secondpost.core.delivery import State
from secondpost.core.event import Sequel, Standing
from secondpost.core.outcome import ON_PURPOSE
from secondpost.core.tally import Heading, Tally, rough
from secondpost.store.memory.log import MemoryLog
from secondpost.store.memory.rows import Entry, Row
from secondpost.store.reports import LastAttempt

COLUMNS: dict[Standing, str] = {
    State.REJECTED: "failed", State.EXPIRED: "failed", Sequel.FAILED: "failed", State.UNCLEAR: "unclear",
    State.CANCELLED: "cancelled", State.WAITING: "waiting", State.LEASED: "waiting", State.SENDING: "waiting",
}  # fmt: skip


class MemoryReports(MemoryLog):
    """The reports' part of the store."""

    def _within(self, since: datetime, until: datetime | None = None) -> Iterator[Entry]:
        for entry in self._entries.values():
            if since <= entry.submission.accepted and (until is None or entry.submission.accepted < until):
                yield entry

    async def tally(
        self, heading: Heading, *, since: datetime, until: datetime, step: timedelta, limit: int
    ) -> list[Tally]:
        counts: dict[str, Counter[str]] = {}
        times: dict[str, Counter[int]] = {}
        for entry in self._within(since, until):
            if entry.submission.tag in ("test", "drill") and entry.submission.notes:
                continue
            for row in entry.deliveries:
                key = _key(entry, row, heading, since, step)
                counts.setdefault(key, Counter()).update(_columns(row))
                times.setdefault(key, Counter()).update(_times(entry, row))
        tallies = [Tally(key=key, times=times[key], **counts[key]) for key in counts]
        return sorted(tallies, key=lambda tally: (-tally.all, tally.key))[:limit]

    async def last_attempts(self, since: datetime) -> list[LastAttempt]:
        found: dict[tuple[str, bool], LastAttempt] = {}
        for entry in self._within(since):
            for attempt in entry.attempts.values():
                last = _last(entry.submission.id, attempt)
                if last.reply == ON_PURPOSE:
                    continue
                known = found.get((last.connection, last.accepted))
                if known is None or known.at < last.at:
                    found[last.connection, last.accepted] = last
        return [found[key] for key in sorted(found)]


def _key(entry: Entry, row: Row, heading: Heading, since: datetime, step: timedelta) -> str:
    it = entry.submission
    match heading:
        case Heading.TIME:
            return str((it.accepted - since) // step)
        case Heading.SUBJECT:
            return it.summary.subject
        case Heading.CONNECTION:
            return row.connection
        case Heading.INITIATOR:
            return it.client
        case Heading.DOMAIN:
            return row.recipient.rpartition("@")[2].lower()


def _columns(row: Row) -> list[str]:
    if row.standing in COLUMNS:
        return [COLUMNS[row.standing]]
    told = [row.standing.value] if isinstance(row.standing, Sequel) else []
    return ["primary" if row.connection in row.route[:1] else "backup", *told]


def _times(entry: Entry, row: Row) -> list[int]:
    attempt = entry.attempts.get((row.fence, row.attempt or 0))
    if row.state is not State.ACCEPTED or row.standing is Sequel.FAILED or attempt is None:
        return []
    return [rough((attempt["ended"] - entry.submission.accepted) // timedelta(milliseconds=1))]


def _last(message: int, attempt: dict[str, Any]) -> LastAttempt:
    outcomes = attempt["outcomes"]
    return LastAttempt(
        connection=attempt["connection"], at=attempt["ended"], message=message,
        accepted=any(outcome["kind"] == "accepted" for outcome in outcomes),
        reply=next((outcome["reply"] for outcome in outcomes if outcome.get("reply")), ""),
    )  # fmt: skip
