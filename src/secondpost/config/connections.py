"""Connections: from a table (or a DSN) to the `Connection` that the rules know, its mailer's settings checked.

Rule: what the mailer does not declare is refused with the name that was probably meant.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from secondpost.config import catalog, dsn, reading
from secondpost.config.faults import Faults, clip, unknown
from secondpost.config.settings import ConnectionTable
from secondpost.core.connection import Connection, FromRules, Limits, Timeouts
from secondpost.errors import ConfigError

if TYPE_CHECKING:
    from secondpost.mailers.base import Setting

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_ADDRESS = re.compile(r"[^\s@<>,;\"]{1,64}@[^\s@<>,;\"]{1,255}")
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
Value = str | int | bool
Origin = Callable[..., str]


def build(name: str, table: Mapping[str, Any], *, origin: str = "database") -> Connection:
    """A connection from plain values, as the web admin and `connections add` give them. Raises ConfigError."""
    faults = Faults()
    connection = check(name, table, faults, lambda *_: origin)
    faults.check()
    assert connection is not None
    return connection


def check(name: str, table: Any, faults: Faults, origin: Origin) -> Connection | None:
    """The connection, or None and at least one fault."""
    path = f"connections.{name}"
    if not _NAME.fullmatch(name) or name == "none":
        faults.add(
            path, origin(), 'a connection\'s name is made of a–z, 0–9, "-" and "_", at most 63; it is not "none"'
        )
    if not isinstance(table, Mapping):
        faults.add(path, origin(), f"must be a table with the connection's settings, not {clip(table)}")
        return None
    given = _expand(path, table, faults, origin)
    shared = {key: given.pop(key) for key in list(given) if key in ConnectionTable.model_fields}
    found = reading.read(ConnectionTable, shared, path, faults, origin)
    _check_from(path, found, faults, origin)
    if not found.mailer and "dsn" not in table:
        faults.add(f"{path}.mailer", origin(), 'is missing: write mailer = "smtp", for example, or a whole dsn')
    settings = _settings(path, found.mailer, given, faults, origin) if found.mailer else {}
    return None if faults.within(path) else _tried(_connection(name, found, settings, origin()), faults)


def _tried(connection: Connection, faults: Faults) -> Connection:
    """The mailer has the last word on what its settings mean together."""
    try:
        catalog.make(connection)
    except ConfigError as error:
        faults.add(f"connections.{connection.name}", connection.origin, str(error))
    return connection


def _expand(path: str, table: Mapping[str, Any], faults: Faults, origin: Origin) -> dict[str, Any]:
    """The table with its DSN taken apart; what stands beside the DSN wins over it."""
    if "dsn" not in table:
        return dict(table)
    rest = {key: value for key, value in table.items() if key != "dsn"}
    try:
        if "mailer" in rest:
            raise ValueError("give either dsn or mailer, not both")
        return dsn.table(_text(table["dsn"])) | rest
    except ValueError as error:
        faults.add(f"{path}.dsn", origin("dsn"), str(error))
        return {key: value for key, value in rest.items() if key in ConnectionTable.model_fields}


def _check_from(path: str, table: ConnectionTable, faults: Faults, origin: Origin) -> None:
    if table.from_email and not _ADDRESS.fullmatch(table.from_email):
        text = f"must be one address such as shop@example.com, not {clip(table.from_email)}"
        faults.add(f"{path}.from_email", origin("from_email"), text)
    for key in ("from_name", "nickname"):
        if not getattr(table, key).isprintable():
            faults.add(f"{path}.{key}", origin(key), "must be one line without control characters")


def _settings(path: str, mailer: str, given: Mapping[str, Any], faults: Faults, origin: Origin) -> dict[str, Value]:
    """The mailer's own settings, with its defaults."""
    try:
        declared = {setting.name: setting for setting in catalog.settings(mailer)}
    except (KeyError, ConfigError):
        faults.add(f"{path}.mailer", origin("mailer"), unknown("mailer", mailer, catalog.names()))
        return {}
    for key in given.keys() - declared.keys():
        known = [*declared, *ConnectionTable.model_fields, "dsn"]
        faults.add(f"{path}.{key}", origin(key), unknown("setting", key, known))
    found: dict[str, Value] = {}
    for name, setting in declared.items():
        try:
            found[name] = _value(setting, given.get(name))
        except ValueError as error:
            faults.add(f"{path}.{name}", origin(name) if name in given else origin(), str(error))
    return found


def _value(setting: "Setting", value: Any) -> Value:
    if value is None or value == "":
        if setting.required and setting.default == "":
            raise ValueError(f"is missing: {setting.label}" + (f" ({setting.help})" if setting.help else ""))
        return setting.default
    match setting.kind:
        case "number":
            return _number(setting.name, value)
        case "toggle":
            return _toggle(value)
        case "choice":
            if value not in setting.choices:
                raise ValueError(f"must be one of {', '.join(setting.choices)}, not {clip(value)}")
            return str(value)
        case _:
            return _text(value)


def _number(name: str, value: Any) -> int:
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise ValueError(f"must be a whole number, not {clip(value)}")
    if name == "port" and int(text) > 65_535:
        raise ValueError(f"must be a port, at most 65535, not {text}")
    return int(text)


def _toggle(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _WORDS:
        return _WORDS[value.strip().lower()]
    raise ValueError(f"must be true or false, not {clip(value)}")


def _text(value: Any) -> str:
    """Never repeats the value: it may be a secret."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else "\0"
    if "\0" in text:
        raise ValueError('must be text, { env = "VARIABLE" } or { file = "NAME" }')
    return text


def _connection(name: str, table: ConnectionTable, settings: Mapping[str, Value], origin: str) -> Connection:
    return Connection(
        name=name,
        mailer=table.mailer,
        nickname=table.nickname,
        settings=MappingProxyType(dict(settings)),
        sender=FromRules(
            email=table.from_email,
            force_email=table.force_from_email,
            name=table.from_name,
            force_name=table.force_from_name,
            return_path=table.return_path,
        ),
        limits=Limits(**dict(table.limits)),
        timeouts=Timeouts(**dict(table.timeouts)),
        backups=table.backups,
        enabled=table.enabled,
        origin=origin,
    )
