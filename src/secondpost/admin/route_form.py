"""The form of a route: who carries the mail, and the groups of rules, which grow and shrink without a script.

Rule: what was typed survives every button. The rules of group n are the n-th fields named property.n, operator.n and
value.n, in their order, so that a row can be added or taken away in the browser as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from secondpost.admin.visit import Form
from secondpost.core.conditions import Operator, parse_condition
from secondpost.core.facts import NUMBERS, Property
from secondpost.core.numbers import whole
from secondpost.core.routing import Rule
from secondpost.errors import ConfigError

MOST = 50  # groups of a route, and rules of a group
HINTS = {
    Property.HAS_ATTACHMENTS: "yes or no", Property.PRIORITY: "urgent, normal or bulk",
    Property.MESSAGE_SIZE: "a number of KB", Property.RECIPIENT_COUNT: "a number",
}  # fmt: skip
_NEEDS_VALUE = frozenset(Operator) - {Operator.IS, Operator.IS_NOT}


@dataclass(slots=True, kw_only=True)
class Row:
    """One rule as it was typed. `fresh`: it was just added, and the cursor goes there."""

    property: str = Property.SUBJECT.value
    operator: str = Operator.CONTAINS.value
    value: str = ""
    error: str = ""
    fresh: bool = False

    def entry(self) -> dict[str, str]:
        return {"property": self.property, "operator": self.operator, "value": self.value}


@dataclass(slots=True, kw_only=True)
class RouteForm:
    name: str = ""
    connection: str = ""
    block: bool = False
    backups: list[str] = field(default_factory=list)
    priority: str = ""
    enabled: bool = True
    groups: list[list[Row]] = field(default_factory=list)
    error: str = ""  # what is wrong with the whole

    @property
    def faulty(self) -> bool:
        return bool(self.error) or any(row.error for group in self.groups for row in group)

    def entry(self) -> dict[str, Any]:
        """As plain data of the configuration."""
        to = {"block": True} if self.block else {"connection": self.connection}
        groups = [{"all": [row.entry() for row in group]} for group in self.groups]
        rest = {"backups": [] if self.block else self.backups, "priority": self.priority, "enabled": self.enabled}
        return {"name": self.name, "any": groups, **to, **rest}


def new(connection: str) -> RouteForm:
    return RouteForm(connection=connection, groups=[[Row()]])


def of(rule: Rule) -> RouteForm:
    groups = [[Row(property=it.property, operator=it.operator, value=it.value) for it in rows] for rows in rule.groups]
    return RouteForm(
        name=rule.name, connection=rule.connection, block=rule.block, backups=list(rule.backups), groups=groups,
        priority=rule.priority.label if rule.priority is not None else "", enabled=rule.enabled,
    )  # fmt: skip


def read(form: Form) -> RouteForm:
    """As a person has filled it in."""
    names = [name for name in form if name.startswith("value.")]
    return RouteForm(
        name=form.text("name"), connection=form.text("connection"), block=form.text("action") == "block",
        backups=list(dict.fromkeys(name for name in form.get("backups", []) if name)),
        priority=form.text("priority"), enabled=form.checked("enabled"),
        groups=[_rows(form, name.removeprefix("value.")) for name in names[:MOST]],
    )  # fmt: skip


def _rows(form: Form, number: str) -> list[Row]:
    columns = zip(
        form.get(f"property.{number}", []), form.get(f"operator.{number}", []), form[f"value.{number}"], strict=False
    )
    return [Row(property=asked, operator=how, value=value.strip()) for asked, how, value in list(columns)[:MOST]]


def press(form: RouteForm, button: str) -> bool:
    """Do what a button of the builder asks: "and.0", "remove.0.1", "group". False: it is another button."""
    word, *numbers = button.split(".")
    places = [place for number in numbers if (place := whole(number)) is not None]
    match word, places:
        case "group", []:
            form.groups.append([Row(fresh=True)])
        case "and", [group] if group < len(form.groups):
            form.groups[group].append(Row(fresh=True))
        case "remove", [group, place] if group < len(form.groups) and place < len(form.groups[group]):
            del form.groups[group][place]
            form.groups = [rows for rows in form.groups if rows]
    return word in {"group", "and", "remove"}


def check(form: RouteForm) -> None:
    """Note at each rule what is wrong with it."""
    for row in (row for group in form.groups for row in group):
        try:
            row.error = _missing(row)
            parse_condition(row.entry(), "This rule")
        except ConfigError as error:
            row.error = str(error)


def _missing(row: Row) -> str:
    """An empty text is in every message: such a rule would hold for all mail, or for none."""
    if row.value or row.operator not in _NEEDS_VALUE:
        return ""
    return "Give a value to compare with, or remove this rule."


def words() -> Mapping[str, Any]:
    """What the selects offer."""
    return {
        "properties": [(it.value, it.label, HINTS.get(it, ""), it in NUMBERS) for it in Property],
        "operators": [(it.value, it.label) for it in Operator],
        "comparisons": [Operator.IS, Operator.IS_NOT, Operator.GREATER_THAN, Operator.LESS_THAN],
    }
