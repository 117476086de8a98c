"""`secondpost domain-check`: would DMARC pass if a connection sent mail of this domain?"""

from typing import Any

import click

from secondpost.cli import output
from secondpost.cli.frame import Command, frame

MARKS = {"good": "+", "open": "?", "bad": "-"}
VERDICTS = {True: "DMARC would pass", False: "DMARC would fail", None: "whether DMARC would pass is not known"}


@click.command("domain-check", cls=Command)
@click.argument("domain")
@click.option("--connection", metavar="NAME", help="Only this one; else all of them.")
@click.option("--selector", default="", metavar="NAME", help="The DKIM selector, where it cannot be known.")
@click.pass_context
def command(context: click.Context, /, domain: str, connection: str | None, selector: str) -> None:
    """Look into the DNS: SPF, DKIM and DMARC of a domain, for each connection that would send its mail.

    It fails when DMARC would fail for one of them.
    """
    here = frame()
    rows = here.call("domain_check", domain=domain, connection=connection, selector=selector)
    here.answer(rows, _words)
    context.exit(1 if any(row["passes"] is False for row in rows) else 0)


def _words(rows: list[dict[str, Any]]) -> None:
    if not rows:
        output.say("There is no connection that sends anything: nothing to check.")
    for row in rows:
        role = f", {row['role']}" if row["role"] != "additional" else ""
        output.say(f"{row['title']}{role}: {VERDICTS[row['passes']]}")
        if row["changed"]:
            output.say(f"  It changes the From to {row['domain']}, which is what was checked.")
        for item in row["items"]:
            output.say(f"  {MARKS[item['state']]} {item['name']}: {item['title']}. {item['text']}")
            if item["todo"]:
                output.say(f"      {item['todo']}")
