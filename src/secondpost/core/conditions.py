"""One condition of a rule: a property, an operator and a value.

Rule: both sides are trimmed and case-folded. A negative operator holds only if no value of the property is, or has,
what it names.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from secondpost.core.facts import NUMBERS, Facts, Property, number, values
from secondpost.errors import ConfigError

Matcher = Callable[[str, str], bool]  # (pattern, text): an unanchored, case-blind search by a linear-time engine


class Operator(StrEnum):
    """The words of the configuration; `label` is what the screen says."""

    CONTAINS = "contains"
    DOES_NOT_CONTAIN = "does_not_contain"
    IS = "is"
    IS_NOT = "is_not"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    MATCHES_REGEX = "matches_regex"
    GREATER_THAN = "greater_than"
    LESS_THAN = "less_than"

    @property
    def label(self) -> str:
        return self.replace("_", " ").capitalize()


_NEGATIONS = {Operator.DOES_NOT_CONTAIN: Operator.CONTAINS, Operator.IS_NOT: Operator.IS}
_COMPARISONS: dict[Operator, Callable[[float, float], bool]] = {
    Operator.IS: operator.eq,
    Operator.IS_NOT: operator.ne,
    Operator.GREATER_THAN: operator.gt,
    Operator.LESS_THAN: operator.lt,
}
_FOR_TEXT = frozenset(Operator) - {Operator.GREATER_THAN, Operator.LESS_THAN}
_YES = frozenset({"1", "on", "true", "yes"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Made by `parse_condition`, so that property, operator and value fit each other."""

    property: Property
    operator: Operator
    value: str


def holds(condition: Condition, facts: Facts, matcher: Matcher | None) -> bool:
    """Whether the condition is met. Without a matcher no regular expression is."""
    if condition.property in NUMBERS:
        return _COMPARISONS[condition.operator](number(facts, condition.property), float(condition.value))
    positive = _NEGATIONS.get(condition.operator, condition.operator)
    met = any(_meets(value, positive, condition, matcher) for value in values(facts, condition.property))
    return met is (positive is condition.operator)


def _meets(value: str, positive: Operator, condition: Condition, matcher: Matcher | None) -> bool:
    value, wanted = value.strip(), condition.value
    match positive:
        case Operator.CONTAINS:
            return wanted.casefold() in value.casefold()
        case Operator.IS:
            return wanted.casefold() == value.casefold()
        case Operator.STARTS_WITH:
            return value.casefold().startswith(wanted.casefold())
        case Operator.ENDS_WITH:
            return value.casefold().endswith(wanted.casefold())
        case _:
            return matcher is not None and matcher(wanted, value)


def parse_condition(entry: Any, where: str) -> Condition:
    """A condition from plain data. `where` names its place in the configuration. Raises `ConfigError`."""
    if not isinstance(entry, Mapping) or set(entry) != {"property", "operator", "value"}:
        raise ConfigError(f"{where}: a condition has exactly property, operator and value; this is {_shown(entry)}.")
    asked = choose(Property, entry["property"], where)
    compared = choose(Operator, entry["operator"], where)
    allowed = _COMPARISONS if asked in NUMBERS else _FOR_TEXT
    if compared not in allowed:
        words = ", ".join(word for word in Operator if word in allowed)
        raise ConfigError(f"{where}: {asked} cannot be asked with {compared}; use one of {words}.")
    return Condition(property=asked, operator=compared, value=_value(asked, entry["value"], where))


def _value(asked: Property, value: Any, where: str) -> str:
    if asked is Property.HAS_ATTACHMENTS:
        return "yes" if str(value).strip().lower() in _YES else "no"
    text = str(value).strip()
    if asked in NUMBERS:
        try:
            float(text)
        except ValueError:
            raise ConfigError(f"{where}: {asked} is a number; {_shown(value)} is not.") from None
    return text


Word = TypeVar("Word", Property, Operator)


def choose(kind: type[Word], word: Any, where: str) -> Word:
    """The member of `kind` that `word` names, by its word or its label. Raises `ConfigError` with the nearest word."""
    key = _key(str(word))
    for member in kind:
        if key in {member.value, _key(member.label)}:
            return member
    raise ConfigError(
        f"{where}: unknown {kind.__name__.lower()} {_shown(word)}.{hint(key[:40], [member.value for member in kind])}"
    )


def hint(word: str, known: Sequence[str]) -> str:
    """What to say after an unknown word."""
    from difflib import get_close_matches  # only needed once something is wrong

    near = get_close_matches(word, known, 1, 0.5)
    return f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(known)}."


def _key(text: str) -> str:
    return "_".join(re.findall(r"[a-z0-9]+", text.lower()))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
