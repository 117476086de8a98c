"""What a client of the HTTP API is told when something is wrong: RFC 9457, every fault at once, each by its field.

Rule: an answer of 4xx or 5xx to a message means that it was not stored, or says that this is not known.
"""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from secondpost.errors import (
    IdempotencyConflict,
    Malformed,
    Refusal,
    SecondpostError,
    StoreError,
    StoreUnavailable,
    TooMany,
)

logger = logging.getLogger(__name__)

TITLES = {
    400: "The request cannot be read",
    401: "Who are you?",
    403: "This key may not do that",
    404: "There is nothing here",
    405: "This cannot be done here",
    408: "The request took too long",
    409: "This cannot be done now",
    413: "Too large",
    415: "Not a type that is read here",
    422: "Something is wrong with the message",
    429: "Too many",
    500: "A fault of our own",
    503: "Not now",
}
RENAMED = {"sender": "from", "idempotency_key": "Idempotency-Key", "key": "Idempotency-Key"}


@dataclass(slots=True)
class Problem(Exception):
    """An answer that is no success. `errors`: pairs of field and what is wrong with it."""

    status: int
    detail: str
    errors: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        told = [{"field": name, "message": text} for name, text in self.errors]
        title = TITLES.get(self.status, "Refused")
        return {"type": "about:blank", "title": title, "status": self.status, "detail": self.detail, "errors": told}

    def answer(self) -> JSONResponse:
        return JSONResponse(
            self.document(), self.status, headers=dict(self.headers), media_type="application/problem+json"
        )


def problem(error: BaseException) -> Problem:
    """The problem that an error is to the client."""
    match error:
        case Problem():
            return error
        case HTTPException():
            return Problem(error.status_code, str(error.detail), headers=dict(error.headers or {}))
        case Refusal():
            return _refusal(error)
        case StoreUnavailable() | OSError():
            logger.warning("HTTP: a request was not done, and its client told to come back: %s", error)
            return Problem(503, f"{error} Try again later.", headers={"Retry-After": "5"})
        case StoreError():
            return Problem(503, str(error), headers={"Retry-After": "5"})
        case SecondpostError():
            return Problem(409, str(error))
        case _:
            logger.error("HTTP: a request failed by a fault of our own", exc_info=error)
            return Problem(500, "The gateway could not do this; its log says why. Whether it was done is not known.")


def _refusal(refusal: Refusal) -> Problem:
    match refusal:
        case Malformed():
            return Problem(422, refusal.text, [(_name(fault.field), fault.text) for fault in refusal.faults])
        case TooMany():
            return Problem(429, refusal.text, headers={"Retry-After": _seconds(refusal.retry_after.total_seconds())})
        case IdempotencyConflict():
            return Problem(409, refusal.text, [("Idempotency-Key", refusal.text)])
        case Refusal(code=451 | 454):
            return Problem(429, refusal.text, headers={"Retry-After": "60"})
        case _:
            return _by_code(refusal)


def _by_code(refusal: Refusal) -> Problem:
    status = 413 if refusal.code == 552 else 403 if refusal.status == "5.7.1" else 422
    return Problem(status, refusal.text, [(_name(refusal.field), refusal.text)] if refusal.field else ())


def invalid(error: ValidationError, unknown: str = "There is no such field.") -> Problem:
    """What pydantic found, in our words; `unknown` is said of a field that is not there."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    if faults[0]["type"] == "json_invalid":
        return Problem(400, f"The body is not JSON: {faults[0]['msg']}. Nothing was stored.")
    told = [
        (_path(fault["loc"]), unknown if fault["type"] == "extra_forbidden" else f"{fault['msg']}.") for fault in faults
    ]
    return Problem(422, "The message has fields that are missing, unknown or wrong. Nothing was stored.", told)


def _path(places: Iterable[int | str]) -> str:
    """`attachments[0].content`. What pydantic adds for the sides of a union is left out."""
    path = ""
    for place in places:
        if isinstance(place, int):
            path += f"[{place}]"
        elif "[" not in place and place not in {"str", "function-plain"}:
            path += f".{place}" if path else place
    return path


def _name(name: str) -> str:
    return RENAMED.get(name, name)


def _seconds(span: float) -> str:
    return str(max(1, math.ceil(span)))
