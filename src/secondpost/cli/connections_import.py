"""`secondpost connections import`: connections that another program has."""

import sys
from typing import TYPE_CHECKING, Any

import click

from secondpost.cli import files, output
from secondpost.cli.frame import Command, frame
from secondpost.errors import ConfigError, SecondpostError

if TYPE_CHECKING:
    from secondpost.config.imports import Found

MOST = 1024 * 1024  # bytes of a file


@click.command("import", cls=Command)
@click.argument("file", metavar="FILE")
@click.option("--dry-run", is_flag=True, help="Tell what would be added, and add nothing.")
def command(file: str, dry_run: bool) -> None:
    """Add the connections of another program.

    FILE is the JSON of WP Mail SMTP's settings, or has lines of NAME=value as Symfony, Laravel and Django read them: a
    .env file, or "-" for standard input. The first connection of a new gateway becomes its primary.

    \b
    wp option get wp_mail_smtp --format=json | secondpost connections import -
    secondpost connections import .env
    """
    from secondpost.config import imports

    here = frame()
    try:
        found = imports.read(files.text(file, MOST))
    except ValueError as error:
        raise ConfigError(f"{error} Nothing was changed.") from None
    _complete(found)
    known = {row["name"] for row in here.call("connections_list")}
    for name, table in found.tables.items():
        here.config.connection(name, table)  # faults are told here, before anything is changed
        if name in known:
            raise SecondpostError(f"There is already a connection {name!r}. Remove it first. Nothing was changed.")
    if not dry_run:
        for name, table in found.tables.items():
            here.call("connections_add", name=name, **table)
        if found.backup and here.call("backup_show")["backup"] is None:
            here.call("backup_set", name=found.backup)
    here.answer({"connections": list(found.tables), "backup": found.backup or None, "notes": found.notes}, _told)


def _complete(found: "Found") -> None:
    """Ask for the secrets that cannot be read, at a terminal; else leave their connections out."""
    for name, keys in found.unread.items():
        if sys.stdin.isatty():
            found.tables[name] |= {key: click.prompt(f"{key} of {name}", hide_input=True, err=True) for key in keys}
            continue
        del found.tables[name]
        found.backup = "" if found.backup == name else found.backup
        found.notes.append(
            f"{name} is left out: its {' and '.join(keys)} is encrypted by the website. Import the file at a terminal, "
            "where you are asked for it."
        )


def _told(result: dict[str, Any]) -> None:
    for name in result["connections"]:
        role = "  (backup)" if name == result["backup"] else ""
        output.say(f"{name}{role}")
    for note in result["notes"]:
        output.say(f"note: {note}")
