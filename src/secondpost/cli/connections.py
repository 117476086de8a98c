"""`secondpost connections`: list, verify, add, remove."""

import sys
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import click

from secondpost.cli import connections_import, output
from secondpost.cli.frame import Group, frame
from secondpost.errors import ConfigError


@click.group("connections", cls=Group)
def command() -> None:
    """List, verify, add and remove connections."""


command.add_command(connections_import.command)


@command.command("list")
def list_() -> None:
    """All connections with their role and state."""
    here = frame()
    here.answer(here.call("connections_list"), _table)


def _table(rows: list[dict[str, Any]]) -> None:
    cells = [[row["name"], row["title"], row["role"], _state(row), _origin(row["origin"])] for row in rows]
    output.table(["name", "connection", "role", "breaker", "set by"], cells, cut=["connection"])


def _state(row: dict[str, Any]) -> str:
    return str(row["state"]) if row["enabled"] else "disabled"


def _origin(text: str) -> str:
    """A file by its name alone: the column is narrow."""
    return text.rpartition("/")[2] if text.startswith("/") else text


@command.command()
@click.argument("name", required=False, default="")
@click.option("--limit", type=click.IntRange(1, 10000), default=50, show_default=True, help="Most entries.")
def history(name: str, limit: int) -> None:
    """When breakers opened and closed, and why: of one connection, or of all. The newest comes first."""
    here = frame()
    here.answer(here.call("connections_history", name=name, limit=limit), _history)


def _history(rows: list[dict[str, Any]]) -> None:
    if not rows:
        output.say("No breaker has opened, as far back as the log goes.")
        return
    now = datetime.now(UTC)
    cells = [[output.at(row["at"], now), row["connection"], row["text"]] for row in rows]
    output.table(["when", "connection", "breaker"], cells, cut=["breaker"])


@command.command()
@click.argument("name", required=False)
@click.pass_context
def verify(context: click.Context, name: str | None) -> None:
    """Sign in to one connection, or to all, and send nothing."""
    here = frame()
    verdicts = here.call("connections_verify", name=name)
    here.answer(verdicts, _verdicts)
    context.exit(0 if all(verdict["ok"] for verdict in verdicts) else 1)


def _verdicts(verdicts: list[dict[str, Any]]) -> None:
    for verdict in verdicts:
        _verdict(verdict)


def _verdict(verdict: dict[str, Any]) -> None:
    if verdict["ok"]:
        details = ", ".join(f"{key} {value}" for key, value in (verdict.get("details") or {}).items())
        output.say(f"{verdict['name']}: usable" + (f" ({details})" if details else ""))
        return
    lines = [f"{verdict['name']}: not usable ({verdict['phase']}): {verdict['reply'] or 'no answer'}"]
    if advice := verdict.get("advice"):
        lines += [f"  {advice['title']}. {advice['text']}"]
        lines += [f"  {number}. {step}" for number, step in enumerate(advice["steps"], 1)]
    if verdict.get("transcript"):
        lines += [f"  | {line}" for line in verdict["transcript"].splitlines()]
    click.echo(output.clean("\n".join(lines)), err=True)


@command.command()
@click.argument("name")
@click.option("--mailer", help="The kind of provider: smtp, capture, …")
@click.option("--dsn", help='A whole DSN instead; "-" reads it from standard input.')
@click.option("--nickname", help="What people read.")
@click.option("--from-email", help="The From address of this connection.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting, as in the configuration file.")
@click.option("--secret", "secrets", multiple=True, metavar="KEY", help="A setting that is asked for, not shown.")
def add(name: str, settings: tuple[str, ...], secrets: tuple[str, ...], **given: str | None) -> None:
    """Add a connection and keep it in the database.

    For example: secondpost connections add main --mailer smtp --set host=mail.example.com --secret password
    """
    here = frame()
    fields: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    for pair in settings:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise click.UsageError(f"Write --set KEY=VALUE, not {pair!r}.")
        _put(fields, key, value)
    for key in secrets:
        _put(fields, key, _ask(key))
    if fields.get("dsn") == "-":
        fields["dsn"] = _ask("dsn")
    here.config.connection(name, fields)  # faults are told here, before anything is changed
    here.answer(here.call("connections_add", name=name, **fields), _added)


def _put(fields: dict[str, Any], key: str, value: str) -> None:
    """limits.per_day=5000 goes into the table limits."""
    if key in ("name", "rows", "operation"):
        raise ConfigError(f"There is no setting {key!r} of a connection.")
    table, dot, inner = key.partition(".")
    if dot:
        fields.setdefault(table, {})[inner] = value
    else:
        fields[key] = value


def _ask(key: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(key, hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _added(row: dict[str, Any]) -> None:
    output.say(f"Added {row['title']}. Try it: secondpost connections verify {row['name']}")


@command.command()
@click.argument("name")
@click.option("--renew", is_flag=True, help="Make a new address; the old one stops working at once.")
def webhook(name: str, renew: bool) -> None:
    """The address at which the provider can tell what became of mail. Enter it there, and keep it secret."""
    here = frame()
    here.answer(here.call("connections_webhook", name=name, renew=renew), _address)


def _address(told: dict[str, str]) -> None:
    output.say(told["url"])
    if urlsplit(told["url"]).hostname in ("localhost", "127.0.0.1", "::1"):
        click.echo("The provider cannot reach this name. Set [http] public_url to one that the world knows.", err=True)


@command.command()
@click.argument("name")
def connect(name: str) -> None:
    """The page at which a person signs in to the provider, for a connection by OAuth."""
    here = frame()
    here.answer(here.call("connections_connect", name=name), _page)


def _page(told: dict[str, str]) -> None:
    output.say(f"Open this in a browser within 15 minutes, and sign in:\n{told['url']}")
    output.say(f"\nThe provider must know this redirect address:\n{told['redirect']}")


@command.command()
@click.argument("name")
@click.option("--replacement", metavar="NAME", help="The connection that takes over what this one was used for.")
def remove(name: str, replacement: str | None) -> None:
    """Remove a connection. One that is in use needs a replacement."""
    here = frame()
    here.call("connections_remove", name=name, replacement=replacement)
    here.answer({"removed": name}, lambda _: output.say(f"Removed {name}."))
