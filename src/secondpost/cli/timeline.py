"""The story of one message as a person reads it: accepted, route and why, attempts, fallback, outcome.

Rule: everything is told in the order in which it happened; what is not known is called unclear.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from textwrap import wrap
from typing import Any

from secondpost.cli import output

Entry = dict[str, Any]
Line = tuple[str, str]  # when, what
INDENT = 13


def show(entry: Entry, now: datetime, *, transcripts: bool = False) -> None:
    """Print the story."""
    for name, value in _head(entry, now):
        output.say(f"{name:<11}{value}")
    output.say("")
    day = _day(entry["accepted"])
    for time, text in sorted(_happened(entry, transcripts=transcripts), key=lambda line: line[0]):
        if _day(time) != day:
            day = _day(time)
            output.say(day)
        output.say(f"{_clock(time):<{INDENT}}{_hung(text, output.width())}")
    output.say("")
    for text in _standing(entry, now):
        output.say(text)


def _head(entry: Entry, now: datetime) -> Iterator[tuple[str, str]]:
    yield "Message", str(entry["id"])
    yield "Subject", entry["subject"] or "–"
    yield "From", entry["from"] or "–"
    yield "To", ", ".join(entry["to"])
    yield "Status", entry["status"]
    yield "Accepted", output.at(entry["accepted"], now)
    yield "Priority", entry["priority"]
    yield "Expires", output.at(entry.get("expires"), now)
    yield "Size", output.size(entry["size"])
    if entry.get("parent"):
        yield "Resends", str(entry["parent"])


def _day(time: str) -> str:
    at = output.moment(time)
    return f"{at.astimezone():%Y-%m-%d}" if at else ""


def _clock(time: str) -> str:
    at = output.moment(time)
    return f"{at.astimezone():%H:%M:%S}.{at.microsecond // 1000:03}" if at else ""


def _hung(text: str, width: int | None) -> str:
    """Further lines stand below the first one's text; at a terminal, long ones are broken."""
    lines = text.split("\n")
    if width is not None:
        lines = [piece for line in lines for piece in _broken(line, width)]
    return ("\n" + " " * INDENT).join(lines)


def _broken(line: str, width: int) -> list[str]:
    inner = " " * (len(line) - len(line.lstrip()) + 2)
    return wrap(line, max(width - INDENT, 30), subsequent_indent=inner, break_on_hyphens=False) or [line]


def _happened(entry: Entry, *, transcripts: bool) -> Iterator[Line]:
    yield entry["accepted"], _accepted(entry)
    for attempt in entry["attempts"]:
        yield attempt["started"], _attempt(attempt, transcripts=transcripts)
    for event in entry["events"]:
        where = f" {event['connection']}" if event.get("connection") else ""
        yield event["at"], f"{event['kind']}{where}: {event['text']}"


def _accepted(entry: Entry) -> str:
    notes = _notes(entry.get("notes", ""))
    whom = "".join(f" from {name}" for name in (entry.get("initiator"), notes.get("initiator")) if name)
    way = f" by {entry['entrypoint']}" if entry.get("entrypoint") else ""
    why = notes.get("why", "") or _route(entry["deliveries"])
    return f"Accepted{way}{whom}: on disk, {output.size(entry['size'])}." + (f"\nRoute: {why}" if why else "")


def _notes(notes: str) -> Entry:
    """What was noted when the message was accepted; what is no JSON is the route's reason."""
    try:
        return dict(json.loads(notes)) if notes else {}
    except ValueError:
        return {"why": notes}


def _route(deliveries: list[Entry]) -> str:
    """What nothing was noted about went the ordinary way."""
    route = deliveries[0].get("route") if deliveries else None
    return ", then ".join(route) if route else ""


def _attempt(attempt: Entry, *, transcripts: bool) -> str:
    note = f" ({attempt['note']})" if attempt.get("note") else ""
    lines = [f"{attempt['connection']}{note}: {_took(attempt)}"]
    lines += [f"  {_outcome(outcome)}" for outcome in attempt.get("outcomes") or ()]
    if transcripts and attempt.get("transcript"):
        lines += [f"  | {line}" for line in str(attempt["transcript"]).splitlines()]
    return "\n".join(lines)


def _took(attempt: Entry) -> str:
    begun, ended = output.moment(attempt.get("started")), output.moment(attempt.get("ended"))
    if begun is None or ended is None:
        return "under way"
    phase = attempt.get("phase")
    reached = "handed over whole" if phase == "point" else f"as far as {phase}"
    return f"{(ended - begun).total_seconds() * 1000:,.0f} ms, {reached}"


def _outcome(outcome: Entry) -> str:
    fault = f" ({outcome['fault']})" if outcome.get("fault") else ""
    reply = f": {outcome['reply']}" if outcome.get("reply") else ""
    mine = f" [provider's id {outcome['provider_id']}]" if outcome.get("provider_id") else ""
    number = f"#{outcome['number']} " if outcome.get("number") is not None else ""
    return f"{number}{outcome.get('kind') or 'nothing was sent'}{fault}{reply}{mine}"


def _standing(entry: Entry, now: datetime) -> Iterator[str]:
    """Where each delivery stands now, and what can be done about it."""
    yield "Deliveries"
    for delivery in entry["deliveries"]:
        yield f"  #{delivery['number']} {delivery['recipient']}: {_state(delivery, now)}"
    unclear = [delivery for delivery in entry["deliveries"] if delivery["state"] == "unclear"]
    if unclear:
        yield from _doubt(entry)
    elif any(delivery["state"] in ("rejected", "expired") for delivery in entry["deliveries"]):
        yield f"\nSend it again as a new message: secondpost messages resend {entry['id']}"


def _state(delivery: Entry, now: datetime) -> str:
    words = [delivery["state"]]
    if delivery.get("connection") and delivery["state"] in ("accepted", "unclear", "sending"):
        words.append(f"by {delivery['connection']}")
    if delivery.get("told"):
        words[-1] += f", {delivery['told']}"
    if delivery.get("possible_duplicate"):
        words.append("(possible duplicate)")
    text = " ".join(words)
    if delivery.get("reason"):
        text += f" – {delivery['reason']}"
    if delivery.get("due"):
        text += f"\n     due {output.at(delivery['due'], now)}"
    return text + (f"\n     {delivery['next']}" if delivery.get("next") else "")


def _doubt(entry: Entry) -> Iterator[str]:
    yield (
        "\nUnclear: the provider had all of the message, and its answer was lost.\n"
        "It may have it or not. If you know, say so:\n"
        f"  secondpost messages settle {entry['id']} --arrived      it is there\n"
        f"  secondpost messages settle {entry['id']} --refused      it is not, and shall not be sent\n"
        f"  secondpost messages settle {entry['id']} --send-again   send it once more; there may be two"
    )
