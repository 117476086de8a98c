"""`secondpost routes`: Smart Routing."""

from typing import Any

import click

from secondpost.cli import files, output
from secondpost.cli.frame import Group, frame


@click.group("routes", cls=Group)
def command() -> None:
    """Smart Routing: which mail goes by which connection."""


@command.command("list")
def list_() -> None:
    """All routes in their order; the first that matches wins."""
    here = frame()
    here.answer(here.call("routes_list"), _table)


def _table(rules: list[dict[str, Any]]) -> None:
    if not rules:
        output.say("There are no routes: all mail goes by the Primary Connection.")
        return
    cells = [
        [number, rule["name"] or "–", _target(rule), _conditions(rule["any"]), rule["origin"]]
        for number, rule in enumerate(rules, 1)
    ]
    output.table(["#", "route", "sends by", "if", "set by"], cells, wrap=["if"])
    output.say("\nMail that matches no route goes by the Primary Connection.")


def _target(rule: dict[str, Any]) -> str:
    if rule["skipped"]:
        return f"(skipped: {rule['skipped']})"
    return "blocked" if rule.get("block") else str(rule["connection"])


def _conditions(groups: list[dict[str, Any]]) -> str:
    return " or ".join(" and ".join(_condition(condition) for condition in group.get("all", [])) for group in groups)


def _condition(condition: dict[str, Any]) -> str:
    return f"{condition.get('property')} {condition.get('operator')} {condition.get('value', '')!r}".replace("_", " ")


@command.command()
@click.argument("file", metavar="FILE.eml")
@click.option("--from", "sender", default="", metavar="ADDRESS", help="The envelope's sender; else the message's From.")
@click.option("--to", multiple=True, metavar="ADDRESS", help="A recipient of the envelope; else the message's To.")
def explain(file: str, sender: str, to: tuple[str, ...]) -> None:
    """Which way a message would take, and why. Sends nothing. "-" reads the message from standard input."""
    here = frame()
    content = files.read(file, here.config.smtp.max_message_bytes)
    result = here.call("routes_explain", content=files.base64_of(content), sender=sender, recipients=list(to))
    here.answer(result, _explanation)


def _explanation(result: dict[str, Any]) -> None:
    for rule in result["rules"]:
        _explain_rule(rule)
    if result.get("blocked"):
        output.say(f"Result: {result['blocked']}.")
        return
    why = f"the route {result['route']!r}" if result["route"] else "no route matches, so the Primary Connection"
    output.say(f"Result: {why}. It goes by {', then '.join(result['connections']) or 'no connection'}.")


def _explain_rule(rule: dict[str, Any]) -> None:
    output.say(f"{rule['name'] or '(no name)'}: {_verdict(rule)}")
    for number, group in enumerate(rule["any"]):
        for place, condition in enumerate(group):
            joint = "and" if place else "or " if number else "   "
            found = ", ".join(condition["found"]) or "nothing"
            output.say(f"  {joint} {'yes' if condition['holds'] else 'no '}  {_condition(condition)}  (found: {found})")
    output.say("")


def _verdict(rule: dict[str, Any]) -> str:
    if rule["skipped"]:
        return f"skipped, since {rule['skipped']}"
    if rule["chosen"]:
        return "matches, and decides"
    return "matches, but one before it has decided" if rule["met"] else "does not match"
