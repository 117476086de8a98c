"""The command `secondpost`: one file per command, each loaded only when it is used.

Rule: a command says what it did, in words or in JSON; it never writes into the store around the running gateway.
"""

import click

from secondpost import __version__
from secondpost.cli.frame import Group

COMMANDS = (
    "serve",
    "demo",
    "send",
    "email-test",
    "drill",
    "domain-check",
    "connections",
    "backup",
    "routes",
    "queue",
    "log",
    "messages",
    "suppressions",
    "credentials",
    "keys",
    "users",
    "setup-url",
    "config",
    "db",
    "health",
)


@click.group(
    cls=Group, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="secondpost")
def cli() -> None:
    """Secondpost: email delivery that survives its provider.

    Start the gateway with "secondpost serve"; see it work with "secondpost demo".
    """


def main() -> None:
    """The entry point."""
    cli(prog_name="secondpost")
