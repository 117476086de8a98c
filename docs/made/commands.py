"""reference/commands.md: every command with its help, as the program itself prints it."""

from collections.abc import Iterator

import click

from secondpost.cli import cli

WIDTH = 100
EVERYWHERE = ("config", "json")  # told once, at the top of the page


def part() -> str:
    return "\n\n".join(_chapters(cli, "secondpost", 2))


def _chapters(command: click.Command, path: str, level: int) -> Iterator[str]:
    """The command, then its commands."""
    yield f"{'#' * level} {path}"
    yield f"```text\n{_help(command, path)}\n```"
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _chapters(inner, f"{path} {name}", min(level + 1, 3))


def _help(command: click.Command, path: str) -> str:
    """What `--help` prints, without the options that every command has."""
    for option in command.params:
        if isinstance(option, click.Option) and option.name in EVERYWHERE:
            option.hidden = True
    command.add_help_option = False
    context = click.Context(command, info_name=path, terminal_width=WIDTH, max_content_width=WIDTH)
    lines = command.get_help(context).splitlines()
    return "\n".join(line.rstrip() for line in lines).strip()
