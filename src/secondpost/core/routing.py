"""Smart Routing: which rule a message meets, and so which connections carry it (behaviour: Smart Routing).

Rule: the first rule that is met wins; one that is off, empty, or names a connection that is gone is skipped and marked.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from secondpost.core.conditions import Condition, Matcher, Operator, hint, holds, parse_condition
from secondpost.core.connection import Connection
from secondpost.core.facts import Facts, Property, facts, values
from secondpost.core.priority import Priority
from secondpost.errors import ConfigError

__all__ = [
    "Condition",
    "Facts",
    "Matcher",
    "Operator",
    "Property",
    "Rule",
    "explain",
    "facts",
    "first",
    "parse",
    "to_dict",
]

Group = tuple[Condition, ...]  # all of them must hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Met when any of its groups is. It chooses a connection, or blocks; it may set the backups and the priority."""

    name: str = ""
    connection: str = ""
    groups: tuple[Group, ...] = ()
    backups: tuple[str, ...] = ()
    priority: Priority | None = None
    block: bool = False
    enabled: bool = True


def first(
    rules: Iterable[Rule], facts: Facts, connections: Mapping[str, Connection], matcher: Matcher | None
) -> Rule | None:
    """The rule that decides the route of a message; None: it takes the Primary Connection."""
    for rule in rules:
        if not why_skipped(rule, connections) and _is_met(rule, facts, matcher):
            return rule
    return None


def why_skipped(rule: Rule, connections: Mapping[str, Connection]) -> str:
    """Why a rule is passed over, for the mark beside it; empty when it is not."""
    if not rule.enabled:
        return "it is switched off"
    if not any(rule.groups):
        return "it has no conditions"
    if rule.block or (rule.connection in connections and connections[rule.connection].enabled):
        return ""
    if rule.connection in connections:
        return f"its connection {rule.connection!r} is switched off"
    return f"its connection {rule.connection!r} does not exist"


def _is_met(rule: Rule, facts: Facts, matcher: Matcher | None) -> bool:
    return any(all(holds(condition, facts, matcher) for condition in group) for group in rule.groups if group)


def explain(
    rules: Iterable[Rule], facts: Facts, connections: Mapping[str, Connection], matcher: Matcher | None
) -> list[dict[str, Any]]:
    """For each rule whether it is met, which of its conditions hold and what was found, and which rule is chosen."""
    chosen = None
    told = []
    for rule in rules:
        skipped = why_skipped(rule, connections)
        met = not skipped and _is_met(rule, facts, matcher)
        chosen = rule if met and chosen is None else chosen
        groups = [[_explained(condition, facts, matcher) for condition in group] for group in rule.groups]
        told.append(
            {"name": rule.name, "skipped": skipped, "met": met, "chosen": met and rule is chosen, "any": groups}
        )
    return told


def _explained(condition: Condition, facts: Facts, matcher: Matcher | None) -> dict[str, Any]:
    found = [value[:200] for value in values(facts, condition.property)[:20]]
    return {**_condition_dict(condition), "found": found, "holds": holds(condition, facts, matcher)}


def to_dict(rule: Rule) -> dict[str, Any]:
    """The rule in the words of the configuration: `parse` reads it back."""
    kept: dict[str, Any] = {
        "name": rule.name,
        "any": [{"all": [_condition_dict(condition) for condition in group]} for group in rule.groups],
        "enabled": rule.enabled,
    }
    kept |= {"block": True} if rule.block else {"connection": rule.connection}
    kept |= {"backups": list(rule.backups)} if rule.backups else {}
    return kept | ({"priority": rule.priority.label} if rule.priority is not None else {})


def _condition_dict(condition: Condition) -> dict[str, Any]:
    return {
        "property": condition.property.value,
        "operator": condition.operator.value,
        "value": condition.value,
    }


KEYS = ("name", "connection", "any", "backups", "priority", "block", "enabled")


def parse(entry: Mapping[str, Any]) -> Rule:
    """A rule from the plain data of a file or a form. Raises `ConfigError` that names the place and what to do."""
    name = str(entry.get("name", ""))
    where = f"route {name!r}" if name else "a route without a name"
    for key in entry:
        if key not in KEYS:
            raise ConfigError(f"{where}: unknown key {key!r}.{hint(key, KEYS)}")
    connection = _text(entry, "connection", where)
    block = _flag(entry, "block", default=False, where=where)
    if block == bool(connection):
        raise ConfigError(f"{where}: give either connection, or block = true.")
    return Rule(
        name=name,
        connection=connection,
        groups=tuple(_groups(entry.get("any", ()), where)),
        backups=tuple([str(name) for name in _list(entry.get("backups", ()), f"{where}, backups")]),
        priority=_priority(entry.get("priority"), where),
        block=block,
        enabled=_flag(entry, "enabled", default=True, where=where),
    )


def _groups(entries: Any, where: str) -> Iterator[Group]:
    for number, entry in enumerate(_list(entries, f"{where}, any"), 1):
        place = f"{where}, group {number}"
        if not isinstance(entry, Mapping) or set(entry) != {"all"}:
            raise ConfigError(f"{place}: a group is written {{ all = [ … ] }}.")
        conditions = enumerate(_list(entry["all"], place), 1)
        yield tuple([parse_condition(condition, f"{place}, condition {count}") for count, condition in conditions])


def _list(value: Any, where: str) -> Sequence[Any]:
    if isinstance(value, list | tuple):
        return value
    raise ConfigError(f"{where}: this must be a list, in square brackets.")


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key, "")
    if isinstance(value, str):
        return value
    raise ConfigError(f"{where}: {key} must be the name of a connection.")


def _flag(entry: Mapping[str, Any], key: str, *, default: bool, where: str) -> bool:
    value = entry.get(key, default)
    if isinstance(value, bool):
        return value
    raise ConfigError(f"{where}: {key} must be true or false.")


def _priority(word: Any, where: str) -> Priority | None:
    if not word:
        return None
    try:
        return Priority.parse(str(word))
    except ValueError as error:
        raise ConfigError(f"{where}: {error}.") from None
