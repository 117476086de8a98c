"""`secondpost send`: one message from the command line."""

import getpass
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from secondpost.cli import control, files, output
from secondpost.cli.frame import Command, frame

if TYPE_CHECKING:
    from secondpost.config import Config


@click.command("send", cls=Command)
@click.option("--to", multiple=True, required=True, metavar="ADDRESS", help="A recipient; can be given several times.")
@click.option("--from", "sender", metavar="ADDRESS", help="The sender; else the Primary Connection's From Email.")
@click.option("--subject", default="", help="The subject.")
@click.option("--text", default="", help='The text; "-" reads it from standard input.')
@click.option("--html", "html", metavar="FILE", help="A file with the HTML part.")
@click.option("--attach", multiple=True, metavar="FILE", help="A file to attach; can be given several times.")
@click.option(
    "--priority", type=click.Choice(["urgent", "normal", "bulk"], case_sensitive=False), help="How urgent it is."
)
@click.option("--key", default="", help="Idempotency key: a repeated command with it sends nothing twice.")
@click.option("--tag", default="", help="A tag for the log.")
def command(
    to: tuple[str, ...], sender: str | None, text: str, html: str | None, attach: tuple[str, ...], **rest: Any
) -> None:
    """Send a message. It is on disk when this returns, and leaves by the first connection that can take it."""
    if not text and not html:
        raise click.UsageError("Give the message a text with --text, or an HTML file with --html.")
    here = frame()
    limit = here.config.smtp.max_message_bytes
    message = {
        "sender": sender or usual_sender(here.config),
        "to": list(to),
        "subject": rest["subject"],
        "text": files.text("-", limit) if text == "-" else text,
        "html": files.text(html, limit) if html else "",
        "attachments": [_attachment(name, limit) for name in attach],
        "priority": (rest["priority"] or "").lower(),
        "key": rest["key"],
        "tag": rest["tag"],
    }
    here.answer(here.call("send", **message), _words)
    if not here.json and not control.runs(here.config):
        click.echo(
            "No gateway runs here: what could not be delivered at once waits until secondpost serve runs.", err=True
        )


def _attachment(name: str, limit: int) -> dict[str, str]:
    return {"filename": Path(name).name, "content": files.base64_of(files.read(name, limit))}


def usual_sender(config: "Config") -> str:
    """The Primary Connection's From Email, else this user on this machine."""
    primary = config.connections.get(config.primary)
    if primary is not None and primary.sender.email:
        return primary.sender.email
    return f"{_user()}@{config.smtp.hostname or socket.gethostname()}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the latter since Python 3.13: in a container, a user may have no name
        return f"uid{os.getuid()}"


def _words(result: dict[str, Any]) -> None:
    if result.get("duplicate"):
        output.say(f"This was submitted before with the same key, as {result['id']}. Nothing was sent again.")
        return
    output.say(f"Accepted as {result['id']}. See what becomes of it: secondpost log show {result['id']}")
