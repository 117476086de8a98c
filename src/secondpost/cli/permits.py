"""What log-ins and keys have in common: as whom they may send, how much, and being revoked."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from secondpost.cli import output
from secondpost.cli.frame import frame

Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--sender", "senders", multiple=True, metavar="PATTERN", help="May send as this; else as any."),
    click.option("--per-minute", type=click.IntRange(1), metavar="N", help="Most messages in a minute; else any."),
    click.option("--per-hour", type=click.IntRange(1), metavar="N", help="Most messages in an hour; else any."),
    click.option("--per-day", type=click.IntRange(1), metavar="N", help="Most messages in a day of UTC; else any."),
)


def limits(function: Function) -> Function:
    """The options that limit what a permit is good for. PATTERN is an address or @domain."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def given(rates: Mapping[str, int | None]) -> dict[str, Any]:
    return {span: number for span, number in rates.items() if number is not None}


def senders(row: Mapping[str, Any]) -> str:
    return ", ".join(row["senders"]) or "any"


def rates(row: Mapping[str, Any]) -> str:
    spans = (("per_minute", "a minute"), ("per_hour", "an hour"), ("per_day", "a day"))
    return ", ".join(f"{row[span]} {words}" for span, words in spans if row.get(span)) or "any"


def revoke(operation: str, name: str) -> None:
    here = frame()
    here.call(operation, name=name)
    here.answer({"revoked": name}, lambda _: output.say(f"Revoked {name}."))
