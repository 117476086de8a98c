"""The story of one message as one timeline: accepted, route and why, attempts, fallback and why, what people did.

Rule: everything in the order in which it happened; what is not known is called unclear.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Entry = Mapping[str, Any]
WAYS = {
    "smtp": "by SMTP", "http": "by the HTTP API", "sendmail": "by sendmail", "library": "by the library",
    "cli": "by a command or a test", "resend": "to be sent again, as a new message", "report": "as a report of ours",
}  # fmt: skip
PHASES = {
    "connect": "Connecting", "tls": "TLS", "greeting": "Greeting", "login": "Log-in", "envelope": "Envelope",
    "body": "Content", "point": "Handed over whole",
}  # fmt: skip
NAMED = re.compile(r"(fallback: |the message names the connection )([\w.-]+)(.*)", re.DOTALL)
USUAL = "the ordinary route; no rule concerns it"
MARKS = {"accepted": "good", "rejected": "bad", "deferred": "open", "unclear": "open"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`why` tells why this came next; `lines` are pairs of a word and what was said."""

    at: str
    title: str
    mark: str = ""  # good, bad, open
    why: str = ""
    facts: tuple[str, ...] = ()
    lines: list[tuple[str, str]] = field(default_factory=list)
    transcript: str = ""


def steps(entry: Entry, titles: Mapping[str, str]) -> list[Step]:
    found = [_accepted(entry), *_route(entry, titles), *(_attempt(one, entry, titles) for one in entry["attempts"])]
    found += [_event(event, titles) for event in entry["events"]]
    return sorted(found, key=lambda step: step.at)


def _accepted(entry: Entry) -> Step:
    whom = f"from {entry['initiator']}" if entry["initiator"] else ""
    return Step(
        at=entry["accepted"], title="Accepted, and on disk",
        facts=tuple(fact for fact in (WAYS.get(entry["entrypoint"], entry["entrypoint"]), whom) if fact),
    )  # fmt: skip


def _route(entry: Entry, titles: Mapping[str, str]) -> Iterator[Step]:
    why = _notes(entry).get("why", "")
    withheld = [one for one in entry["deliveries"] if one["state"] == "cancelled" and not one["attempt"]]
    for delivery in withheld:
        yield Step(
            at=entry["accepted"], title="Not sent", mark="open", lines=[(delivery["recipient"], delivery["reason"])]
        )
    route = entry["deliveries"][0]["route"] if entry["deliveries"] else []
    if route and len(withheld) < len(entry["deliveries"]):
        names = ", then ".join(titles.get(name, name) for name in route)
        yield Step(at=entry["accepted"], title=f"Route: {names}", why=called(why, titles) or USUAL)


def called(why: str, titles: Mapping[str, str]) -> str:
    """A reason of ours, with the connection in it as people call it. What a provider said stays as it is."""
    found = NAMED.fullmatch(why)
    return f"{found[1]}{titles.get(found[2], found[2])}{found[3]}" if found else why


def _notes(entry: Entry) -> dict[str, Any]:
    try:
        found = json.loads(entry["notes"] or "{}")
    except ValueError:
        return {"why": entry["notes"]}
    return found if isinstance(found, dict) else {}


def _attempt(attempt: Entry, entry: Entry, titles: Mapping[str, str]) -> Step:
    people = {one["number"]: one["recipient"] for one in entry["deliveries"]}
    outcomes = attempt["outcomes"] or ()
    kinds = [one["kind"] for one in outcomes]
    worst = next((kind for kind in ("rejected", "unclear", "deferred", "accepted") if kind in kinds), "")
    return Step(
        at=attempt["started"], title=f"Attempt by {titles.get(attempt['connection'], attempt['connection'])}",
        mark=MARKS.get(worst, ""), why=called(attempt["note"], titles), facts=tuple(_took(attempt)),
        lines=[(people.get(one["number"], f"#{one['number']}"), _outcome(one)) for one in outcomes],
        transcript=attempt["transcript"],
    )  # fmt: skip


def _took(attempt: Entry) -> Iterator[str]:
    yield PHASES.get(attempt["phase"], str(attempt["phase"]))
    if attempt["ended"]:
        span = datetime.fromisoformat(attempt["ended"]) - datetime.fromisoformat(attempt["started"])
        yield f"{span.total_seconds() * 1000:,.0f} ms"
    else:
        yield "under way"


def _outcome(one: Entry) -> str:
    fault = f" ({one['fault']})" if one.get("fault") else ""
    reply = f": {one['reply']}" if one.get("reply") else ""
    mine = f" · the provider’s id: {one['provider_id']}" if one.get("provider_id") else ""
    return f"{one['kind'] or 'put off, nothing was sent'}{fault}{reply}{mine}"


def _event(event: Entry, titles: Mapping[str, str]) -> Step:
    where = f" · {titles.get(event['connection'], event['connection'])}" if event["connection"] else ""
    return Step(at=event["at"], title=f"{event['kind'].capitalize()}{where}", lines=[("", event["text"])])
