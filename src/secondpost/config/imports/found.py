"""What an import has found."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_TRUE = {"1", "true", "yes", "on"}


@dataclass(slots=True)
class Found:
    """Tables as in [connections.NAME], primary first; `backup` names one of them, or none."""

    tables: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    backup: str = ""
    unread: dict[str, list[str]] = field(default_factory=dict)  # secrets that only their program can read
    notes: list[str] = field(default_factory=list)

    def add(self, wanted: str, table: Mapping[str, Any]) -> str:
        """Keep a connection under a name made from `wanted`. What says nothing is left out. Returns the name."""
        plain = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-")[:40] or "imported"
        name, number = plain, 1
        while name in self.tables:
            number += 1
            name = f"{plain}-{number}"
        self.tables[name] = {key: value for key, value in table.items() if value not in ("", None)}
        return name


def true(value: object) -> bool:
    return str(value or "").strip().lower() in _TRUE
