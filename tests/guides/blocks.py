"""The blocks of code in a guide, to be run as they stand."""

import re
from pathlib import Path
from typing import Any

GUIDES = Path(__file__).parents[2] / "docs/guides"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def python(guide: str) -> list[str]:
    """Its blocks of Python, in their order."""
    return [text for kind, text in FENCE.findall((GUIDES / f"{guide}.md").read_text()) if kind == "python"]


def run(block: str) -> dict[str, Any]:
    """Run it, as a module of its own; the names that it made."""
    names: dict[str, Any] = {"__name__": "guide"}
    exec(block, names)
    return names
