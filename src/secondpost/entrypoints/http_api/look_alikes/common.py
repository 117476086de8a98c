"""What the look-alikes share: who asks, the messages on disk, and the answer in the provider's own shape.

Rule: what a provider offers and we do not is refused in the provider's words, never dropped.
"""

import base64
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from secondpost.core import mailboxes
from secondpost.entrypoints.http_api import letters
from secondpost.entrypoints.http_api.counter import Counter, work
from secondpost.entrypoints.http_api.letters import Envelope, Letter
from secondpost.entrypoints.http_api.problems import Problem, invalid, problem
from secondpost.service import form
from secondpost.service.credentials import Client
from secondpost.store.base import Receipt

ABSENT = "It is not available through Secondpost. Nothing was sent."
Content = Letter | tuple[bytes, Envelope]  # in parts, or written already
Translate = Callable[[bytes], Sequence[Content]]


class Shape(BaseModel):
    """A provider's document. A field that it does not name is a feature that is not here."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAlike:
    """One route of a provider. `read`: the messages in a body; `taken` and `refused`: the provider's answers."""

    path: str
    secret: Callable[[Request], str]
    read: Translate
    taken: Callable[[Sequence[Receipt], Sequence[Content]], Response]
    refused: Callable[[Problem], Response]
    key: Callable[[Request], str] = lambda _: ""  # an idempotency key of the SDK's own
    form: bool = False  # the body is a form, and `read` gets its fields as JSON


def endpoint(
    it: LookAlike,
    counter: Counter,
    new_id: Callable[[], int],
    admit: Callable[[Request], Awaitable[tuple[Client, bytes]]] | None = None,
) -> Callable[[Request], Awaitable[Response]]:
    """What Starlette calls. `admit`: the client and the body, where the one is not known without the other."""

    async def usual(request: Request) -> tuple[Client, bytes]:
        client = await counter.gate.admit(request, it.secret(request), "send")
        with await counter.intake.read(request) as body:
            return client, await form_of(request, body) if it.form else body

    async def answer(request: Request) -> Response:
        try:
            client, body = await (admit or usual)(request)
            contents, receipts = await _take(it, counter, new_id, (request, client, body))
            found = it.taken(receipts, contents)
        except Exception as error:
            told = invalid(error, ABSENT) if isinstance(error, ValidationError) else problem(error)
            found = it.refused(told)
            found.headers.update(told.headers)
        return found

    return answer


async def _take(
    it: LookAlike, counter: Counter, new_id: Callable[[], int], asking: tuple[Request, Client, bytes]
) -> tuple[Sequence[Content], list[Receipt]]:
    request, client, body = asking
    asked = counter.asked(request, client, it.key(request))

    def drafts() -> tuple[Sequence[Content], list[Any]]:
        contents = it.read(body)
        made = []
        for number, content in enumerate(contents):
            key = letters.numbered(asked.key, number) if len(contents) > 1 else asked.key
            one = asked.model_copy(update={"key": key})
            if isinstance(content, Letter):
                made.append(letters.draft(content, new_id(), one))
            else:
                made.append(letters.raw(content[0], new_id(), one, content[1]))
        return contents, made

    contents, made = await work(len(body), drafts)
    receipts = await counter.take_all(made)
    for receipt in receipts:
        if isinstance(receipt, BaseException):
            raise _partly(receipts, receipt)
    return contents, [receipt for receipt in receipts if isinstance(receipt, Receipt)]


def _partly(receipts: Sequence[Receipt | BaseException], error: BaseException) -> BaseException:
    """The truth about a request with several messages of which some were taken."""
    stored = [receipt for receipt in receipts if isinstance(receipt, Receipt)]
    if not stored:
        return error
    text = f"{len(stored)} of {len(receipts)} messages were taken; sent again, they would be repeated. Else: {error}"
    return Problem(500, text)


def in_parts(sender: str, **given: Any) -> Letter:
    return Letter.model_validate({"from": sender, **given})


async def form_of(request: Request, body: bytes) -> bytes:
    """A form as JSON. Raises `Problem` for anything else."""
    kind = request.headers.get("content-type", "").lower()
    if not kind.startswith(("multipart/form-data", "application/x-www-form-urlencoded")):
        raise Problem(415, "The body is no form: send multipart/form-data. Nothing was sent.")
    sent = False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        sent, again = True, sent
        return {"type": "http.disconnect"} if again else {"type": "http.request", "body": body, "more_body": False}

    return json.dumps(await _fields(Request(request.scope, receive))).encode()


async def _fields(request: Request) -> list[list[Any]]:
    """Name, value and for a file its name and type, of every field in its order."""
    found: list[list[Any]] = []
    async with request.form(max_files=1000, max_fields=2000, max_part_size=36 << 20) as given:
        for name, value in given.multi_items():
            if isinstance(value, str):
                found.append([name, value])
            else:
                content = base64.b64encode(await value.read()).decode()
                found.append([name, content, value.filename or "", (value.content_type or "").partition(";")[0]])
    return found


def several(field: str, text: str) -> list[str]:
    """Mailboxes that stand in one text, with commas between them."""
    form.prose(field, text)
    if text.translate(form.FORBIDDEN) != text:
        raise form.wrong(field, f"The {field} contains a line break or a control character.")
    return [f'"{name}" <{box}>' if name else box for name, box in mailboxes.mailboxes(text.encode(), 2000)]


def once(field: str, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Raises `Problem` for a name that comes twice: one of the two would be dropped."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise Problem(
                422, f"{field} has {name[:80]} twice. Nothing was sent.", [(field, f"{name[:80]} comes twice.")]
            )
        found[name] = value
    return found


def unavailable(field: str, what: str = "") -> Problem:
    """The refusal of a feature that only the provider has."""
    text = f"{field} is not available through Secondpost{': ' + what if what else ''}. Nothing was sent."
    return Problem(422, text, [(field, text)])


def sentence(told: Problem) -> str:
    """Everything that is wrong, in one line."""
    faults = " ".join(f"{name}: {text}" for name, text in told.errors)
    return faults or told.detail
