"""What is not settled, message by message: what waits and why, and what is unclear and on what evidence.

Rule: it only looks; what will happen by itself is said with its time.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from secondpost.core import message as rfc5322
from secondpost.core.delivery import State
from secondpost.service import present
from secondpost.service.worker import Worker
from secondpost.store.base import Store
from secondpost.store.log import LogEntry

ROWS = 50  # messages of a page
SHOWN = 5  # deliveries of one message


async def waiting(store: Store, worker: Worker, before: str | None) -> dict[str, Any]:
    """A page of the messages that wait, newest first."""
    return await _page(store, State.WAITING, before, lambda entry: _waiting(entry, worker))


async def unclear(store: Store, worker: Worker, before: str | None) -> dict[str, Any]:
    """A page of the messages that a provider may or may not have, newest first."""
    return await _page(store, State.UNCLEAR, before, lambda entry: _unclear(entry, worker))


async def _page(
    store: Store, state: State, before: str | None, told: Callable[[LogEntry], list[dict[str, Any]]]
) -> dict[str, Any]:
    query = replace(present.query({"before": before, "limit": ROWS}), standings=(state,))
    page = await store.page(query)
    entries = [await store.entry(row.id) for row in page]
    rows = []
    for entry in entries:
        if entry is not None and (deliveries := told(entry)):  # it may have been settled meanwhile
            more = len(deliveries) - SHOWN
            rows.append(present.row(entry.row) | {"deliveries": deliveries[:SHOWN], "more": max(more, 0)})
    return {"rows": rows, "next": rfc5322.id_text(page[-1].id) if len(page) == ROWS else None}


def _waiting(entry: LogEntry, worker: Worker) -> list[dict[str, Any]]:
    now = worker.now()
    told = []
    for delivery in _of(entry, State.WAITING):
        lines = [worker.ways.lines[name] for name in worker.ways.known(delivery["route"])]
        next_line = next((line.name for line in lines if line.name not in delivery["spent"] and line.usable(now)), None)
        told.append({
            "recipient": delivery["recipient"], "due": present.iso(delivery["due"]), "connection": next_line,
            "why": present.why(State.WAITING, delivery["route"], delivery["due"], worker),
            "tries": len(_attempts(entry, delivery["number"])), "reply": delivery["reply"] or delivery["reason"],
        })  # fmt: skip
    return told


def _unclear(entry: LogEntry, worker: Worker) -> list[dict[str, Any]]:
    policy, now = worker.policies[entry.row.priority], worker.now()
    told = []
    for delivery in _of(entry, State.UNCLEAR):
        attempt = _evidence(entry, delivery["number"])
        line = worker.ways.lines.get(delivery["connection"])
        told.append({
            "recipient": delivery["recipient"], "connection": delivery["connection"],
            "phase": attempt.get("phase", ""), "ended": present.iso(attempt.get("ended")),
            "note": attempt.get("note", ""), "reply": delivery["reply"],
            "asked": line is not None and bool(line.mailer.can.idempotency or line.mailer.can.lookup),
            "again": present.iso(present.when_again(delivery, entry.expires, policy, now)),
        })  # fmt: skip
    return told


def _evidence(entry: LogEntry, number: int) -> dict[str, Any]:
    """The attempt that left the doubt."""
    return next((attempt for attempt, kind in reversed(_attempts(entry, number)) if kind == "unclear"), {})


def _attempts(entry: LogEntry, number: int) -> list[tuple[dict[str, Any], str]]:
    """The attempts that concerned a delivery, and how each ended for it."""
    return [(one, told["kind"]) for one in entry.attempts for told in one["outcomes"] if told["number"] == number]


def _of(entry: LogEntry, state: State) -> list[dict[str, Any]]:
    return [delivery for delivery in entry.deliveries if delivery["state"] == state]
