"""The HTTP API as one application: its routes, each with the scope that a key needs, and its description.

Rule: a route gets its scope where it is made, so none can be without; what no route takes is refused.
"""

from collections.abc import Callable
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from secondpost import __version__
from secondpost.config import Config
from secondpost.entrypoints.http_api import docs_page, look_alikes
from secondpost.entrypoints.http_api.counter import Counter
from secondpost.entrypoints.http_api.gate import Gate
from secondpost.entrypoints.http_api.intake import Intake
from secondpost.entrypoints.http_api.letters import Letter, Letters, Taken
from secondpost.entrypoints.http_api.problems import Problem, invalid, problem
from secondpost.entrypoints.http_api.v1 import V1, Settlement
from secondpost.errors import SecondpostError
from secondpost.service.operate import Operations

REFUSALS = {
    400: "unreadable", 401: "no key", 403: "not with this key", 409: "not now, or a used key with other content",
    413: "too large", 415: "of another type", 422: "wrong, with every fault", 429: "too many", 503: "try again",
}  # fmt: skip


def build(operations: Operations, config: Config, *, delay: float = 1.0) -> FastAPI:
    """The application. `delay`: seconds before somebody with a wrong key is told so."""
    counter = Counter(
        operations.submit, operations.store, Gate(operations.keys, delay), Intake(config.smtp.max_message_bytes),
        config.smtp.max_recipients,
    )  # fmt: skip
    app = FastAPI(
        title="Secondpost", version=__version__, description="Email delivery that survives its provider.",
        openapi_url="/v1/openapi.json", docs_url=None, redoc_url=None, redirect_slashes=False,
    )  # fmt: skip
    _add_routes(app, counter.gate, V1(counter, operations))
    app.add_route("/v1/docs", docs_page.page(app), include_in_schema=False)
    look_alikes.add(app, counter, operations.new_id)
    for kind in (Problem, SecondpostError, OSError, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, _answer)
    return app


def _add_routes(app: FastAPI, gate: Gate, v1: V1) -> None:
    def route(where: str, do: Callable[..., Any], scope: str, *, body: Any = None, status: int = 200) -> None:
        method, path = where.split()
        app.add_api_route(
            path, do, methods=[method], status_code=status, operation_id=do.__name__, response_model=None,
            dependencies=[Depends(gate.needs(scope))], responses=_answers(status),
            openapi_extra={"x-scope": scope, "security": [{"key": [scope]}], **(body or {})},
        )  # fmt: skip

    route("POST /v1/messages", v1.submit, "send", body=_json(Letter), status=202)
    route(
        "POST /v1/messages/raw", v1.submit_raw, "send", body=_content("message/rfc822", {"type": "string"}), status=202
    )
    route("POST /v1/messages/batch", v1.submit_batch, "send", body=_json(Letters), status=202)
    route("GET /v1/messages", v1.list, "read-all")
    route("GET /v1/messages/{id}", v1.show, "read")
    route("POST /v1/messages/{id}/resend", v1.resend, "manage", status=202)
    route("POST /v1/messages/{id}/cancel", v1.cancel, "manage")
    route("POST /v1/messages/{id}/settle", v1.settle, "manage", body=_json(Settlement))
    route("GET /v1/connections", v1.connections, "connections")
    route("POST /v1/connections/{id}/verify", v1.verify, "connections")
    route("GET /v1/stats", v1.stats, "read-all")
    ordinary = app.openapi

    def described() -> dict[str, Any]:
        """FastAPI's description, with the bodies that are read here and not by it."""
        schema = ordinary()
        parts = schema.setdefault("components", {})
        parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "An API key: sp_…"}}
        for model in (Letter, Letters, Settlement, Taken, docs_page.ProblemDocument):
            own = model.model_json_schema(ref_template="#/components/schemas/{model}")
            parts.setdefault("schemas", {}).update(own.pop("$defs", {}) | {model.__name__: own})
        return schema

    app.openapi = described  # type: ignore[method-assign]  # as FastAPI's documentation says


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return _content("application/json", {"$ref": f"#/components/schemas/{model.__name__}"})


def _content(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema}}}}


def _answers(status: int) -> dict[int | str, dict[str, Any]]:
    """The success, and what can go wrong with any route."""
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    found: dict[int | str, dict[str, Any]] = {status: {"content": {"application/json": {}}}}
    for code, words in {**REFUSALS, 404: "not there"}.items():
        found[code] = {"description": words, "content": {"application/problem+json": {"schema": schema}}}
    return found


async def _answer(request: Request, error: Exception) -> Response:
    match error:
        case HTTPException(status_code=404 | 405):
            told = f"There is no {request.method} {request.url.path[:200]} here. Nothing was done. All routes: /v1/docs"
            found = Problem(error.status_code, told, headers=dict(error.headers or {}))
        case RequestValidationError():
            wrong = [(".".join(map(str, fault["loc"][1:])), f"{fault['msg']}.") for fault in error.errors()]
            found = Problem(422, "The request has fields that are wrong.", wrong)
        case ValidationError():
            found = invalid(error)
        case _:
            found = problem(error)
    return found.answer()
