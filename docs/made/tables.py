"""Markdown tables, and values as they are written in a configuration file."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from secondpost.config.kinds import Listener, span_text


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a bar within a cell does not end it."""
    lines = [_row(heads), "|" + "---|" * len(heads)]
    return "\n".join(lines + [_row(row) for row in rows])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def code(text: str) -> str:
    return f"`{text}`"


def toml(value: Any) -> str:
    """A value as TOML; nothing for a setting that has none."""
    match value:
        case None | ():
            return "–"
        case bool():
            return code(str(value).lower())
        case int():
            return code(str(value))
        case timedelta():
            return code(f'"{span_text(value)}"')
        case tuple():
            return code("[" + ", ".join(f'"{item}"' for item in value) + "]")
        case Enum():
            return code(f'"{value.value}"')
        case str() | Path() | Listener():
            return code(f'"{value}"')
        case _:
            raise TypeError(f"no way to write {value!r} yet")
