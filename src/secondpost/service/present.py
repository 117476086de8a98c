"""Queue and log as plain values for the command line, the API and the pages.

Rule: times are ISO 8601 in UTC, ids are text, states are the words of the state table; nothing here reads or writes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from secondpost.core import message as rfc5322
from secondpost.core.delivery import State, withheld_as
from secondpost.core.event import Sequel, Standing
from secondpost.core.numbers import whole
from secondpost.core.priority import Policy, Priority, WhenUnclear
from secondpost.errors import SecondpostError
from secondpost.service.feedback import told
from secondpost.service.worker import Worker
from secondpost.store.log import Depth, LogEntry, LogRow, Query

MOST = 10_000  # rows of one page
# What people ask for, and the deliveries that it means: how they stand, and why they were withheld.
WORDS: dict[str, tuple[tuple[Standing, ...], str]] = {
    **{standing.value: ((standing,), "") for standing in (*State, *Sequel)},
    "open": ((State.WAITING, State.LEASED, State.SENDING), ""),
    "sent": ((State.ACCEPTED,), ""),
    "failed": ((State.REJECTED, State.EXPIRED, Sequel.FAILED), ""),
    "blocked": ((State.CANCELLED,), "blocked"),
    "suppressed": ((State.CANCELLED,), "suppressed"),
    "withdrawn": ((State.CANCELLED,), "cancelled"),
}
# What most needs to be known of several deliveries comes first; where none of these is, all are cancelled. A message is
# delivered when all of it is that went out.
TELLING: tuple[Standing, ...] = (
    State.UNCLEAR, State.REJECTED, State.EXPIRED, Sequel.FAILED, Sequel.BOUNCED, Sequel.COMPLAINED, State.SENDING,
    State.LEASED, State.WAITING, State.ACCEPTED, Sequel.DELIVERED,
)  # fmt: skip
# What lists call them.
LABELS = {
    "open": "Waiting", "sent": "Sent", "delivered": "Delivered", "failed": "Failed", "unclear": "Unclear",
    "bounced": "Bounced", "complained": "Complained", "blocked": "Blocked", "suppressed": "Suppressed",
    "withdrawn": "Cancelled",
}  # fmt: skip


def iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds")


def when(text: str | None) -> datetime | None:
    """A time that a person gave: ISO 8601, in UTC when it names no zone."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise SecondpostError(f"{text!r} is not a date or time. Write 2026-01-31 or 2026-01-31T14:00.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def query(filters: Mapping[str, Any]) -> Query:
    """The filter that a person's words mean."""
    status = filters.get("status") or ""
    if status and status not in WORDS:
        raise SecondpostError(f"Unknown status {status!r}: use {', '.join(WORDS)}.")
    return Query(
        address=filters.get("address") or "",
        subject=filters.get("subject") or "",
        head=filters.get("header") or "",
        content=filters.get("content") or "",
        standings=WORDS[status][0] if status else (),
        withheld=WORDS[status][1] if status else "",
        connection=filters.get("connection") or "",
        by_backup=bool(filters.get("by_backup")),
        client=filters.get("initiator") or "",
        error=filters.get("error") or "",
        since=when(filters.get("since")),
        until=when(filters.get("until")),
        before=message_number(before) if (before := filters.get("before")) else None,
        oldest_first=bool(filters.get("oldest_first")),
        limit=_limit(filters.get("limit")),
    )


def message_number(id: str) -> int:
    """The number of a message whose id a person gave."""
    try:
        return rfc5322.parse_id(id)
    except ValueError as error:
        raise SecondpostError(str(error)) from None


def _limit(number: Any) -> int:
    text = str(50 if number is None else number)
    limit = whole(text)
    if limit is None or not 0 < limit <= MOST:
        raise SecondpostError(f"{text[:40]!r} is not a number of rows. Give a whole number from 1 to {MOST}.")
    return limit


def after(query: Query, last: int) -> Query:
    """The same filter, for the page after the row `last`."""
    return replace(query, before=last)


def row(row: LogRow) -> dict[str, Any]:
    return {
        "id": rfc5322.id_text(row.id),
        "accepted": iso(row.accepted),
        "status": status(row.standings),
        "subject": row.subject,
        "from": row.from_email or row.sender,
        "to": list(row.recipients),
        "connection": row.connection,
        "initiator": row.client,
        "size": row.size,
        "priority": row.priority.label,
    }


def listed(it: LogRow) -> dict[str, Any]:
    """A row with what only the web admin's list shows."""
    notes = json.loads(it.notes) if it.notes else {}
    hidden = {*notes.get("cc", ()), *notes.get("bcc", ())}
    return row(it) | {
        "to": [recipient for recipient in it.recipients if recipient not in hidden] or list(it.recipients),
        "cc": notes.get("cc", []),
        "bcc": notes.get("bcc", []),
        "standing": standing(it),
        "by_backup": it.by_backup,
        "entrypoint": it.entrypoint,
    }


