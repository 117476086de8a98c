"""`secondpost queue`: what waits, and for what."""

from typing import Any

import click

from secondpost.cli import output
from secondpost.cli.frame import Command, frame


@click.command("queue", cls=Command)
def command() -> None:
    """What waits, is being sent or is unclear, by route, and why."""
    here = frame()
    here.answer(here.call("queue"), _words)


def _words(result: dict[str, Any]) -> None:
    now = output.utc_now()
    counts = f"{result['waiting']} waiting, {result['sending']} being sent, {result['unclear']} unclear."
    output.say(f"{counts[0].upper()}{counts[1:]}")
    if result["oldest"]:
        due = f"; next due {output.relative(result['next_due'], now)}" if result["next_due"] else ""
        output.say(f"Oldest waiting: {output.at(result['oldest'], now)}{due}")
    if not result["groups"]:
        return
    output.say("")
    cells = [
        [group["state"], group["count"], group["priority"], " → ".join(group["route"]) or "–",
         output.relative(group["oldest"], now), group["why"]]
        for group in result["groups"]
    ]  # fmt: skip
    output.table(["state", "count", "priority", "route", "oldest", "why"], cells, wrap=["route", "why"], right="count")
    if result["unclear"]:
        output.say("\nUnclear: a provider may or may not have it.\nSee them: secondpost log list --status unclear")
