"""reference/http-api.md: every route with its scope and its fields, from the description that programs read."""

import os
from typing import Any

from made.tables import code, table
from secondpost import assembly, config
from secondpost.entrypoints import http_api
from secondpost.entrypoints.http_api.docs_page import fields, operations
from secondpost.service.keys import SCOPES


def part() -> str:
    """Nothing is opened: the parts of a gateway are put together, and asked what they would serve."""
    settings = config.load(environ={"SECONDPOST_CONFIG": os.devnull}, overrides={"smtp.hostname": "localhost"})
    schema = http_api.build(assembly.build(settings).operations, settings).openapi()
    scopes = table(("scope", "a key that has it may"), [(code(scope), what) for scope, what in SCOPES.items()])
    return "\n\n".join([f"## Scopes\n\n{scopes}", *[_chapter(schema, *found) for found in operations(schema)]])


def _chapter(schema: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> str:
    rows = [(code(name), about or "–") for name, about in fields(schema, operation)]
    text = f"## {method} {path}\n\n{operation.get('description', '')} Scope: {code(operation['x-scope'])}."
    return text + (f"\n\n{table(('field', 'what it is'), rows)}" if rows else "")
