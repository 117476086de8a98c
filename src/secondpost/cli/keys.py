"""`secondpost keys`: who may use the HTTP API, and for what."""

from typing import Any

import click

from secondpost.cli import output, permits
from secondpost.cli.frame import Group, frame


@click.group("keys", cls=Group)
def command() -> None:
    """Keys for the HTTP API, and for providers' own clients that speak to it."""


@command.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help="What it may do; else send and read.")
@permits.limits
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
    given = permits.given(rates) | ({"signing": True} if signing else {})
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
        [[row["name"], ", ".join(row["scopes"]), permits.senders(row), permits.rates(row)] for row in rows],
    )


@command.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Make a key worthless, at once."""
    permits.revoke("keys_revoke", name)
