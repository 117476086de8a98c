"""What the Email Log is narrowed to: all of it stands in the address, so that a search can be kept and sent.

Rule: what an address says is taken as far as it makes sense; the rest is not there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

SCOPES = {"addresses": "Email Addresses", "subject": "Subject & Headers", "content": "Content"}
SORTS = ("date", "subject", "-subject")  # the oldest first; from A to Z, and back. Else: the newest first
NAMES = ("q", "in", "status", "connection", "backup", "initiator", "error", "since", "until", "sort", "headers")
_FIELDS = {"addresses": "address", "subject": "subject", "content": "content"}


@dataclass(frozen=True, slots=True)
class Filters:
    """By the names in the address; only what is set is there."""

    given: dict[str, str]

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Filters":
        found = {name: query[name].strip()[:500] for name in NAMES if query.get(name, "").strip()}
        if found.get("in") not in SCOPES or "q" not in found:
            found.pop("in", None)
        if found.get("in") == "addresses":
            del found["in"]
        if found.get("sort") not in SORTS:
            found.pop("sort", None)
        return cls(found)

    @classmethod
    def parse(cls, query: str) -> "Filters":
        """Of a form, which carries the address along."""
        return cls.read(dict(parse_qsl(query)))

    def __getitem__(self, name: str) -> str:
        return self.given.get(name, "")

    @property
    def scope(self) -> str:
        return self.given.get("in", "addresses")

    @property
    def opens(self) -> bool:
        """Whether what is sealed must be looked into."""
        return bool(self["q"]) and (self.scope == "content" or bool(self["headers"]))

    @property
    def oldest_first(self) -> bool:
        return self["sort"] == "date"

    @property
    def by_subject(self) -> bool:
        return self["sort"].endswith("subject")

    @property
    def narrowing(self) -> list[str]:
        """What is set besides the search, the standing and the order: the form that holds it is open then."""
        return [name for name in ("connection", "backup", "initiator", "error", "since", "until") if self[name]]

    def url(self, **changes: str) -> str:
        """The address with some of it changed, from the first page on."""
        given = {name: value for name, value in (self.given | changes).items() if value}
        return "/log" + (f"?{urlencode(given)}" if given else "")

    @property
    def query(self) -> str:
        return urlencode(self.given)

    def asked(self) -> dict[str, Any]:
        """The same in the words of `Operations`."""
        given = {name: self[name] for name in ("status", "connection", "initiator", "error")}
        given |= {"by_backup": self["backup"], "since": self["since"], "until": _whole_day(self["until"])}
        if self["q"]:
            given["header" if self["headers"] else _FIELDS[self.scope]] = self["q"]
        return {name: value for name, value in given.items() if value}


def _whole_day(until: str) -> str:
    """A person means the last day with all its hours."""
    try:
        return (date.fromisoformat(until) + timedelta(days=1)).isoformat() if len(until) == 10 else until
    except (ValueError, OverflowError):
        return until