def standing(it: LogRow) -> str:
    """The word of `LABELS` for a message."""
    word = status(it.standings)
    if word == State.CANCELLED:
        return "withdrawn" if (kind := withheld_as(it.withheld)) == "cancelled" else kind
    return next(name for name in LABELS if word in WORDS[name][0])


def tally(rows: Sequence[LogRow]) -> dict[str, int]:
    """How many of these messages have a delivery of each standing."""
    return {word: sum(_has(row, *WORDS[word]) for row in rows) for word in LABELS}


def _has(it: LogRow, standings: tuple[Standing, ...], withheld: str) -> bool:
    return not {*standings}.isdisjoint(it.standings) and withheld in ("", withheld_as(it.withheld))


def status(standings: Sequence[Standing]) -> str:
    """One word for a message: what most needs to be known of its deliveries."""
    return next((standing.value for standing in TELLING if standing in standings), State.CANCELLED.value)


def entry(entry: LogEntry, policies: Mapping[Priority, Policy], now: datetime) -> dict[str, Any]:
    """Everything known of one message, with what will happen to what is not settled."""
    later, policy = told(entry.events), policies[entry.row.priority]
    return {
        **row(entry.row),
        "sender": entry.row.sender,
        "entrypoint": entry.row.entrypoint,
        "notes": entry.row.notes,
        "tag": entry.tag,
        "expires": iso(entry.expires),
        "parent": rfc5322.id_text(entry.parent) if entry.parent else None,
        "deliveries": [
            _delivery(delivery, when_again(delivery, entry.expires, policy, now))
            | {"told": later.get(delivery["number"])}
            for delivery in entry.deliveries
        ],
        "attempts": [_attempt(attempt) for attempt in entry.attempts],
        "events": [_plain(event) for event in entry.events],
    }


def _attempt(attempt: Mapping[str, Any]) -> dict[str, Any]:
    """Its number as text: JavaScript rounds numbers this large."""
    return {**_plain(attempt), "number": rfc5322.id_text(attempt["number"])}


def happened(event: Mapping[str, Any]) -> dict[str, Any]:
    """One event of a connection."""
    return {"at": iso(event["at"]), "connection": event["connection"], "text": event["text"]}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: iso(value) if isinstance(value, datetime) else value for key, value in values.items()}


def when_again(delivery: Mapping[str, Any], expires: datetime, policy: Policy, now: datetime) -> datetime | None:
    """When the policy sends a doubt again; not after its time: a late second copy helps nobody."""
    due: datetime | None = delivery["due"]
    held = policy.when_unclear is WhenUnclear.HOLD or due is None or max(due, now) >= expires
    return None if held else due


def _delivery(delivery: Mapping[str, Any], again: datetime | None) -> dict[str, Any]:
    plain = _plain(delivery)
    plain["attempt"] = rfc5322.id_text(delivery["attempt"]) if delivery.get("attempt") else None
    if delivery["state"] == State.UNCLEAR:
        plain["next"] = (
            f"the policy sends it again at {iso(again)} (a possible duplicate) unless it is settled before"
            if again
            else "it is held until a person settles it"
        )
    elif delivery["state"] == State.WAITING:
        plain["next"] = f"it is tried again from {iso(delivery['due'])} on, as soon as a connection can take it"
    return plain


def queue(depths: Sequence[Depth], worker: Worker) -> dict[str, Any]:
    """What waits, and why."""
    counts = {state: sum(depth.count for depth in depths if depth.state is state) for state in State}
    waiting = [depth for depth in depths if depth.state is State.WAITING]
    return {
        "waiting": counts[State.WAITING],
        "sending": counts[State.LEASED] + counts[State.SENDING],
        "unclear": counts[State.UNCLEAR],
        "oldest": iso(min((depth.oldest for depth in waiting), default=None)),
        "next_due": iso(min((depth.next_due for depth in waiting if depth.next_due), default=None)),
        "groups": [
            {
                "route": list(depth.route),
                "state": depth.state.value,
                "priority": depth.priority.label,
                "count": depth.count,
                "oldest": iso(depth.oldest),
                "next_due": iso(depth.next_due),
                "why": why(depth.state, depth.route, depth.next_due, worker),
            }
            for depth in depths
        ],
    }


def why(state: State, route: Sequence[str], due: datetime | None, worker: Worker) -> str:
    """Why deliveries are where they are."""
    if state is State.UNCLEAR:
        return "a provider may or may not have it"
    if state is not State.WAITING:
        return "on its way"
    if not worker.ways.usable(route):
        return "no connection of its route can take mail now: " + ", ".join(route)
    now = worker.now()
    if not worker.ways.allowed(route):
        return "the limits of its connections let nothing more go now: " + ", ".join(route)
    if due and due > now:
        return "it is tried again when its time comes"
    if wait := worker.ways.overall.wait(now):
        return f"the limits over all connections let nothing more go before {iso(now + wait)}"
    return "its turn comes soon"
