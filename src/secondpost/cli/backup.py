"""`secondpost backup`: the Backup Connection."""

from typing import Any

import click

from secondpost.cli import output
from secondpost.cli.frame import Group, frame


@click.group("backup", cls=Group)
def command() -> None:
    """Show or choose the Backup Connection.

    It takes over when the Primary Connection fails.
    """


@command.command()
def show() -> None:
    """Which connection is the backup."""
    here = frame()
    here.answer(here.call("backup_show"), _words)


@command.command("set")
@click.argument("name", metavar="NAME|none")
def set_(name: str) -> None:
    """Choose the Backup Connection by its name, or none."""
    here = frame()
    here.answer(here.call("backup_set", name=None if name == "none" else name), _words)


def _words(result: dict[str, Any]) -> None:
    where = f" (set by {result.get('origin') or 'the configuration'})" if result.get("locked") else ""
    if result["backup"]:
        output.say(f"The Backup Connection is {result['backup']}{where}.")
    else:
        output.say(f"There is no Backup Connection{where}. Choose one: secondpost backup set NAME")
