"""HTTP as uvicorn reads it by httptools, with an end to what somebody may send before a body.

Rule: a header, or what stands for one, takes no more memory than this. A body has a limit of its own, where it is read.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER = 65_536  # bytes


class Bounded(HttpToolsProtocol):
    """Counts what was read since the parser last had something whole."""

    _pending = 0

    def data_received(self, data: bytes) -> None:
        self._pending += len(data)
        super().data_received(data)
        if self._pending > HEADER and not self.transport.is_closing():
            self.send_400_response("The header is too large.")

    def on_headers_complete(self) -> None:
        self._pending = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._pending = 0
        super().on_message_complete()
