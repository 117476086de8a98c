"""Webhooks: the addresses at which providers tell what became of mail.

Rule: 200 means that what was told is on disk. Anything else makes the provider come again, so a fault of what it sent
is never answered with a 5xx, and a fault of ours never with a 4xx.
"""

import asyncio
import logging
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from secondpost.errors import HookRefused, HookUnproven, StoreError
from secondpost.mailers.base import Hook
from secondpost.service.feedback import Feedback, NoSuchHook

logger = logging.getLogger(__name__)

LARGEST = 5 * 1024 * 1024
AT_ONCE = 8  # bodies in memory
SECONDS = 30.0  # for a body to arrive


@dataclass(slots=True)
class Webhooks:
    """The one handler, and how many may use it at once."""

    feedback: Feedback
    _room: asyncio.Semaphore

    async def answer(self, request: Request) -> Response:
        name, token = request.path_params["connection"], request.path_params["token"]
        try:
            await self.feedback.addressed(name, token)  # nobody else's body is read, or takes up the room
            async with self._room:
                return await self._take(name, token, request)
        except NoSuchHook as error:
            return PlainTextResponse(f"{error}\n", 404)
        except HookRefused as error:
            logger.warning("a webhook was refused: %s", error, extra={"connection": name})
            return PlainTextResponse(f"{error}\n", 403)
        except (StoreError, HookUnproven) as error:
            logger.error("a webhook could not be taken now; its sender is asked to come again: %s", error)
            return PlainTextResponse("It cannot be taken now. Come again.\n", 503)

    async def _take(self, name: str, token: str, request: Request) -> Response:
        try:
            body = await asyncio.wait_for(_body(request), SECONDS)
        except TimeoutError:
            return PlainTextResponse("The webhook did not arrive in time.\n", 408)
        if body is None:
            return PlainTextResponse(f"The webhook is larger than {LARGEST} bytes.\n", 413)
        headers = {key.lower(): value for key, value in request.headers.items()}
        hook = Hook(body=body, headers=headers, query=dict(request.query_params))
        return JSONResponse({"events": await self.feedback.take(name, token, hook)})


async def _body(request: Request) -> bytes | None:
    """The body; None when it is too large."""
    found = bytearray()
    async for piece in request.stream():
        found += piece
        if len(found) > LARGEST:
            return None
    return bytes(found)


def route(feedback: Feedback) -> Route:
    """GET too: one provider tells by it, and others look whether anybody is there."""
    webhooks = Webhooks(feedback, asyncio.Semaphore(AT_ONCE))
    return Route("/webhooks/{connection}/{token}", webhooks.answer, methods=["GET", "POST"])
