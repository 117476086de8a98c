"""The store in memory: queue, log, reports and settings together."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from secondpost.errors import StoreError
from secondpost.store.base import TailWriter
from secondpost.store.memory.reports import MemoryReports
from secondpost.store.memory.tails import MemoryTail


class MemorySettings:
    """The settings' part of the store."""

    def __init__(self) -> None:
        self._documents: dict[tuple[str, str], Any] = {}

    async def get(self, kind: str, name: str) -> Any | None:
        return deepcopy(self._documents.get((kind, name)))

    async def all(self, kind: str) -> dict[str, Any]:
        return {key[1]: deepcopy(value) for key, value in sorted(self._documents.items()) if key[0] == kind}

    async def put(self, kind: str, name: str, value: Any) -> None:
        self._documents[kind, name] = deepcopy(value)

    async def put_all(self, kind: str, documents: Mapping[str, Any | None]) -> None:
        for name, value in documents.items():
            if value is None:
                self._documents.pop((kind, name), None)
            else:
                self._documents[kind, name] = deepcopy(value)

    async def delete(self, kind: str, name: str) -> bool:
        return self._documents.pop((kind, name), None) is not None


class MemoryStore(MemoryReports, MemorySettings):
    """Lost when the process ends. `open` and `close` do nothing."""

    def __init__(self) -> None:
        MemoryReports.__init__(self)
        MemorySettings.__init__(self)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def tail(self, message: int) -> TailWriter:  # noqa: ARG002 – memory needs no name for it
        return MemoryTail()

    async def ready(self) -> None: ...

    async def backup(self, path: str) -> None:  # noqa: ARG002 – nothing is written
        raise StoreError("The store in memory has no backup: it holds nothing that lasts. Use the SQLite store.")

    async def status(self) -> dict[str, Any]:
        return {"kind": "memory", "version": 1, "newest": 1, "synchronous": "not FULL", "trouble": ""}
