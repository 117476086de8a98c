"""The configuration: command line > environment > file > the database (applied by the service) > built-in.

Rule: reading it tells all faults at once and changes nothing; what comes out never changes.
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from secondpost.config import dsn, layers, reading, sections
from secondpost.config.connections import build
from secondpost.config.faults import Faults, clip, unknown
from secondpost.config.kinds import Listener
from secondpost.config.layers import BUILT_IN, Tree
from secondpost.config.settings import SECRETS, SECTIONS, General, Http, Log, Sendmail, Smtp, Worker
from secondpost.core.connection import Connection
from secondpost.core.priority import Policy, Priority

__all__ = ["Config", "Http", "Listener", "Log", "Sendmail", "Smtp", "Worker", "build", "load"]

INBOX = Connection(name="inbox", mailer="capture", nickname="Inbox", origin=BUILT_IN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that is configured, as one value. Names may be those of connections in the database: see `require`."""

    data_dir: Path
    database: str = field(repr=False)
    primary: str
    backup: str | None
    do_not_send: bool
    non_delivery_reports: bool
    smtp: Smtp
    sendmail: Sendmail
    http: Http
    worker: Worker
    log: Log
    policies: Mapping[Priority, Policy]
    connections: Mapping[str, Connection] = field(repr=False)
    routes: tuple[Mapping[str, Any], ...] = ()
    file: str = ""
    origins: Mapping[tuple[str, ...], str] = field(default_factory=dict, repr=False)

    def origin(self, path: str) -> str:
        """Where a setting came from: "built-in", the file, "environment NAME" or "command line --option"."""
        return Tree(origins=dict(self.origins)).origin(*path.split("."))

    def locked(self, path: str) -> bool:
        """Whether file, environment or command line set it, so that the database has no say."""
        return self.origin(path) != BUILT_IN

    def connection(self, name: str, table: Mapping[str, Any]) -> Connection:
        """A connection that is not in this configuration, from plain values. Raises ConfigError."""
        return build(name, table)

    def require(self, stored: Collection[str] = ()) -> None:
        """Check that every connection named here exists, given the names in the database. Raises ConfigError."""
        faults, known = Faults(), {*self.connections, *stored}
        named = [("primary", self.primary), ("backup", self.backup or "")]
        named += [(f"connections.{c.name}.backups", name) for c in self.connections.values() for name in c.backups]
        for route in self.routes:
            named += [("routes", name) for name in (route.get("connection", ""), *route.get("backups", ()))]
        for path, name in named:
            if name and name not in known:
                faults.add(path, self.origin(path), unknown("connection", name, known))
        faults.check()


def load(
    *, file: Path | None = None, environ: Mapping[str, str] | None = None, overrides: Mapping[str, Any] | None = None
) -> Config:
    """Read all layers above the database. `overrides` are the command line's, by dotted path. Raises ConfigError."""
    environ = os.environ if environ is None else environ
    faults = Faults()
    tree = layers.read(file, environ, overrides or {}, faults)
    _reveal(tree.values, (), environ, tree, faults)
    _connect_dsns(tree, faults)
    config = _config(tree, faults)
    faults.check()
    return config


def _reveal(
    table: dict[str, Any], above: tuple[str, ...], environ: Mapping[str, str], tree: Tree, faults: Faults
) -> None:
    """Put the values of { env = … } and { file = … } in their places: at the top, and in connections."""
    keys = table.keys() & SECRETS if not above else list(table)
    for key in keys:
        path = (*above, key)
        folder = tree.folder if tree.origin(*path) == tree.file else Path()
        try:
            table[key] = layers.reveal(table[key], environ, folder)
        except ValueError as error:
            faults.add(".".join(path), tree.origin(*path), str(error))
            table[key] = "?"  # so that it is not reported as missing, too
    if not above and isinstance(found := table.get("connections"), dict):
        for name, inner in found.items():
            if isinstance(inner, dict):
                _reveal(inner, ("connections", name), environ, tree, faults)


def _connect_dsns(tree: Tree, faults: Faults) -> None:
    """`primary` and `backup` may be DSNs: these make the connections "primary" and "backup"."""
    for role in ("primary", "backup"):
        value = tree.values.get(role)
        if not isinstance(value, str) or not dsn.looks_like(value):
            continue
        origin, tables = tree.origin(role), tree.values.get("connections")
        if isinstance(tables, dict) and role in tables:
            faults.add(role, origin, f"is a DSN, and there is a connection named {role} too; rename that one")
            continue
        tree.set(("connections", role), {"dsn": value}, origin)
        tree.values[role] = role


def _config(tree: Tree, faults: Faults) -> Config:
    top = {key: value for key, value in tree.values.items() if key not in {*SECTIONS, "connections", "priority"}}
    general = reading.read(General, top, "", faults, tree.origin)
    found = sections.connections(tree, faults)
    data_dir = tree.resolve(general.data_dir, "data_dir")
    config = Config(
        data_dir=data_dir,
        database=sections.database(general.database, tree, faults),
        primary=general.primary or next(iter(found), INBOX.name),
        backup=general.backup if general.backup not in ("", "none") else None,
        do_not_send=general.do_not_send,
        non_delivery_reports=general.non_delivery_reports,
        smtp=sections.smtp(tree, faults),
        sendmail=sections.sendmail(tree, faults, data_dir),
        http=sections.http(tree, faults),
        worker=sections.section(Worker, "worker", tree, faults),
        log=sections.section(Log, "log", tree, faults),
        policies=sections.policies(tree, faults),
        connections=MappingProxyType(found),
        routes=sections.routes(general.routes, tree, faults),
        file=tree.file,
        origins=MappingProxyType(dict(tree.origins)),
    )
    if config.backup and config.backup == config.primary:
        faults.add(
            "backup", tree.origin("backup"), f"{clip(config.backup)} is the Primary Connection itself; choose another"
        )
    inbox = not found or INBOX.name in (config.primary, config.backup)
    return replace(config, connections=MappingProxyType({INBOX.name: INBOX, **found})) if inbox else config
