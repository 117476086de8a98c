"""reference/configuration.md: every setting, as `config/settings.py` and the mailers declare it."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from made.tables import code, table, toml
from secondpost import mailers
from secondpost.config import settings
from secondpost.config.kinds import Listener
from secondpost.core.conditions import Operator
from secondpost.core.facts import Property
from secondpost.core.priority import DEFAULTS
from secondpost.mailers.base import Setting
from secondpost.mailers.presets import PROVIDERS

HEADS = ("setting", "built-in", "kind", "what it is")
KINDS: dict[Any, str] = {
    bool: "true or false", int: "number", str: "text", timedelta: "span", Path: "path", Listener: "`host:port`",
}  # fmt: skip
LISTED = {"text": "texts", "table": "tables"}


def part() -> str:
    return "\n\n".join(_chapters())


def _chapters() -> Iterator[str]:
    yield "## At the top of the file"
    yield _table(settings.General)
    for model in settings.SECTIONS.values():
        yield from _section(model)
    yield "## [priority.urgent], [priority.normal], [priority.bulk]"
    yield _policies()
    yield from _section(settings.ConnectionTable)
    for name, model in (("limits", settings.LimitsTable), ("timeouts", settings.TimeoutsTable)):
        yield f"### {code(name)} of a connection"
        yield model.__doc__ or ""
        yield _table(model)
    yield from _mailers()
    yield "### Providers that `preset` knows"
    yield _presets()
    yield "## [[routes]]: what a condition can ask"
    yield _words()


def _section(model: type[settings.Table]) -> Iterator[str]:
    """A chapter, headed by the first words of the declaration: "[smtp]: taking mail in by SMTP."."""
    head, _, about = (model.__doc__ or "").partition(": ")
    yield f"## {head}"
    yield about[:1].upper() + about[1:]
    yield _table(model)


def _table(model: type[settings.Table]) -> str:
    rows = []
    for name, field in model.model_fields.items():
        is_table = isinstance(field.annotation, type) and issubclass(field.annotation, settings.Table)
        default = "–" if is_table else toml(field.default)
        rows.append((code(name), default, _kind(field), field.description or ""))
    return table(HEADS, rows)


def _kind(field: FieldInfo) -> str:
    return " or ".join(dict.fromkeys(_kinds(field.annotation)))


def _kinds(annotation: Any) -> Iterator[str]:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        for one in inner:
            yield from _kinds(one)
    elif origin is Annotated:
        yield from _kinds(inner[0])
    elif origin is tuple:
        yield f"list of {', '.join(LISTED.get(kind, kind) for kind in _kinds(inner[0]))}"
    elif origin is Literal:
        yield " or ".join(code(f'"{word}"') for word in inner)
    elif annotation is not type(None):
        yield KINDS.get(annotation, "table")


def _policies() -> str:
    heads = ("setting", *(code(priority.label) for priority in DEFAULTS), "kind", "what it is")
    absent = {"patience": "unlimited", "hedge_after": "off"}
    rows = []
    for name, field in settings.PriorityTable.model_fields.items():
        values = [getattr(policy, name) for policy in DEFAULTS.values()]
        cells = [toml(absent.get(name) if value is None else value) for value in values]
        rows.append((code(name), *cells, _kind(field), field.description or ""))
    return table(heads, rows)


def _mailers() -> Iterator[str]:
    for name in sorted(mailers.MAILERS):
        mailer = mailers.find(name)
        yield f'### `mailer = "{name}"`: {mailer.title}'
        rows = [(code(it.name), toml(it.default), _mailer_kind(it), _about(it)) for it in mailer.settings]
        yield table(HEADS, rows) if rows else "It has no settings of its own."


def _about(setting: Setting) -> str:
    needed = "Must be given. " if setting.required else ""
    return f"{setting.label}. {needed}{setting.help}".strip()


def _mailer_kind(setting: Setting) -> str:
    if setting.name == "preset":
        return "a provider, see below"
    words = {"toggle": "true or false", "secret": "text, secret", "choice": ", ".join(map(code, setting.choices))}
    return words.get(setting.kind, setting.kind)


def _presets() -> str:
    rows = [
        (code(name), it.title, f"{it.host_in('')}:{it.port}", _regions(it.regions), f"{it.hint} {it.note}".strip())
        for name, it in PROVIDERS.items()
    ]
    return table(("preset", "provider", "server", "other regions", "what to enter"), rows)


def _regions(regions: Mapping[str, str]) -> str:
    return ", ".join(f"{code(name)}: {host}" for name, host in regions.items()) or "–"


def _words() -> str:
    properties = ", ".join(code(word) for word in Property)
    operators = ", ".join(code(word) for word in Operator)
    return f"Properties: {properties}.\n\nOperators: {operators}."
