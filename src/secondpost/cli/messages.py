"""`secondpost messages`: resend, cancel, try-now, settle."""

import sys
from typing import Any

import click

from secondpost.cli import output, progress
from secondpost.cli.frame import Group, frame
from secondpost.errors import SecondpostError


@click.group("messages", cls=Group)
def command() -> None:
    """Act on messages of the log."""


@command.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@click.option("--to", multiple=True, metavar="ADDRESS", help="Other recipients than the first time.")
@click.pass_context
def resend(context: click.Context, ids: tuple[str, ...], to: tuple[str, ...]) -> None:
    """Send messages again, as new ones that link to the first. "-" reads the ids from standard input, one a line.

    \b
    For example, everything that was rejected today:
    secondpost log list --status rejected --since 1d --json | jq -r '.[].id' | secondpost messages resend -
    """
    here = frame()
    chosen = _ids(ids)
    results: list[dict[str, Any]] = []
    with progress.counting("sent again", total=len(chosen), shown=len(chosen) > 1 and not here.json) as step:
        for message in chosen:
            results.append(_resend(message, list(to) or None))
            step()
    here.answer(results, _resent)
    context.exit(1 if any("error" in result for result in results) else 0)


def _ids(given: tuple[str, ...]) -> list[str]:
    if given != ("-",):
        return list(given)
    found = [line.strip() for line in sys.stdin if line.strip()]
    if not found:
        raise SecondpostError("Standard input has no message id. Nothing was sent.")
    return found


def _resend(message: str, recipients: list[str] | None) -> dict[str, Any]:
    """One message's failure does not stop the others."""
    try:
        return {"message": message, "id": frame().call("messages_resend", id=message, recipients=recipients)["id"]}
    except SecondpostError as error:
        return {"message": message, "error": str(error)}


def _resent(results: list[dict[str, Any]]) -> None:
    for result in results:
        if "error" in result:
            click.echo(output.clean(f"secondpost: {result['message']}: {result['error']}"), err=True)
        else:
            output.say(f"{result['message']} is sent again as {result['id']}.")


@command.command()
@click.argument("message", metavar="ID")
def cancel(message: str) -> None:
    """Withdraw what has not left yet."""
    here = frame()
    here.answer(
        here.call("messages_cancel", id=message),
        lambda found: output.say(f"{output.count(found['cancelled'], 'delivery', 'deliveries')} cancelled."),
    )


@command.command("try-now")
@click.argument("message", metavar="ID")
def try_now(message: str) -> None:
    """Do not wait until the next attempt is due. It goes as soon as a connection of its route can take it."""
    here = frame()
    here.answer(
        here.call("messages_try_now", id=message),
        lambda found: output.say(f"{output.count(found['due'], 'delivery', 'deliveries')} due now."),
    )


@command.command()
@click.argument("message", metavar="ID")
@click.option("--arrived", "verdict", flag_value="arrived", help="It is there.")
@click.option("--refused", "verdict", flag_value="refused", help="It is not there, and shall not be sent.")
@click.option("--send-again", "verdict", flag_value="send_again", help="Send it once more; there may be two.")
@click.option("--number", type=int, help="Only this delivery of the message; else all that are unclear.")
def settle(message: str, verdict: str | None, number: int | None) -> None:
    """Say how an unclear delivery ended."""
    if verdict is None:
        raise click.UsageError("Say how it ended: --arrived, --refused or --send-again.")
    here = frame()
    result = here.call("messages_settle", id=message, verdict=verdict, number=number)
    here.answer(
        result, lambda found: output.say(f"{output.count(found['settled'], 'delivery', 'deliveries')} settled.")
    )
