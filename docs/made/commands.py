"""reference/commands.md: every command with its help, as the program itself prints it."""

from collections.abc import Iterator

import click

from secondpost.cli import cli

WIDTH = 100
EVERYWHERE = ("config", "json")  # told once, at the top of the page


def part() -> str:
    return "\n\n".join(
        f"{'#' * min(path.count(' ') + 2, 3)} {path}\n\n```text\n{text}\n```" for path, text in chapters()
    )


def chapters(command: click.Command = cli, path: str = "secondpost") -> Iterator[tuple[str, str]]:
    """The command with its help, then its commands."""
    yield path, _help(command, path)
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from chapters(inner, f"{path} {name}")


def _help(command: click.Command, path: str) -> str:
    """What `--help` prints, without the options that every command has."""
    for option in command.params:
        if isinstance(option, click.Option) and option.name in EVERYWHERE:
            option.hidden = True
    command.add_help_option = False
    context = click.Context(command, info_name=path, terminal_width=WIDTH, max_content_width=WIDTH)
    lines = command.get_help(context).splitlines()
    return "\n".join(line.rstrip() for line in lines).strip()
