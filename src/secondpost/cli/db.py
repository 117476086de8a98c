"""`secondpost db`: the database."""

from pathlib import Path
from typing import Any

import click

from secondpost.cli import output
from secondpost.cli.frame import Group, frame


@click.group("db", cls=Group)
def command() -> None:
    """The database: bring it up to date, look at it, copy it."""


@command.command()
def migrate() -> None:
    """Bring the database to this version's form. Starting the gateway does this, too."""
    here = frame()
    here.answer(here.call("db_migrate"), _table)


@command.command()
def status() -> None:
    """Kind, version, sizes, and how durable a write is."""
    here = frame()
    here.answer(here.call("db_status"), _table)


def _table(result: dict[str, Any]) -> None:
    rows = [_row(key, value) for key, value in result.items()]
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        output.say(f"{name:<{width}}  {text}")


def _row(key: str, value: Any) -> tuple[str, str]:
    if key == "reserve":
        return key, "kept back for a full disk" if value else "used up: the disk is full, and no mail is taken"
    if key == "bytes" or key.endswith("_bytes"):
        return key.removesuffix("_bytes").replace("bytes", "size"), output.size(value)
    return key, str(value) or "none"


@command.command()
@click.argument("path", type=click.Path(path_type=Path))
def backup(path: Path) -> None:
    """Copy the data folder, all but its key, to the new folder PATH, while mail goes on.

    Keep the key file (secret.key) too, but apart: without it the copy cannot be read. To restore, put the key file into
    the copy and start the gateway with the copy as its data_dir.
    """
    here = frame()
    result = here.call("db_backup", path=str(path.absolute()))
    here.answer(
        result,
        lambda _: output.say(
            f"Copied to {path}. Keep the key file (secret.key) too, but apart: without it the copy cannot be read."
        ),
    )
