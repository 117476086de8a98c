"""Where a connection's tokens are kept: in the store, encrypted, under the connection's name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from secondpost.core.connection import Connection
from secondpost.mailers.base import Mailer, has_tokens
from secondpost.store.base import Store

KIND = "token"


@dataclass(frozen=True, slots=True)
class Kept:
    """A connection's tokens in the store, where they are encrypted."""

    store: Store
    name: str

    async def load(self) -> Mapping[str, Any] | None:
        return await self.store.get(KIND, self.name)

    async def save(self, value: Mapping[str, Any]) -> None:
        await self.store.put(KIND, self.name, dict(value))


def made(find: Callable[[str], type[Mailer]], connection: Connection, store: Store) -> Mailer:
    """The mailer of a connection, with the place where it keeps its tokens."""
    mailer = find(connection.mailer)(connection)
    if has_tokens(mailer):
        mailer.keeper = Kept(store, connection.name)
    return mailer
