"""The connections of an office: what people add to them, and what a configuration would fix."""

import re
from types import MappingProxyType
from typing import Any

from secondpost.core.connection import Connection, FromRules
from secondpost.errors import ConfigError
from secondpost.service.connections import Connections
from secondpost.service.routes import Routes
from tests.service.conftest import Office, ScriptedMailer


def parse(name: str, fields: Any) -> Connection:
    if fields.get("mailer") != "scripted":
        raise ConfigError(f"connections.{name}.mailer: unknown mailer.")
    settings = {
        key: value for key, value in fields.items() if key not in ("mailer", "nickname", "enabled", "sender", "backups")
    }
    return Connection(
        name=name,
        mailer="scripted",
        nickname=fields.get("nickname", ""),
        enabled=fields.get("enabled", True),
        backups=tuple(fields.get("backups", ())),
        sender=FromRules(email=fields.get("sender", "")),
        settings=MappingProxyType(settings),
    )


def matcher(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


def connections_of(office: Office, *fixed: str, named: tuple[str, ...] = (), **roles: str) -> Connections:
    """The connections of an office, of which `fixed` and `roles` come from the configuration, which names `named`."""

    class Kept(ScriptedMailer):
        def __init__(self, connection: Connection) -> None:
            super().__init__(connection)
            office.mailers[connection.name] = self

    def require(stored):
        if missing := set(named) - {*fixed, *stored}:
            raise ConfigError(f"routes: unknown connection {missing}.")

    office.connect(primary="", backup="")
    return Connections(
        store=office.store, desk=office.desk, worker=office.worker, trials=office.trials, now=office.clock,
        routes=Routes(office.store, office.desk, matcher),
        find=lambda _: Kept, parse=parse, require=require, origin=lambda path: f"the file ({path})",
        fixed={name: parse(name, {"mailer": "scripted"}) for name in fixed}, fixed_roles=roles,
    )  # fmt: skip


async def three_connections(office: Office) -> Connections:
    """Three connections that people added: main, second, third; main is primary, second is backup."""
    connections = connections_of(office)
    for name in ("main", "second", "third"):
        await connections.add(name, mailer="scripted", token="secret")
    await connections.set_backup("second")
    return connections
