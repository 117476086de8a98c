"""The control door: the command line talks to the running gateway over a Unix socket, one JSON object a line.

Rule: only the user that runs the gateway can open it (mode 0600); it offers `Operations` by name and nothing else.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secondpost.errors import ConfigError, SecondpostError
from secondpost.service.operate import Operations

logger = logging.getLogger(__name__)

MAX_LINE = 64 * 2**20  # a message to send comes with its attachments


@dataclass(slots=True)
class Control:
    """The server side. Request: {"do": name, "with": {…}}; answer: {"ok": …} after any number of {"row": …}."""

    operations: Operations
    path: Path
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        """Raises `ConfigError` when there can be no socket at that path."""
        try:
            self.path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._serve, str(self.path), limit=MAX_LINE)
            self.path.chmod(0o600)
        except OSError as error:
            raise ConfigError(
                f"The control socket {self.path} cannot be made: {error.strerror or error}. "
                "Its path may have about 100 characters at most; set data_dir to a folder that can be used."
            ) from None

    async def stop(self) -> None:
        """Take no more requests. Those under way may still be answered."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                async for answer in self._answer(line):
                    writer.write(json.dumps(answer).encode() + b"\n")
                    await writer.drain()
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> AsyncIterator[dict[str, Any]]:
        try:
            request = json.loads(line)
            operation = self.operations.named(request["do"])
            result = operation(**request.get("with", {}))
            if isinstance(result, AsyncIterator):
                async for row in result:
                    yield {"row": row}
                yield {"ok": True, "result": None}
            else:
                yield {"ok": True, "result": await result}
        except SecondpostError as error:
            yield {"ok": False, "error": {"kind": type(error).__name__, "message": str(error)}}
        except Exception as error:
            logger.exception("a control request failed by a fault of our own")
            message = f"The gateway could not do this ({type(error).__name__}); its log says why. No mail is concerned."
            yield {"ok": False, "error": {"kind": "InternalError", "message": message}}
