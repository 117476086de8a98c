"""`secondpost users`: who may use the web admin."""

from typing import Any

import click

from secondpost.cli import output
from secondpost.cli.frame import Group, frame


@click.group("users", cls=Group)
def command() -> None:
    """People who may use the web admin."""


@command.command()
@click.argument("email")
@click.option(
    "--role", type=click.Choice(["owner", "admin", "operator", "viewer"]), default="operator", show_default=True,
    help="What they may do; a viewer sees no content.",
)  # fmt: skip
def add(email: str, role: str) -> None:
    """Invite somebody: prints a link that works once, and for a day."""
    here = frame()
    here.answer(here.call("users_add", email=email, role=role), _invited)


@command.command()
@click.argument("email")
def reset(email: str) -> None:
    """Print a link by which somebody chooses a new password."""
    here = frame()
    here.answer(here.call("users_reset", email=email), _invited)


def _invited(result: dict[str, Any]) -> None:
    output.say(f"Give this link to {result['email']}. It works once, and for a day:\n\n{result['url']}")


@command.command("list")
def list_() -> None:
    """All users and their roles."""
    here = frame()
    here.answer(here.call("users_list"), _table)


def _table(rows: list[dict[str, Any]]) -> None:
    if not rows:
        output.say("There is no user yet. Get the link that makes the first one: secondpost setup-url")
        return
    output.table(
        ["address", "role", "one-time codes"],
        [[row["email"], row["role"], "yes" if row["codes"] else "no"] for row in rows],
    )
