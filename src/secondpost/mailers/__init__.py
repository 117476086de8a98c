"""The list of mailers. Each is imported when it is first asked for: nobody pays for providers that are not used.

Rule: a new provider is its file, its test, and one line here; other packages add theirs by the entry-point group
`secondpost.mailers`.
"""

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secondpost.mailers.base import Mailer

MAILERS: dict[str, str] = {
    "capture": "secondpost.mailers.capture:Capture",
    "sendmail": "secondpost.mailers.sendmail:Sendmail",
    "smtp": "secondpost.mailers.smtp:Smtp",
}


@cache
def _others() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group="secondpost.mailers") if point.name not in MAILERS}


def names() -> list[str]:
    """Every mailer that can be asked for, sorted."""
    return sorted({*MAILERS, *_others()})


def find(name: str) -> "type[Mailer]":
    """The mailer of that name. Raises KeyError when there is none."""
    if name in MAILERS:
        module, _, attribute = MAILERS[name].partition(":")
        found: type[Mailer] = getattr(import_module(module), attribute)
        return found
    loaded: type[Mailer] = _others()[name].load()
    return loaded
