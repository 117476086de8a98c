"""The connections of a running gateway: kept, shown, and given their roles.

Rule: what the file or the environment sets is locked; what is in use is not removed without a replacement.
"""

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from secondpost.core import limits
from secondpost.core.connection import Connection
from secondpost.errors import SecondpostError
from secondpost.mailers.base import Mailer
from secondpost.service.desk import Desk
from secondpost.service.line import Line
from secondpost.service.routes import Routes
from secondpost.service.tokens import made
from secondpost.service.trial import Trials
from secondpost.service.worker import Worker
from secondpost.store.base import Store

KIND = "connection"
ROLES = "roles"
MASK = "••••••"
NOBODY = "none"  # as a replacement: the place of a backup stays empty


@dataclass(slots=True)
class Connections:
    """`fixed` come from the configuration, the rest from the store."""

    store: Store
    desk: Desk
    worker: Worker
    trials: Trials
    routes: Routes
    now: Callable[[], datetime]
    find: Callable[[str], type[Mailer]]
    parse: Callable[[str, Mapping[str, Any]], Connection]
    require: Callable[[Collection[str]], None]  # raises `ConfigError` when the configuration names what is not there
    origin: Callable[[str], str]
    fixed: dict[str, Connection]
    fixed_roles: dict[str, str]
    kept: dict[str, Any] = field(default_factory=dict)

    async def load(self) -> None:
        """Read the store's connections and put all of them to work."""
        self.kept = await self.store.all(KIND)
        self.require(self.kept)
        connections = {**{name: self.parse(name, kept) for name, kept in self.kept.items()}, **self.fixed}
        roles = {role: kept["name"] or "" for role, kept in (await self.store.all(ROLES)).items()} | self.fixed_roles
        primary = roles.get("primary", "")
        backup = roles.get("backup", "")
        replaced = await self._staff(connections)
        self.desk.arrange(
            connections,
            primary=primary if primary in connections else next(iter(connections), ""),
            backup=backup if backup in connections else "",
        )
        self.worker.ways.ordinary = self.desk.ordinary.connections
        for line in replaced:
            await self._retire(line)

    async def reload(
        self,
        fixed: dict[str, Connection],
        fixed_roles: dict[str, str],
        *,
        require: Callable[[Collection[str]], None],
        origin: Callable[[str], str],
    ) -> None:
        """Take up another configuration, or leave all as it is. Raises `SecondpostError`."""
        before = self.fixed, self.fixed_roles, self.require, self.origin
        self.fixed, self.fixed_roles, self.require, self.origin = fixed, fixed_roles, require, origin
        try:
            await self.load()
        except BaseException:
            self.fixed, self.fixed_roles, self.require, self.origin = before
            raise

    async def _staff(self, connections: Mapping[str, Connection]) -> list[Line]:
        """Give every connection a line. Returns those whose connection is gone or has other settings now."""
        lines = self.worker.ways.lines
        replaced = [line for name, line in lines.items() if connections.get(name) != line.connection]
        lines |= {
            name: await self._line(connection)
            for name, connection in connections.items()
            if name not in lines or lines[name] in replaced
        }
        return replaced

    async def _line(self, connection: Connection) -> Line:
        limiter = limits.Limiter(limits=connection.limits)
        line = Line(connection, made(self.find, connection, self.store), limiter=limiter)
        await self.trials.restore(line)
        return line

    async def _retire(self, line: Line) -> None:
        """Its waiting mail goes another way; what it carries now ends by itself."""
        if self.worker.ways.lines.get(line.name) is line:
            del self.worker.ways.lines[line.name]
        line.retired = True
        self.worker.reroute(line, self.now())
        line.dismiss()
        await line.mailer.close()

    # Showing -------------------------------------------------------------------------------------------------------

    def show(self) -> list[dict[str, Any]]:
        return [self.row(connection) for connection in self.desk.connections.values()]

    def titles(self) -> dict[str, str]:
        """What people call each connection, by its name."""
        return {name: it.titled(self.find(it.mailer).title) for name, it in self.desk.connections.items()}

    def row(self, connection: Connection) -> dict[str, Any]:
        mailer = self.find(connection.mailer)
        secret = self.secrets_of(connection.mailer)
        settings = {
            name: (MASK if value else "") if name in secret else value for name, value in connection.settings.items()
        }
        return {
            "name": connection.name,
            "nickname": connection.nickname,
            "mailer": connection.mailer,
            "title": connection.titled(mailer.title),
            "role": self._role(connection.name),
            "enabled": connection.enabled,
            "origin": connection.origin,
            "locked": connection.name in self.fixed,
            "state": self.worker.ways.lines[connection.name].breaker.state.value,
            "settings": settings,
        }

    def secrets_of(self, mailer: str) -> frozenset[str]:
        """The settings of a mailer that are never shown."""
        return frozenset(setting.name for setting in self.find(mailer).settings if setting.kind == "secret")

    def _role(self, name: str) -> str:
        if name == self.desk.primary:
            return "primary"
        return "backup" if name == self.desk.backup else "additional"

    def backup(self) -> dict[str, Any]:
        locked = "backup" in self.fixed_roles
        return {"backup": self.desk.backup or None, "locked": locked, "origin": self.origin("backup")}

    # Changing ------------------------------------------------------------------------------------------------------

    def known(self, name: str) -> Connection:
        """Raises `SecondpostError` naming those that exist."""
        try:
            return self.desk.connections[name]
        except KeyError:
            names = ", ".join(self.desk.connections) or "none"
            raise SecondpostError(f"There is no connection {name!r}. Connections: {names}.") from None

    async def add(self, name: str, **fields: Any) -> dict[str, Any]:
        """Keep a new connection and put it to work."""
        if name in self.desk.connections:
            raise SecondpostError(f"There is already a connection {name!r}. Choose another name, or remove it first.")
        self._check(name, fields)
        await self.store.put(KIND, name, fields)
        await self._keep_primary(name)
        await self.load()
        return self.row(self.known(name))

    async def create(self, fields: Mapping[str, Any], *, primary: bool = False) -> str:
        """Keep a new connection under a name of our own, as primary if asked. Returns the name."""
        name = f"{fields['mailer']}-{secrets.token_hex(2)}"
        if name in self.desk.connections:
            return await self.create(fields, primary=primary)
        if primary and "primary" in self.fixed_roles:
            raise _fixed("The Primary Connection")
        self._check(name, fields)
        await self.store.put(KIND, name, dict(fields))
        if primary:
            await self._give("primary", name)
        elif "primary" not in self.fixed_roles and not await self.store.get(ROLES, "primary"):
            await self._give("primary", self.desk.primary)  # an additional connection takes no role by itself
        await self.load()
        return name

    async def take_in(self, tables: Mapping[str, Any], *, primary: str | None, backup: str | None) -> None:
        """Keep these connections and roles. A secret that is not given stays. All is checked before any is kept."""
        whole = {name: self._with_secrets(name, table) for name, table in tables.items()}
        roles = {role: name for role, name in (("primary", primary), ("backup", backup)) if name}
        self._check_together(whole, roles)
        for name, table in whole.items():
            await self.store.put(KIND, name, table)
        for role in roles.keys() - self.fixed_roles.keys():
            await self._give(role, roles[role])
        await self.load()

    def _check_together(self, tables: Mapping[str, Mapping[str, Any]], roles: Mapping[str, str]) -> None:
        """Raises `SecondpostError` when these cannot be kept beside what there is."""
        known = {*self.desk.connections, *tables}
        for name, table in tables.items():
            if name in self.fixed:
                raise SecondpostError(f"The connection {name!r} is set by the configuration. Nothing was changed.")
            for backup in self.parse(name, table).backups:
                if backup not in known or backup == name:
                    raise SecondpostError(f"{backup!r} cannot be a backup of {name!r}. Nothing was changed.")
        for name in roles.values():
            if name not in known or [*roles.values()].count(name) > 1:
                raise SecondpostError(f"{name!r} cannot have that role. Nothing was changed.")

    def _with_secrets(self, name: str, table: Mapping[str, Any]) -> dict[str, Any]:
        kept = self.kept.get(name, {})
        mailer = str(table.get("mailer", ""))
        if kept.get("mailer") != mailer:
            return dict(table)
        return {key: kept[key] for key in self.secrets_of(mailer) if key in kept} | dict(table)

    async def change(self, name: str, fields: Mapping[str, Any]) -> None:
        """Give a connection other settings. Its waiting mail goes by them, or another way."""
        self._open(name)
        self._check(name, fields)
        if not fields.get("enabled", True) and (uses := self.uses(name)):
            raise SecondpostError(
                f"The connection {name!r} is in use ({', '.join(uses)}) and was not switched off. "
                "Choose another for that first."
            )
        await self.store.put(KIND, name, dict(fields))
        await self.load()

    def _check(self, name: str, fields: Mapping[str, Any]) -> None:
        """Raises `SecondpostError` when a connection cannot be kept so."""
        for backup in self.parse(name, fields).backups:
            if backup == name:
                raise SecondpostError("A connection cannot be its own backup. Choose another one.")
            self.known(backup)

    def _open(self, name: str) -> None:
        """Raises `SecondpostError` when it is not ours to change."""
        self.known(name)
        if name in self.fixed:
            raise _fixed(f"The connection {name!r}")

    async def _keep_primary(self, added: str) -> None:
        """The first connection that a person adds is primary, and stays so whatever comes before it in the list."""
        if "primary" not in self.fixed_roles and not await self.store.get(ROLES, "primary"):
            await self._give("primary", self.desk.primary if self.desk.primary in self.kept else added)

    async def _give(self, role: str, name: str | None) -> None:
        await self.store.put(ROLES, role, {"name": name})

    async def remove(self, name: str, replacement: str | None) -> None:
        """Forget a connection. Its waiting mail takes the ordinary route."""
        await self._release(name, replacement)
        await self.store.delete(KIND, name)
        await self.load()

    async def disable(self, name: str, replacement: str | None) -> None:
        """Switch a connection off. Its waiting mail takes another way."""
        await self._release(name, replacement)
        await self.change(name, {**self.kept[name], "enabled": False})

    async def _release(self, name: str, replacement: str | None) -> None:
        """Give its uses to another connection. The backup that becomes primary leaves no backup."""
        self._open(name)
        self.require(self.kept.keys() - {name})
        if not (uses := self.uses(name)):
            return
        if replacement is None:
            raise SecondpostError(
                f"The connection {name!r} is in use ({', '.join(uses)}). Name a replacement with --replacement."
            )
        self._check_replacement(name, replacement)
        await self.routes.replace(name, "" if replacement == NOBODY else replacement)
        await self._replace_in_chains(name, replacement)
        if name == self.desk.backup:
            await self._give("backup", None if replacement == NOBODY else replacement)
        if name == self.desk.primary:
            await self._give("primary", replacement)
            if replacement == self.desk.backup and "backup" not in self.fixed_roles:
                await self._give("backup", None)
        await self.load()

    def _check_replacement(self, name: str, replacement: str) -> None:
        """Raises `SecondpostError` when it cannot take the place, before anything is changed."""
        if replacement == name:
            raise SecondpostError(f"{name!r} cannot replace itself. Name another connection with --replacement.")
        if replacement == NOBODY:
            if name == self.desk.primary or self.routes.leads_to(name):
                raise SecondpostError(f"{name!r} carries mail first: its place cannot stay empty. Choose another.")
        elif name == self.desk.backup:
            self.check_backup(replacement)
        elif not self.known(replacement).enabled:
            raise SecondpostError(f"{replacement!r} is switched off. Switch it on first, or choose another.")

    async def _replace_in_chains(self, name: str, replacement: str) -> None:
        """In other connections' own backup chains; a connection is no backup of itself."""
        for other, kept in self.kept.items():
            if other != name and name in (chain := kept.get("backups", ())):
                places = dict.fromkeys(replacement if one == name else one for one in chain)
                left = [one for one in places if one not in {other, NOBODY}]
                await self.store.put(KIND, other, {**kept, "backups": left})

    def uses(self, name: str) -> Sequence[str]:
        uses = ["primary"] if name == self.desk.primary else []
        if name == self.desk.backup:
            uses.append("backup")
        uses += self.routes.uses(name)
        return uses + [f"backup of {one.name}" for one in self.desk.connections.values() if name in one.backups]

    async def set_backup(self, name: str | None) -> dict[str, Any]:
        """Choose the Backup Connection, or none."""
        if "backup" in self.fixed_roles:
            raise _fixed("The Backup Connection")
        if name is not None:
            self.check_backup(name)
        await self._give("backup", name)
        await self.load()
        return self.backup()

    def check_backup(self, name: str) -> None:
        """Raises `SecondpostError` when this connection cannot be the backup."""
        if not self.known(name).enabled:
            raise SecondpostError(f"{name!r} is switched off. Switch it on first, or choose another.")
        if name == self.desk.primary:
            raise SecondpostError(f"{name!r} is the Primary Connection; the backup must be another one.")


def _fixed(what: str) -> SecondpostError:
    return SecondpostError(f"{what} is set by the configuration file or the environment: change it there.")
