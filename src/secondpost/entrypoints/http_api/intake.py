"""Reading the bodies of requests: counted while they arrive, and bounded over all requests together.

Rule: nobody's body is read before its key was checked, and nothing is kept of one that is too large or too slow.
"""

import asyncio
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

from secondpost.entrypoints.http_api.problems import Problem

MEMORY = 192 << 20  # bytes of bodies that are being read or worked on
PATIENCE = 60.0  # seconds without a byte
LONGEST = 600.0  # seconds for all of it: a byte now and then is no upload


@dataclass(slots=True)
class Intake:
    """`limit`: the largest message. What wraps it, as JSON or as a form, may add some."""

    limit: int
    memory: int = MEMORY
    patience: float = PATIENCE
    longest: float = LONGEST
    _taken: int = 0

    async def read(self, request: Request) -> "Body":
        """The whole body. Raises `Problem`."""
        declared = request.headers.get("content-length", "0")
        most = self.limit + (1 << 20)
        if request.headers.get("content-encoding", "identity") != "identity":
            raise Problem(415, "A compressed body is not read: send it as it is. Nothing was stored.")
        if declared.isdigit() and int(declared) > most:
            raise self._too_large()
        body = Body(self)
        try:
            await self._fill(body, request, most)
        except BaseException:
            body.close()
            raise
        return body

    async def _fill(self, body: "Body", request: Request, most: int) -> None:
        stream = request.stream()
        try:
            async with asyncio.timeout(self.longest):
                while (chunk := await asyncio.wait_for(anext(stream, None), self.patience)) is not None:
                    self._take(len(chunk))
                    body.content += chunk
                    if len(body.content) > most:
                        raise self._too_large()
        except TimeoutError:
            raise Problem(408, "The body did not come in time. Nothing was stored; send it again.") from None
        except ClientDisconnect:
            raise Problem(400, "The body ended early. Nothing was stored.") from None

    def _take(self, size: int) -> None:
        if self._taken + size > self.memory:
            raise Problem(
                503, "Too much is being submitted at once. Nothing was stored; try again soon.",
                headers={"Retry-After": "2"},
            )  # fmt: skip
        self._taken += size

    def give_back(self, size: int) -> None:
        self._taken -= size

    def _too_large(self) -> Problem:
        return Problem(413, f"The body is larger than a message may be: {self.limit} bytes. Nothing was stored.")


class Body:
    """The bytes of one body, which count until it is closed: `with body:`."""

    def __init__(self, intake: Intake) -> None:
        self.content = bytearray()
        self._intake = intake

    def close(self) -> None:
        self._intake.give_back(len(self.content))
        self.content = bytearray()

    def __enter__(self) -> bytes:
        return bytes(self.content)

    def __exit__(self, *_: object) -> None:
        self.close()
