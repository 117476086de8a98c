"""The documentation page of the HTTP API: made here from its description, with nothing from another host.

Rule: no script at all; the one style sheet is allowed by its hash.
"""

import base64
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from html import escape
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

STYLE = """
body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2430;background:#fff}
h2{margin:2rem 0 .25rem;font-size:1.1rem}code{background:#eef1f5;padding:.1rem .3rem;border-radius:4px}
table{border-collapse:collapse;margin:.5rem 0}td,th{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top}
@media(prefers-color-scheme:dark){body{color:#e6eaf0;background:#141a22}code{background:#25303d}a{color:#8ab8ff}}
"""
HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class FaultDocument(BaseModel):
    field: str
    message: str


class ProblemDocument(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FaultDocument]


def page(app: FastAPI) -> Callable[[Request], Awaitable[Response]]:
    async def show(_: Request) -> Response:
        return HTMLResponse(_html(app.openapi()), headers=HEADERS)

    return show


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of each."""
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def fields(schema: dict[str, Any], operation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What can be given, each with what it is."""
    for parameter in operation.get("parameters", ()):
        yield parameter["name"], parameter.get("description", "")
    for content in operation.get("requestBody", {}).get("content", {}).values():
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        for field, about in schema["components"]["schemas"].get(name, {}).get("properties", {}).items():
            yield field, about.get("description", "")


def _html(schema: dict[str, Any]) -> str:
    body = "".join(_chapter(schema, *found) for found in operations(schema))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Secondpost: HTTP API</title><style>{STYLE}</style><h1>Secondpost: HTTP API</h1>"
        "<p>Every request carries <code>Authorization: Bearer sp_…</code>. Make a key: "
        "<code>secondpost keys add NAME</code>. For programs: <a href=/v1/openapi.json>openapi.json</a>.</p>"
        f"{body}</html>"
    )


def _chapter(schema: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code><td>{escape(about)}" for name, about in fields(schema, operation)
    )
    return (
        f"<h2><code>{method} {escape(path)}</code></h2><p>{escape(operation.get('description', ''))} "
        f"Scope: <code>{escape(operation['x-scope'])}</code></p>" + (f"<table>{rows}</table>" if rows else "")
    )
