"""Mailgun's POST /v3/DOMAIN/messages and messages.mime: forms. See https://documentation.mailgun.com."""

import base64
import json
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Any

from fastapi.responses import JSONResponse
from starlette.responses import Response

from secondpost.core.message import id_text
from secondpost.entrypoints.http_api.gate import basic
from secondpost.entrypoints.http_api.letters import Envelope, Letter
from secondpost.entrypoints.http_api.look_alikes.common import Content, LookAlike, sentence, several, unavailable
from secondpost.entrypoints.http_api.problems import Problem
from secondpost.store.base import Receipt

OFF = {"no", "false", "False", ""}
SWITCHES = {"o:testmode", "o:tracking", "o:tracking-clicks", "o:tracking-opens", "o:require-tls", "o:skip-verification"}


def read(body: bytes) -> Sequence[Content]:
    given: dict[str, Any] = {"headers": {}, "metadata": {}, "tags": [], "attachments": []}
    for name, value, *file in _form(body):
        _take(given, name, value, file)
    if "from" not in given:
        raise Problem(422, "from parameter is missing", [("from", "It is missing.")])
    return [Letter.model_validate(given)]


def _form(body: bytes) -> list[list[str]]:
    found: list[list[str]] = json.loads(body)
    if not found:
        raise Problem(422, "The form is empty.")
    return found


def _take(given: dict[str, Any], name: str, value: str, file: list[str]) -> None:
    match name:
        case "to" | "cc" | "bcc":
            given[name] = given.get(name, []) + several(name, value)
        case "from" | "subject" | "text" | "html":
            _set(given, name, value)
        case "h:Reply-To" | "h:reply-to":
            _set(given, "reply_to", several(name, value))
        case "o:tag":
            given["tags"].append(value)
        case "o:deliverytime":
            given["send_at"] = _moment(value)
        case "attachment" | "inline":
            given["attachments"].append(_attached(name, value, file))
        case _:
            _take_named(given, name, value)


def _take_named(given: dict[str, Any], name: str, value: str) -> None:
    kind, _, rest = name.partition(":")
    if kind == "h" and rest:
        _set(given["headers"], rest, value)
    elif kind == "v" and rest:
        _set(given["metadata"], rest, value)
    elif not (name in SWITCHES and value in OFF):
        raise unavailable(name[:80])


def _set(group: dict[str, Any], name: str, value: object) -> None:
    if name in group:
        raise Problem(422, f"{name[:80]} is given twice", [(name[:80], "It is given twice.")])
    group[name] = value


def _attached(name: str, value: str, file: list[str]) -> dict[str, str]:
    if not file:
        raise Problem(422, f"{name} is no file", [(name, "It is no file.")])
    inline = file[0] if name == "inline" else ""
    return {"filename": file[0], "content": value, "content_type": file[1], "content_id": inline}


def _moment(value: str) -> str:
    try:
        return parsedate_to_datetime(value).isoformat()
    except ValueError:
        raise Problem(422, "o:deliverytime is not a time of RFC 2822", [("o:deliverytime", "It is no time.")]) from None


def read_mime(body: bytes) -> Sequence[Content]:
    to: list[str] = []
    content = b""
    for name, value, *file in _form(body):
        if name in {"to", "cc", "bcc"}:
            to += [mailbox.rpartition("<")[2].removesuffix(">") for mailbox in several("to", value)]
        elif name == "message":
            content = base64.b64decode(value) if file else value.encode()
        elif name not in {"from", "subject"} and not (name in SWITCHES and value in OFF):  # the message has its own
            raise unavailable(name[:80])
    if not to or not content:
        raise Problem(422, "to and message are needed")
    return [(content, Envelope(recipients=to))]


def taken(receipts: Sequence[Receipt], _: Sequence[Content]) -> Response:
    return JSONResponse({"id": f"<{id_text(receipts[0].id)}@secondpost>", "message": "Queued. Thank you."})


def refused(told: Problem) -> Response:
    status = 400 if told.status in {409, 415, 422} else told.status
    return JSONResponse({"message": sentence(told)}, status)


ROUTES = (
    LookAlike(path="/v3/{domain}/messages", secret=basic, read=read, taken=taken, refused=refused, form=True),
    LookAlike(path="/v3/{domain}/messages.mime", secret=basic, read=read_mime, taken=taken, refused=refused, form=True),
)
