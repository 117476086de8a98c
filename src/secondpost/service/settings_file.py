"""The settings as one JSON document, to keep or to move elsewhere.

Rule: no secret is in it; where one belongs is named, so that it can be filled in.
"""

from datetime import datetime
from typing import Any

from secondpost import __version__
from secondpost.core import routing
from secondpost.service.connections import Connections
from secondpost.service.present import iso


def exported(connections: Connections, now: datetime) -> dict[str, Any]:
    """What people have set; what file and environment set is kept there."""
    missing: list[str] = []
    tables = {name: _table(connections, name, missing) for name in connections.kept}
    return {
        "secondpost": __version__,
        "exported": iso(now),
        "connections": tables,
        "primary": connections.desk.primary,
        "backup": connections.desk.backup or None,
        "smart_routing": connections.routes.enabled,
        "routes": [routing.to_dict(rule) for rule in connections.routes.kept.values()],
        "secrets_left_out": missing,
    }


def _table(connections: Connections, name: str, missing: list[str]) -> dict[str, Any]:
    """One connection as a table of the configuration. A DSN is taken apart: it can hold a password anywhere."""
    kept, connection = connections.kept[name], connections.known(name)
    settings = dict(connection.settings) if "dsn" in kept else {}
    table = {"mailer": connection.mailer} | settings | {key: value for key, value in kept.items() if key != "dsn"}
    secret = {one.name for one in connections.find(connection.mailer).settings if one.kind == "secret"}
    missing.extend(f"connections.{name}.{key}" for key in sorted(secret) if table.get(key))
    return {key: value for key, value in table.items() if key not in secret}
