"""Email Controls, Do Not Send, and the settings that people keep as one document, to be taken elsewhere.

Rule: secrets leave only when that is asked for; a document is checked whole before anything of it is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from secondpost.core import routing
from secondpost.errors import SecondpostError
from secondpost.service.connections import Connections
from secondpost.service.do_not_send import BUILT_IN, DoNotSend
from secondpost.service.overall import OverallLimits
from secondpost.service.routes import Controls

FORMAT = 1
KEYS = frozenset({
    "secondpost", "connections", "primary", "backup", "smart_routing", "email_controls", "do_not_send",
    "limits", "secrets_left_out",
})  # fmt: skip


@dataclass(slots=True)
class Misc:
    connections: Connections
    controls: Controls = field(init=False)
    do_not_send: DoNotSend = field(init=False)
    limits: OverallLimits = field(init=False)

    def __post_init__(self) -> None:
        store, desk, origin = self.connections.store, self.connections.desk, self.connections.origin("do_not_send")
        self.controls = Controls(store, desk, self.connections.routes.matcher, enabled=True)
        self.do_not_send = DoNotSend(store, desk, "" if origin == BUILT_IN else origin)
        self.limits = OverallLimits(store, self.connections.worker.ways.overall)

    async def load(self) -> None:
        """What is kept of routes, rules, Do Not Send and the limits over all."""
        await self.connections.routes.load()
        await self.controls.load()
        await self.do_not_send.load()
        await self.limits.load()

    def out(self, *, secrets: bool) -> dict[str, Any]:
        """What is kept, without what the configuration sets. Secrets that are left out are named."""
        desk, kept = self.connections.desk, self.connections.kept
        routes, tables = self.connections.routes, {name: self._table(name) for name in self.connections.kept}
        secret = [(name, key) for name in tables for key in self._secrets(name) if tables[name].get(key)]
        hidden = [] if secrets else secret
        return {
            "secondpost": FORMAT,
            "connections": {
                name: {key: value for key, value in table.items() if (name, key) not in hidden}
                for name, table in tables.items()
            },
            "primary": desk.primary if desk.primary in kept else None,
            "backup": desk.backup if desk.backup in kept else None,
            "smart_routing": {
                "enabled": routes.enabled, "routes": [routing.to_dict(rule) for rule in routes.kept.values()],
            },
            "email_controls": [routing.to_dict(rule) for rule in self.controls.kept.values()],
            "do_not_send": self.do_not_send.on,
            "limits": dict(self.limits.chosen),
            "secrets_left_out": [f"connections.{name}.{key}" for name, key in hidden],
        }  # fmt: skip

    def _secrets(self, name: str) -> list[str]:
        return sorted(self.connections.secrets_of(self.connections.known(name).mailer))

    def _table(self, name: str) -> dict[str, Any]:
        """A connection as a table of the configuration. A DSN is taken apart: it can hold a password anywhere."""
        kept, connection = dict(self.connections.kept[name]), self.connections.known(name)
        if kept.pop("dsn", None) is None:
            return kept
        return {"mailer": connection.mailer, **connection.settings} | kept

    async def take_in(self, document: Any) -> str:
        """Keep what a document says, and tell what that was. Connections that it does not name stay.

        Raises `SecondpostError`, and nothing was changed, when something in it is wrong.
        """
        given = _checked(document)
        tables: dict[str, Any] = given.get("connections", {})
        known = {*self.connections.desk.connections, *tables}
        routes, rules = self.connections.routes, given.get("email_controls", [])
        smart = given.get("smart_routing", {"enabled": routes.enabled, "routes": None})
        for entry in (*(smart["routes"] or []), *rules):
            routes.check(entry, known)
        rates = self.limits.checked(given["limits"]) if "limits" in given else None
        await self.connections.take_in(tables, primary=given.get("primary"), backup=given.get("backup"))
        if smart["routes"] is not None:
            await routes.replace_all(smart["routes"], enabled=bool(smart["enabled"]))
        if "email_controls" in given:
            await self.controls.replace_all(rules, enabled=True)
        if "do_not_send" in given and not self.do_not_send.origin:
            await self.do_not_send.set(on=given["do_not_send"] is True)
        if rates is not None:
            await self.limits.change(rates)
        return f"{len(tables)} connections, {len(smart['routes'] or [])} routes and {len(rules)} rules were imported."


def _checked(document: Any) -> Mapping[str, Any]:
    """The document, if it has the shape of one. Raises `SecondpostError`."""
    if not isinstance(document, dict) or document.get("secondpost") != FORMAT:
        raise SecondpostError('This is not an export of settings ("secondpost": 1 is missing). Nothing was changed.')
    if odd := sorted(document.keys() - KEYS):
        raise SecondpostError(f"The export has {odd[0]!r}, which is not known. Nothing was changed.")
    smart = document.get("smart_routing", {"enabled": False, "routes": []})
    shapes = {
        "connections": isinstance(document.get("connections", {}), dict)
        and all(isinstance(table, dict) for table in document.get("connections", {}).values()),
        "primary": isinstance(document.get("primary", ""), str | None),
        "backup": isinstance(document.get("backup", ""), str | None),
        "smart_routing": isinstance(smart, dict) and smart.keys() == {"enabled", "routes"} and _rules(smart["routes"]),
        "email_controls": _blocks(document.get("email_controls", [])),
        "limits": isinstance(document.get("limits", {}), dict),
    }
    for key, fine in shapes.items():
        if not fine:
            raise SecondpostError(f"The part {key!r} of the export cannot be read. Nothing was changed.")
    return document


def _rules(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(entry, dict) for entry in found)


def _blocks(found: Any) -> bool:
    return _rules(found) and all(entry.get("block") is True for entry in found)
