"""`secondpost suppressions`: addresses that must not be written to."""

import sys
from typing import Any

import click

from secondpost.cli import output
from secondpost.cli.frame import Group, frame
from secondpost.core.suppression import Reason
from secondpost.errors import SecondpostError


@click.group("suppressions", cls=Group)
def command() -> None:
    """Addresses that must not be written to.

    Mail to them is kept in the log with the reason, and not sent. The other recipients of a message get theirs. Mail
    that was accepted before an address was added still goes out; "messages cancel" withdraws it.
    """


@command.command("list")
def list_() -> None:
    """All suppressed addresses, with the reason."""
    here = frame()
    here.answer(here.call("suppressions_list"), _table)


def _table(rows: list[dict[str, Any]]) -> None:
    if not rows:
        output.say("No address is suppressed. Suppress one: secondpost suppressions add ADDRESS")
        return
    now = output.utc_now()
    output.table(
        ["address", "reason", "since"],
        [[row["address"], row["reason"], output.short(row["since"], now)] for row in rows],
    )


@command.command()
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS…")
@click.option(
    "--reason",
    type=click.Choice([reason.value for reason in Reason]),
    default=Reason.MANUAL.value,
    help="Why; else manual.",
)
def add(addresses: tuple[str, ...], reason: str) -> None:
    """Write to these addresses no more. "-" reads them from standard input, one a line."""
    here = frame()
    added = here.call("suppressions_add", addresses=_given(addresses), reason=reason)["added"]
    here.answer({"added": added}, lambda _: output.say(f"{_count(added)} suppressed."))


@command.command()
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS…")
def remove(addresses: tuple[str, ...]) -> None:
    """Allow these addresses again. "-" reads them from standard input, one a line."""
    here = frame()
    removed = here.call("suppressions_remove", addresses=_given(addresses))["removed"]
    here.answer({"removed": removed}, lambda _: output.say(f"{_count(removed)} may be written to again."))


def _given(addresses: tuple[str, ...]) -> list[str]:
    if addresses != ("-",):
        return list(addresses)
    found = [line.strip() for line in sys.stdin if line.strip()]
    if not found:
        raise SecondpostError("Standard input has no address. Nothing was changed.")
    return found


def _count(addresses: list[str]) -> str:
    return output.count(len(addresses), "address", "addresses")
