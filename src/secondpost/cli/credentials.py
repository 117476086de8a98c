"""`secondpost credentials`: who may submit mail."""

from typing import Any

import click

from secondpost.cli import output, permits
from secondpost.cli.frame import Group, frame


@click.group("credentials", cls=Group)
def command() -> None:
    """Log-ins of the websites and apps that submit mail."""


@command.command()
@click.argument("name")
@permits.limits
def add(name: str, senders: tuple[str, ...], **rates: int | None) -> None:
    """Make a log-in. Its secret is shown this one time."""
    here = frame()
    here.answer(here.call("credentials_add", name=name, senders=list(senders), **permits.given(rates)), _added)


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
        [[row["name"], permits.senders(row), permits.rates(row)] for row in rows],
    )


@command.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Make a log-in worthless, at once."""
    permits.revoke("credentials_revoke", name)
