"""`secondpost keys`: who may use the HTTP API, and for what."""

from typing import Any

import click

from secondpost.cli import output
from secondpost.cli.frame import Group, frame

SCOPES = ("send", "read", "read-all", "manage", "connections", "choose")


@click.group("keys", cls=Group)
def command() -> None:
    """Keys for the HTTP API, and for providers' own clients that speak to it."""


@command.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="What it may do; else send and read.")
@click.option(
    "--sender", "senders", multiple=True, metavar="PATTERN", help="An address or @domain it may send as; else any."
)
@click.option("--per-minute", type=click.IntRange(1), metavar="N", help="Most messages in a minute; else any number.")
@click.option("--per-hour", type=click.IntRange(1), metavar="N", help="Most messages in an hour; else any number.")
@click.option("--ses", "signing", is_flag=True, help="For Amazon's SDKs: an access key id and a secret access key.")
def add(name: str, scopes: tuple[str, ...], senders: tuple[str, ...], signing: bool, **rates: int | None) -> None:
    """Make a key. It is shown this one time.

    \b
    send         submit messages
    read         see what became of the messages that this key submitted
    read-all     see every message and the statistics
    manage       resend, cancel and settle the messages that it can see
    connections  see the connections and try to sign in to them
    choose       name the connection that a message goes by
    """
    here = frame()
    given: dict[str, Any] = {span: number for span, number in rates.items() if number is not None}
    given |= {"signing": True} if signing else {}
    here.answer(here.call("keys_add", name=name, scopes=list(scopes), senders=list(senders), **given), _added)


def _added(result: dict[str, str]) -> None:
    if "key" in result:
        output.say(f"key  {result['key']}\n\nThe key cannot be shown again.")
        return
    output.say(
        f"access key id      {result['access_id']}\nsecret access key  {result['secret']}\n\n"
        "The secret cannot be shown again. It signs requests of Amazon's SDKs and opens nothing else."
    )


@command.command("list")
def list_() -> None:
    """All keys, without their secrets."""
    here = frame()
    here.answer(here.call("keys_list"), _table)


def _table(rows: list[dict[str, Any]]) -> None:
    if not rows:
        output.say("There is no key yet. Make one: secondpost keys add NAME")
        return
    output.table(
        ["name", "may", "may send as", "how much"],
        [[row["name"], ", ".join(row["scopes"]), ", ".join(row["senders"]) or "any", _rates(row)] for row in rows],
    )


def _rates(row: dict[str, Any]) -> str:
    spans = (("per_minute", "a minute"), ("per_hour", "an hour"))
    return ", ".join(f"{row[span]} {words}" for span, words in spans if row.get(span)) or "any"


@command.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Make a key worthless, at once."""
    here = frame()
    here.call("keys_revoke", name=name)
    here.answer({"revoked": name}, lambda _: output.say(f"Revoked {name}."))
