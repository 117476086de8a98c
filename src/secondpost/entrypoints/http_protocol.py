"""HTTP as uvicorn reads it by httptools, with an end to what somebody may send before a body.

Rule: a header, or what stands for one, takes no more memory and no more time than this. A body has limits of its own,
where it is read.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER = 327_680  # bytes: a thousand recipients of the longest kind may stand in it
PATIENCE = 30.0  # seconds for a whole header; between two requests uvicorn has its own


class Bounded(HttpToolsProtocol):
    """Counts what was read since the parser last had something whole, and how long a header takes."""

    _pending = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._await_header()

    def connection_lost(self, exc: Exception | None) -> None:
        self._header_is_there()
        super().connection_lost(exc)

    def _await_header(self) -> None:
        self._deadline = self._deadline or asyncio.get_running_loop().call_later(PATIENCE, self._too_slow)

    def _header_is_there(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

    def on_message_begin(self) -> None:
        self._await_header()
        super().on_message_begin()

    def data_received(self, data: bytes) -> None:
        self._pending += len(data)
        super().data_received(data)
        if self._pending > HEADER and not self.transport.is_closing():
            self.send_400_response("The header is too large.")

    def on_headers_complete(self) -> None:
        self._pending = 0
        self._header_is_there()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._pending = 0
        super().on_message_complete()
