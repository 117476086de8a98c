"""`secondpost demo`: the main job, shown without any account."""

import click

from secondpost.cli.frame import Command, frame


@click.command("demo", cls=Command)
@click.option("--stay", is_flag=True, help="Leave the gateway running at the end.")
@click.pass_context
def command(context: click.Context, stay: bool) -> None:
    """See the backup take over, with no account anywhere.

    A gateway and two providers run on this machine; one of the providers dies in mid-stream.
    """
    from secondpost import demo

    context.exit(demo.run(stay=stay, json=frame().json))
