"""`secondpost credentials`: who may submit mail."""

from typing import Any

import click

from secondpost.cli import output
from secondpost.cli.frame import Group, frame


@click.group("credentials", cls=Group)
def command() -> None:
    """Log-ins of the websites and apps that submit mail."""


@command.command()
@click.argument("name")
@click.option(
    "--sender", "senders", multiple=True, metavar="PATTERN", help="An address or @domain it may send as; else any."
)
@click.option("--per-minute", type=click.IntRange(1), metavar="N", help="Most messages in a minute; else any number.")
@click.option("--per-hour", type=click.IntRange(1), metavar="N", help="Most messages in an hour; else any number.")
def add(name: str, senders: tuple[str, ...], **rates: int | None) -> None:
    """Make a log-in. Its secret is shown this one time."""
    here = frame()
    given: dict[str, Any] = {span: number for span, number in rates.items() if number is not None}
    here.answer(here.call("credentials_add", name=name, senders=list(senders), **given), _added)


def _added(result: dict[str, Any]) -> None:
    output.say(f"username  {result['name']}\npassword  {result['secret']}\n\nThe password cannot be shown again.")


@command.command("list")
def list_() -> None:
    """All log-ins, without their secrets."""
    here = frame()
    here.answer(here.call("credentials_list"), _table)


def _table(rows: list[dict[str, Any]]) -> None:
    if not rows:
        output.say("There is no log-in yet. Make one: secondpost credentials add NAME")
        return
    output.table(
        ["name", "may send as", "how much"],
        [[row["name"], ", ".join(row["senders"]) or "any", _rates(row)] for row in rows],
    )


def _rates(row: dict[str, Any]) -> str:
    spans = (("per_minute", "a minute"), ("per_hour", "an hour"))
    return ", ".join(f"{row[span]} {words}" for span, words in spans if row.get(span)) or "any"


@command.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Make a log-in worthless, at once."""
    here = frame()
    here.call("credentials_revoke", name=name)
    here.answer({"revoked": name}, lambda _: output.say(f"Revoked {name}."))
