"""`secondpost config`: what is configured, and where each value comes from."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from secondpost.cli import control, output
from secondpost.cli.frame import Group, frame
from secondpost.errors import ConfigError

if TYPE_CHECKING:
    from secondpost.config import Config
    from secondpost.config.show import Shown


@click.group("config", cls=Group)
def command() -> None:
    """The configuration: check it, show it."""


@command.command()
def check() -> None:
    """Read the configuration and tell every fault; changes nothing."""
    here = frame()
    config = here.config
    _check_names(config)
    file = config.file or "no file"
    here.answer(
        {"ok": True, "file": config.file or None}, lambda _: output.say(f"The configuration is right ({file}).")
    )


def _check_names(config: "Config") -> None:
    """Names may be those of connections in the database, if there is one."""
    try:
        config.require()
    except ConfigError:
        if not config.data_dir.is_dir():
            raise
        config.require([row["name"] for row in control.call(config, "connections_list", {})])


@command.command()
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
def show(origin: bool) -> None:
    """Every setting with its value; secrets are masked."""
    from secondpost.config.show import shown

    here = frame()
    settings = shown(here.config)
    here.answer([asdict(setting) for setting in settings], lambda _: _table(settings, origin))


def _table(settings: "list[Shown]", origin: bool) -> None:
    heads = ["setting", "value", *(["from"] if origin else [])]
    cells = [[setting.path, _text(setting.value), *([setting.origin] if origin else [])] for setting in settings]
    output.table(heads, cells, wrap=heads[1:])


def _text(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case None | "" | []:
            return "–"
        case list():
            return ", ".join(str(item) for item in value)
        case _:
            return str(value)
