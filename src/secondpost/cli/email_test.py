"""`secondpost email-test`: a test message by one connection, with a diagnosis when it fails."""

from typing import Any

import click

from secondpost.cli import output
from secondpost.cli.frame import Command, frame


@click.command("email-test", cls=Command)
@click.option("--to", required=True, metavar="ADDRESS", help="Where to send it.")
@click.option("--connection", metavar="NAME", help="The connection to test; else the Primary Connection.")
@click.option("--plain", is_flag=True, help="Plain text only, no HTML.")
@click.option("--like-real", is_flag=True, help="Send it like a real message: through routing and fallback.")
@click.pass_context
def command(context: click.Context, to: str, connection: str | None, plain: bool, like_real: bool) -> None:
    """Send a test message. It uses the connection chosen and never falls back, so that it tests what it says."""
    if connection and like_real:
        raise click.UsageError(
            "A message that is sent like a real one chooses its connection itself: leave --connection out."
        )
    here = frame()
    result = here.call("email_test", to=to, connection=connection, plain=plain, like_real=like_real)
    here.answer(result, _words)
    context.exit(0 if result["ok"] else 1)


def _words(result: dict[str, Any]) -> None:
    if result.get("queued"):
        output.say(f"Accepted as {result['id']}. See the way it took: secondpost log show {result['id']}")
        return
    if result["ok"]:
        output.say(f"Sent: the provider took the test message. It answered: {result['reply'] or '–'}")
        _stages(result)
        return
    # What failed goes where errors go, so that a pipe does not swallow it.
    click.echo(_failure(result), err=True)


def _stages(result: dict[str, Any]) -> None:
    for stage in result.get("stages") or ():
        output.say(f"  {stage['name']:<12} {stage['ms']:>9.1f} ms")


def _failure(result: dict[str, Any]) -> str:
    found = result.get("diagnosis") or {"title": f"Test failed: {result.get('outcome')}", "text": "", "steps": []}
    lines = [f"Test failed: {found['title']}", found["text"], ""]
    lines += [f"  {number}. {step}" for number, step in enumerate(found["steps"], 1)]
    lines += ["", f"Phase: {result.get('phase')}", f"Reply: {result.get('reply') or '–'}"]
    if result.get("transcript"):
        lines += ["", "Transcript (secrets masked):", *(f"  {line}" for line in result["transcript"].splitlines())]
    return output.clean("\n".join(lines))
