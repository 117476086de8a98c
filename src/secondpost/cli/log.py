"""`secondpost log`: what became of the mail."""

import base64
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from secondpost.cli import output
from secondpost.cli.frame import F, Group, frame
from secondpost.errors import SecondpostError

FILTERS = ("address", "subject", "status", "connection", "since", "until")
STATUSES = [
    "waiting", "unclear", "sent", "delivered", "bounced", "complained", "failed", "accepted", "rejected", "expired",
    "cancelled", "leased", "sending",
]  # fmt: skip


@click.group("log", cls=Group)
def command() -> None:
    """The Email Log: lists, one message's whole story, export."""


def filters(function: F) -> F:
    """The options that narrow the log."""
    for option in (
        click.option("--until", metavar="TIME", help='Accepted before; a date, a time, or "2h" for two hours ago.'),
        click.option("--since", metavar="TIME", help='Accepted since; a date, a time, or "7d" for seven days ago.'),
        click.option("--connection", metavar="NAME", help="Carried by this connection."),
        click.option(
            "--status",
            "--state",
            metavar="STATUS",
            type=click.Choice(STATUSES),
            help=f"Has a delivery with this status: {', '.join(STATUSES)}.",
        ),
        click.option("--subject", metavar="TEXT", help="Words of the subject."),
        click.option("--address", metavar="TEXT", help="A sender or recipient, or a part of one."),
    ):
        function = option(function)
    return function


def query(given: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The filter as the operations take it: only what was given; spans made times."""
    found = {key: given[key] for key in FILTERS if given.get(key)}
    for key in ("since", "until"):
        if key in found:
            found[key] = _time(found[key], now)
    return found


def _time(text: str, now: datetime) -> str:
    from secondpost.config.kinds import span

    try:
        return (now - span(text)).isoformat(timespec="seconds") if not text.isdigit() else text
    except ValueError:
        return text


@command.command("list")
@filters
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Most rows.")
@click.option("--before", metavar="ID", help="Only messages older than this one: the next page.")
def list_(limit: int, before: str | None, **given: Any) -> None:
    """Messages, newest first."""
    here = frame()
    found = here.call("log_list", limit=limit, before=before, **query(given, output.utc_now()))
    here.answer(found["rows"] if here.json else found, _table)


def _table(found: dict[str, Any]) -> None:
    if not found["rows"]:
        output.say("No message is in the log that fits.")
        return
    now = output.utc_now()
    cells = [
        [
            row["id"],
            output.short(row["accepted"], now),
            row["status"],
            row["subject"],
            ", ".join(row["to"]),
            row["connection"],
        ]
        for row in found["rows"]
    ]
    output.table(["id", "accepted", "status", "subject", "to", "connection"], cells, cut=["subject", "to"])
    if found["next"]:
        output.say(f"\nOlder ones: --before {found['next']}")


@command.command()
@click.argument("message", metavar="ID")
@click.option("--transcript", is_flag=True, help="With the transcripts of the attempts.")
@click.option("--source", is_flag=True, help="Print the message itself instead, as an .eml file.")
def show(message: str, transcript: bool, source: bool) -> None:
    """One message's whole story.

    Accepted, its route and why, every attempt with its answer and time, fallback and why, outcome.
    """
    here = frame()
    if source:
        content = here.call("log_content", id=message)
        here.answer({"id": message, "content": content}, _source)
        return
    from secondpost.cli import timeline

    entry = here.call("log_show", id=message)
    here.answer(entry, lambda found: timeline.show(found, output.utc_now(), transcripts=transcript))


def _source(result: dict[str, Any]) -> None:
    sys.stdout.buffer.write(base64.b64decode(result["content"]))
    sys.stdout.buffer.flush()


@command.command()
@filters
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), help="CSV (default), or one JSON object a line.")
@click.option("--output", "-o", "path", default="-", metavar="FILE", help="Where to write; else standard output.")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
def export(form: str | None, path: str, force: bool, **given: Any) -> None:
    """Write the log to a file.

    All of it, or what the options choose. With --json: one JSON object a line.
    """
    from secondpost.cli import export as writing

    here = frame()
    form = form or ("jsonl" if here.json else "csv")
    if path != "-" and Path(path).exists() and not force:
        raise SecondpostError(
            f"The file {path} is there already. Choose another name, or use --force. Nothing was written."
        )
    count = writing.write(path, form, lambda rows: here.call("log_export", rows=rows, **query(given, output.utc_now())))
    if path != "-":
        here.answer({"path": path, "rows": count}, lambda _: output.say(f"{count} messages written to {path}."))
