"""The configuration for people: every setting with its value, where it came from, and its sentence.

Rule: a secret is never shown, not even in part.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from secondpost.config import Config, catalog
from secondpost.config.kinds import Listener, span_text
from secondpost.config.settings import SECTIONS, ConnectionTable, General, LimitsTable, PriorityTable, TimeoutsTable
from secondpost.core.connection import Connection

if TYPE_CHECKING:
    from secondpost.mailers.base import Setting

MASK = "********"
Plain = str | int | bool | list[Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One setting as it is shown."""

    path: str
    value: Plain
    origin: str
    help: str


def shown(config: Config) -> list[Shown]:
    """All settings in the order of the declarations."""
    return [
        Shown(path=path, value=_plain(value), origin=config.origin(path), help=help_)
        for path, value, help_ in _all(config)
    ]


def _all(config: Config) -> Iterator[tuple[str, Any, str]]:
    for key, field in General.model_fields.items():
        value = without_password(config.database) if key == "database" else getattr(config, key)
        yield key, value, field.description or ""
    for name, model in SECTIONS.items():
        for key, field in model.model_fields.items():
            yield f"{name}.{key}", getattr(getattr(config, name), key), field.description or ""
    for priority, policy in config.policies.items():
        for key, field in PriorityTable.model_fields.items():
            word = {"patience": "unlimited", "hedge_after": "off"}.get(key)
            yield f"priority.{priority.label}.{key}", getattr(policy, key) or word, field.description or ""
    for connection in config.connections.values():
        yield from _connection(connection)


def _connection(connection: Connection) -> Iterator[tuple[str, Any, str]]:
    path, sender = f"connections.{connection.name}", connection.sender
    values = {
        "mailer": connection.mailer, "nickname": connection.nickname, "enabled": connection.enabled,
        "from_email": sender.email, "force_from_email": sender.force_email,
        "from_name": sender.name, "force_from_name": sender.force_name,
        "return_path": sender.return_path, "backups": connection.backups,
    }  # fmt: skip
    for key, value in values.items():
        yield f"{path}.{key}", value, ConnectionTable.model_fields[key].description or ""
    for group, model in (("limits", LimitsTable), ("timeouts", TimeoutsTable)):
        for key, field in model.model_fields.items():
            yield f"{path}.{group}.{key}", getattr(getattr(connection, group), key), field.description or ""
    if connection.settings:
        declared = {setting.name: setting for setting in catalog.settings(connection.mailer)}
        for key, value in masked(connection.settings, declared).items():
            yield f"{path}.{key}", value, declared[key].label if key in declared else ""


def masked(settings: Mapping[str, Any], declared: "Mapping[str, Setting]") -> dict[str, Any]:
    """A mailer's settings without its secrets. What is not declared counts as secret."""
    return {
        key: MASK if value and (key not in declared or declared[key].kind == "secret") else value
        for key, value in settings.items()
    }


def without_password(url: str) -> str:
    """A database URL that can be shown: no password, and no options, which may hold one."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    try:
        parts = urlsplit(f"//{rest}")
        user = f"{parts.username}:{MASK}@" if parts.password else f"{parts.username}@" if parts.username else ""
        return f"{scheme}://{user}{parts.netloc.rpartition('@')[2]}{parts.path}" + ("?…" if parts.query else "")
    except ValueError:
        return f"{scheme}://{MASK}"


def _plain(value: Any) -> Plain:
    match value:
        case timedelta():
            return span_text(value)
        case Enum():
            return str(value.value)
        case Path() | Listener():
            return str(value)
        case tuple() | list():
            return [_plain(item) for item in value]
        case dict() | Mapping():
            return str(dict(value))
        case _:
            return value  # type: ignore[no-any-return]  # text, numbers, booleans, None
