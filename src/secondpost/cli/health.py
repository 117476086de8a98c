"""`secondpost health`: is the running gateway well? For people, and for container health checks."""

from typing import Any

import click

from secondpost.cli import output
from secondpost.cli.frame import Command, frame


@click.command("health", cls=Command)
@click.pass_context
def command(context: click.Context) -> None:
    """Ask the running gateway if it is well.

    That is: it can take mail durably, and send it. Exit status 1: it cannot.
    """
    from secondpost.cli import control

    here = frame()
    try:
        result = control.ask(here.config, "health", {})
    except control.NotRunning as error:
        result = {"ok": False, "checks": [{"name": "gateway", "ok": False, "text": str(error)}]}
    here.answer(result, _words)
    context.exit(0 if result["ok"] else 1)


def _words(result: dict[str, Any]) -> None:
    for check in result["checks"]:
        line = f"{'ok  ' if check['ok'] else 'FAIL'}  {check['name']}: {check['text']}"
        click.echo(output.clean(line), err=not check["ok"])
