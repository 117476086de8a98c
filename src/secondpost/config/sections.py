"""The sections of a configuration, checked, with the rules that concern more than one setting.

Rule: nothing here raises; every fault goes to `Faults`, and reading goes on.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from secondpost.config import connections as tables
from secondpost.config import reading
from secondpost.config.faults import Faults, clip, unknown
from secondpost.config.kinds import Listener
from secondpost.config.layers import BUILT_IN, Tree
from secondpost.config.settings import PRIORITIES, Http, PriorityTable, Sendmail, Smtp, Table
from secondpost.core.connection import Connection
from secondpost.core.priority import DEFAULTS, Policy, Priority, WhenUnclear
from secondpost.errors import ConfigError

T = TypeVar("T", bound=Table)


def section(model: type[T], name: str, tree: Tree, faults: Faults) -> T:
    """One section by its declaration."""
    return reading.read(model, tree.values.get(name, {}), name, faults, partial(tree.origin, name))


def smtp(tree: Tree, faults: Faults) -> Smtp:
    """[smtp]: certificate and key belong together, and TLS needs both."""
    found = section(Smtp, "smtp", tree, faults)
    paths = {
        key: tree.resolve(path, "smtp", key) for key in ("tls_certificate", "tls_key") if (path := getattr(found, key))
    }
    if len(paths) == 1:
        missing = "tls_key" if "tls_certificate" in paths else "tls_certificate"
        faults.add(f"smtp.{missing}", tree.origin("smtp"), "is missing: tls_certificate and tls_key belong together")
    if not paths and any(listener.tls for listener in found.listen):
        text = 'tls = "implicit" needs tls_certificate and tls_key as well'
        faults.add("smtp.listen", tree.origin("smtp", "listen"), text)
    return found.model_copy(update=paths)


def sendmail(tree: Tree, faults: Faults, data_dir: Path) -> Sendmail:
    """[sendmail]: paths become whole; what others shall reach cannot be in the data folder."""
    found = section(Sendmail, "sendmail", tree, faults)
    paths = {key: _in_data(tree, key, path, data_dir) for key in ("socket", "spool") if (path := getattr(found, key))}
    if found.access != "owner":
        for key in [key for key, path in paths.items() if path.is_relative_to(data_dir)]:
            text = (
                f"{clip(paths[key])} is in data_dir, where others cannot get; set it to a path such as "
                '"/run/secondpost/sendmail.sock" or "/var/spool/secondpost", or "off"'
            )
            faults.add(f"sendmail.{key}", tree.origin("sendmail", "access"), text)
    return found.model_copy(update=paths)


def _in_data(tree: Tree, key: str, path: Path, data_dir: Path) -> Path:
    return tree.resolve(path, "sendmail", key) if tree.origin("sendmail", key) != BUILT_IN else data_dir / path


def http(tree: Tree, faults: Faults) -> Http:
    """[http]: the public URL follows from the listener unless it is given."""
    found = section(Http, "http", tree, faults)
    for key, door in (("listen", found.listen), ("metrics", found.metrics)):
        if door is not None and door.tls:
            text = "TLS for HTTP is done by a proxy in front; leave tls out"
            faults.add(f"http.{key}", tree.origin("http", key), text)
    if found.listen is None:
        return found
    url = found.public_url or _url(found.listen)
    return found.model_copy(update={"public_url": url.rstrip("/")})


def _url(listener: Listener) -> str:
    here = listener.is_loopback or listener.host in ("0.0.0.0", "::")  # noqa: S104  # told apart, not listened on
    return f"http://{replace(listener, host='localhost') if here else listener}"


def policies(tree: Tree, faults: Faults) -> Mapping[Priority, Policy]:
    """[priority.*]: the built-in policies with what was changed."""
    given = tree.values.get("priority", {})
    if not isinstance(given, dict):
        faults.add("priority", tree.origin("priority"), "must be a table such as [priority.urgent]")
        return DEFAULTS
    for name in given.keys() - set(PRIORITIES):
        faults.add(f"priority.{name}", tree.origin("priority", name), unknown("priority", name, PRIORITIES))
    return MappingProxyType({priority: _policy(priority, given, tree, faults) for priority in Priority})


def _policy(priority: Priority, given: Mapping[str, Any], tree: Tree, faults: Faults) -> Policy:
    name = priority.label
    found = reading.read(
        PriorityTable, given.get(name, {}), f"priority.{name}", faults, partial(tree.origin, "priority", name)
    )
    changes: dict[str, Any] = {key: value for key, value in found if value is not None}
    for key, word in (("patience", "unlimited"), ("hedge_after", "off")):
        if changes.get(key) == word:
            changes[key] = None
    if "when_unclear" in changes:
        changes["when_unclear"] = WhenUnclear(changes["when_unclear"])
    return replace(DEFAULTS[priority], **changes)


def connections(tree: Tree, faults: Faults) -> dict[str, Connection]:
    """[connections.*] in the order of the file."""
    given = tree.values.get("connections", {})
    if not isinstance(given, dict):
        faults.add("connections", tree.origin("connections"), "must be a table such as [connections.main]")
        return {}
    found = {}
    for name, table in given.items():
        connection = tables.check(name, table, faults, partial(tree.origin, "connections", name))
        if connection is not None:
            found[name] = connection
    return found


def routes(found: tuple[dict[str, Any], ...], tree: Tree, faults: Faults) -> tuple[Mapping[str, Any], ...]:
    """[[routes]]: kept as plain tables; here they are only tried."""
    if found:
        from secondpost.core import routing

        for number, table in enumerate(found, 1):
            try:
                routing.parse(table)
            except ConfigError as error:
                faults.add(f"routes, number {number}", tree.origin("routes"), str(error))
    return tuple(found)


def database(value: str, tree: Tree, faults: Faults) -> str:
    """Which database; its URL may hold a password, so messages show the scheme only."""
    origin = tree.origin("database")
    scheme, separator, rest = value.partition("://")
    if value == "sqlite" or (scheme == "sqlite" and rest in ("", "/")):
        return "sqlite"
    if scheme in ("postgresql", "postgres") and rest.strip("/") and rest.isprintable():
        return value
    if scheme == "sqlite" and separator:
        faults.add("database", origin, 'write "sqlite": the file is kept in data_dir, apart from your app\'s own')
        return "sqlite"
    own = " (to leave that variable to your app, set SECONDPOST_DATABASE=sqlite)" if "DATABASE_URL" in origin else ""
    shown = clip(scheme) if separator else "this"
    faults.add("database", origin, f'must be "sqlite" or "postgresql://user:password@host/database", not {shown}{own}')
    return "sqlite"
