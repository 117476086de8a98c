"""From raw values to checked ones: pydantic does the checking, this says in our words what it found.

Rule: every fault of a table is told; faulty settings take their defaults, so that reading can go on.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from secondpost.config.faults import Faults, clip, did_you_mean, unknown
from secondpost.config.settings import SECRETS, Table, paths

T = TypeVar("T", bound=Table)


def read(model: type[T], table: Any, path: str, faults: Faults, origin: Callable[..., str]) -> T:
    """A checked table. `path` stands before its keys in messages; `origin(key, …)` says where one came from."""
    if not isinstance(table, dict):
        faults.add(path, origin(), f"must be a table ([{path}]), not {clip(table)}")
        return model.model_construct()
    if not table:
        return model.model_construct()  # the defaults, without the time that building a validator takes
    try:
        return model.model_validate(table)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            keys = [str(part) for part in found["loc"] if isinstance(part, str) and "[" not in part]
            dotted = ".".join([*([path] if path else []), *keys])
            faults.add(dotted, origin(*keys), _text(found, model, keys, dotted))
        wrong = {str(found["loc"][0]) for found in error.errors(include_url=False) if found["loc"]}
        return model.model_validate({key: value for key, value in table.items() if key not in wrong})


_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "model_type": "a table",
    "dict_type": "a table",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "string_too_long": "at most {max_length} characters",
    "literal_error": "{expected}",
}


def _text(found: ErrorDetails, model: type[Table], keys: Sequence[str], dotted: str) -> str:
    kind, context = found["type"], found.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(model, keys, dotted)
    if kind == "value_error":
        return str(context["error"])
    shown = "" if dotted in SECRETS else f", not {clip(found['input'])}"
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind].format(**context)}{shown}"
    return f"{found['msg'][:1].lower()}{found['msg'][1:]}{shown}"


def _unknown(model: type[Table], keys: Sequence[str], dotted: str) -> str:
    """In the same table first; then anywhere."""
    for key in keys[:-1]:
        inner = model.model_fields[key].annotation
        model = inner if isinstance(inner, type) and issubclass(inner, Table) else model
    above, dot, _ = dotted.rpartition(".")
    text = unknown("setting", dotted, [f"{above}{dot}{name}" for name in model.model_fields])
    if "did you mean" in text or above.startswith("connections."):
        return text
    meant = did_you_mean(dotted, paths())
    hint = f"did you mean {meant}?" if meant else "see them all with: secondpost config show"
    return f"there is no setting {clip(dotted)}; {hint}"
