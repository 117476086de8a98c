"""The ways through the web admin, in the order of the screens.

Rule: what has no route, or what the user may not see, is not offered.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from secondpost.admin.permissions import TABLE, may
from secondpost.service.users import Role


@dataclass(frozen=True, slots=True)
class Item:
    title: str
    path: str
    key: str = ""  # after "g" on the keyboard


SECTIONS: dict[str, tuple[Item, ...]] = {
    "Dashboard": (Item("Dashboard", "/dashboard", "d"),),
    "Email Log": (
        Item("Log", "/log", "l"),
        Item("Queue", "/queue", "q"),
        Item("Unclear", "/unclear", "u"),
        Item("Inbox", "/inbox", "i"),
    ),
    "Email Reports": (Item("Email Reports", "/reports", "r"),),
    "Settings": (
        Item("General", "/settings/general", "s"),
        Item("Additional Connections", "/settings/connections", "c"),
        Item("Email Log", "/settings/log"),
        Item("Email Controls", "/settings/controls"),
        Item("Smart Routing", "/settings/routing"),
        Item("Alerts", "/settings/alerts"),
        Item("Access", "/settings/access"),
        Item("Misc", "/settings/misc"),
    ),
    "Tools": (
        Item("Email Test", "/tools/email-test", "t"),
        Item("Fallback Drill", "/tools/drill"),
        Item("Export", "/tools/export"),
        Item("Debug Events", "/tools/events"),
        Item("Domain Check", "/tools/domain-check"),
    ),
}


def tabs(section: str, role: Role | None) -> list[Item]:
    """The pages of a section that this user may open."""
    return [item for item in SECTIONS.get(section, ()) if leads(item.path, role)]


def sections(role: Role | None) -> Iterator[Item]:
    """The sections, each leading to its first page."""
    for title in SECTIONS:
        if pages := tabs(title, role):
            yield Item(title, pages[0].path, pages[0].key)


def section_of(path: str) -> str:
    """The section that a path belongs to: that of the longest path it begins with."""
    found = [(len(item.path), title) for title, items in SECTIONS.items() for item in items if _below(path, item.path)]
    return max(found)[1] if found else ""


def tab_of(path: str) -> str:
    found = [item.path for items in SECTIONS.values() for item in items if _below(path, item.path)]
    return max(found, key=len, default="")


def _below(path: str, top: str) -> bool:
    return path == top or path.startswith(f"{top}/")


def leads(path: str, role: Role | None) -> bool:
    """Whether there is such a page, and this user may open it."""
    permission = TABLE.get(f"GET {path}")
    return permission is not None and may(role, permission)
