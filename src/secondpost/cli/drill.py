"""`secondpost drill`: a connection fails on purpose, and the way that the mail took is told."""

from typing import Any

import click

from secondpost.cli import control, output
from secondpost.cli.frame import Command, Frame, frame


@click.command("drill", cls=Command)
@click.option("--to", metavar="ADDRESS", help="Where to send the test message.")
@click.option("--connection", metavar="NAME", help="Which one fails on purpose; else the Primary Connection.")
@click.option(
    "--real-mail", "minutes", type=click.IntRange(1, 60), metavar="MINUTES", help="Refuse all mail that long."
)
@click.option("--end", is_flag=True, help="End the drill of real mail now.")
@click.option("--yes", is_flag=True, help="Do not ask before real mail is refused.")
@click.pass_context
def command(
    context: click.Context, /, to: str | None, connection: str | None, minutes: int | None, **flags: bool
) -> None:
    """See the backup carry mail: a connection refuses one test message on purpose.

    With --real-mail it refuses all mail that another connection can take, for some minutes. That ends by itself, also
    when the gateway is restarted.
    """
    if sum(1 for one in (to, minutes, flags["end"]) if one) != 1:
        raise click.UsageError("Give one of --to, --real-mail and --end.")
    here = frame()
    if to:
        result = here.call("drill", to=to, connection=connection)
        here.answer(result, _told)
        context.exit(0 if result["ok"] else 1)
    _real(here, minutes, connection, yes=flags["yes"])


def _real(here: Frame, minutes: int | None, connection: str | None, *, yes: bool) -> None:
    """Only a gateway that runs has real mail."""
    if minutes is None:
        here.answer(control.ask(here.config, "drill_end", {}), _ended)
        return
    if not yes:
        click.confirm(f"Refuse real mail on purpose for {minutes} min?", abort=True, err=True)
    begun = control.ask(here.config, "drill_begin", {"minutes": minutes, "connection": connection})
    here.answer(begun, _begun)


def _told(result: dict[str, Any]) -> None:
    output.say(result["text"])


def _begun(real: dict[str, Any]) -> None:
    output.say(f"{real['connection']} refuses real mail on purpose until {real['until']}.")
    output.say("End it before that: secondpost drill --end")


def _ended(result: dict[str, Any] | None) -> None:
    output.say(result["text"] if result else "There was no drill of real mail.")
