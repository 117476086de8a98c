"""What commands print: JSON for programs; for people tables and words that fit 80 columns.

Rule: nothing from a message or a provider reaches the terminal with its control characters.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

STYLES = {
    "accepted": "green", "closed": "green", "ok": "green", "primary": "bold", "backup": "cyan",
    "waiting": "yellow", "sending": "yellow", "leased": "yellow", "half-open": "yellow", "deferred": "yellow",
    "unclear": "bold magenta",
    "rejected": "red", "expired": "red", "open": "red", "failed": "red", "bounced": "red", "complained": "red",
    "delivered": "green",
    "cancelled": "dim",
}  # fmt: skip


def data(value: Any) -> None:
    """One JSON document."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def say(text: str) -> None:
    """A line for people."""
    click.echo(clean(text))


def clean(text: Any) -> str:
    """Text for a terminal: control characters are shown as what they are not."""
    line = str(text)
    if line.isprintable():
        return line
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in line)


def console() -> "Console":
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)


def width() -> int | None:
    """The columns of the terminal; None when nobody reads it there."""
    return console().width if sys.stdout.isatty() else None


def styled(text: Any, style: str | None = None) -> "Text":
    """Text that is never read as markup; words of state have their colors."""
    from rich.text import Text

    line = clean(text)
    return Text(line, style=STYLES.get(line, "") if style is None else style)


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    cut: Sequence[str] = (),
    wrap: Sequence[str] = (),
    right: str = "",
) -> None:
    """A table. When the terminal is narrow, columns in `cut` end in an ellipsis and those in `wrap` take more lines."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for head in heads:
        made.add_column(head, no_wrap=head not in (*cut, *wrap), justify="right" if head == right else "left")
    for row in rows:
        made.add_row(*(_cell(value, one_line=head not in wrap) for head, value in zip(heads, row, strict=True)))
    console().print(made)


def _cell(value: Any, *, one_line: bool) -> "Text":
    text = styled(value)
    text.no_wrap, text.overflow = (True, "ellipsis") if one_line else (False, "fold")
    return text


def moment(text: str | None) -> datetime | None:
    """A time of an answer."""
    return datetime.fromisoformat(text) if text else None


def at(text: str | None, now: datetime) -> str:
    """A time for people, in their zone, with how long ago that is or how soon."""
    time = moment(text)
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S %Z} ({relative(text, now)})" if time else "–"


def short(text: str | None, now: datetime) -> str:
    """A time in a narrow column: to the minute, or the day when it was in another year."""
    time = moment(text)
    if time is None:
        return "–"
    return f"{time.astimezone():%m-%d %H:%M}" if time.year == now.year else f"{time.astimezone():%Y-%m-%d}"


def relative(text: str | None, now: datetime) -> str:
    """ "3 min ago", "in 2 h" """
    time = moment(text)
    if time is None:
        return "–"
    seconds = (now - time).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"{_span(seconds)} ago" if seconds > 0 else f"in {_span(-seconds)}"


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds >= size and unit != "d"):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def utc_now() -> datetime:
    return datetime.now(UTC)


def count(number: int, one: str, many: str) -> str:
    """ "1 delivery", "2 deliveries" """
    return f"{number:,} {one if number == 1 else many}"


def size(octets: int) -> str:
    """A size for people."""
    if octets < 1024:
        return f"{octets} B"
    return f"{octets / 1024:.0f} KiB" if octets < 1024 * 1024 else f"{octets / 1024 / 1024:.1f} MiB"
