"""The frame of every command: --config and --json, and errors that teach instead of tracebacks.

Rule: exit status 0 is success, 1 means that it failed, 2 that the command or the configuration is wrong.
"""

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from secondpost.errors import ConfigError, SecondpostError

if TYPE_CHECKING:
    from secondpost.cli.control import Rows
    from secondpost.config import Config

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Frame:
    """What all commands share. `overrides` are settings given as options, by dotted path."""

    file: Path | None = None
    json: bool = False
    overrides: dict[str, str] = field(default_factory=dict)
    _config: "Config | None" = None

    @property
    def config(self) -> "Config":
        """The configuration, read when it is first needed. Raises ConfigError."""
        if self._config is None:
            self._config = self.read()
        return self._config

    def read(self) -> "Config":
        """The configuration as it is now. Raises ConfigError."""
        from secondpost import config

        return config.load(file=self.file, overrides=self.overrides)

    def call(self, operation: str, rows: "Rows | None" = None, **arguments: Any) -> Any:
        """Do an operation in the running gateway, or here when none runs."""
        from secondpost.cli import control

        return control.call(self.config, operation, arguments, rows)

    def answer(self, result: Any, words: Callable[[Any], object]) -> None:
        """Print a result: as it is for programs, in `words` for people."""
        if self.json:
            from secondpost.cli import output

            output.data(result)
        else:
            words(result)


def frame() -> Frame:
    """The frame of the command that runs."""
    found: Frame = click.get_current_context().ensure_object(Frame)
    return found


def _take_file(context: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.ensure_object(Frame).file = value


def _take_json(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Frame).json = True


def _common() -> list[click.Parameter]:
    path = click.Path(path_type=Path)
    return [
        click.Option(
            ["--config"], type=path, metavar="FILE", expose_value=False, callback=_take_file, is_eager=True,
            help="The configuration file; else SECONDPOST_CONFIG, else ./secondpost.toml.",
        ),
        click.Option(
            ["--json"], is_flag=True, expose_value=False, callback=_take_json, is_eager=True,
            help="Answer in JSON, for programs.",
        ),
    ]  # fmt: skip


class Command(click.Command):
    """A command with --config and --json, whose expected errors end in one message."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.params += _common()

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SecondpostError as error:
            _tell(error, as_json=ctx.ensure_object(Frame).json)
            ctx.exit(2 if isinstance(error, ConfigError) or kind(error) == "ConfigError" else 1)
        except KeyboardInterrupt:
            ctx.exit(130)
        except OSError as error:
            if error.errno != errno.ENOSPC:  # of a pipe whose reader has left, click knows
                raise
            click.echo(f"secondpost: The answer could not be written: {error.strerror}.", err=True)
            ctx.exit(1)


def kind(error: SecondpostError) -> str:
    """The error's name in the tree of errors; errors of the running gateway keep theirs."""
    return getattr(error, "kind", "") or type(error).__name__


def _tell(error: SecondpostError, *, as_json: bool) -> None:
    if as_json:
        from secondpost.cli import output

        output.data({"error": {"kind": kind(error), "message": str(error)}})
    else:
        click.echo(f"secondpost: {error}", err=True)


class Group(click.Group):
    """Commands by name. Those in `lazy` are modules of this package with a `command`, loaded when they are used."""

    command_class = Command

    def __init__(self, *arguments: Any, lazy: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.lazy = lazy
        self.params += _common()

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return [*self.lazy, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        found: click.Command = import_module(f"secondpost.cli.{cmd_name.replace('-', '_')}").command
        return found

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from secondpost.config.faults import did_you_mean

            meant = did_you_mean(args[0], self.list_commands(ctx)) if args else ""
            raise click.UsageError(f"{error.message}" + (f" Did you mean {meant}?" if meant else ""), ctx) from None


Group.group_class = Group


def with_setting(option: str, path: str, about: str) -> Callable[[F], F]:
    """An option of a command that overrides one setting."""

    def take(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            context.ensure_object(Frame).overrides[path] = value

    return click.option(option, expose_value=False, callback=take, help=about)
