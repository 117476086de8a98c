"""`secondpost setup-url`: the link that makes the first user of the web admin."""

import click

from secondpost.cli import output
from secondpost.cli.frame import Command, frame


@click.command("setup-url", cls=Command)
def command() -> None:
    """Print a new link for setting up the web admin.

    It works once, and for a day. One that was printed before stops working.
    """
    here = frame()
    here.answer(here.call("setup_url"), lambda result: output.say(result["url"]))
