"""What every store promises of settings: small JSON documents by (kind, name).

Rule: documents may hold secrets, so their values are encrypted at rest.
"""

from collections.abc import Mapping
from typing import Any, Protocol


class Settings(Protocol):
    async def get(self, kind: str, name: str) -> Any | None: ...

    async def all(self, kind: str) -> dict[str, Any]: ...

    async def put(self, kind: str, name: str, value: Any) -> None: ...

    async def put_all(self, kind: str, documents: Mapping[str, Any | None]) -> None:
        """All of these by their names, or none; None deletes one."""
        ...

    async def delete(self, kind: str, name: str) -> bool: ...
