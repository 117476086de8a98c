"""Contents: what was sealed in the database is opened, and what is kept beside it is at hand as a tail."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import apsw

from secondpost.core.message import Message
from secondpost.errors import KeyProblem
from secondpost.store.base import Lease
from secondpost.store.sqlite.batch import CONTENT_PLACE
from secondpost.store.sqlite.rows import fetch
from secondpost.store.statements import statements
from secondpost.store.tails import FileTail, tail_path
from secondpost.store.vault import Vault

_SQL = statements("sqlite/contents")


class Contents:
    """Reads messages back. `bodies`: the folder of what is kept beside the database."""

    def __init__(self, vault: Vault, bodies: Path) -> None:
        self._vault = vault
        self._bodies = bodies

    def read(self, db: apsw.Connection, message: int) -> Message | None:
        """None when it was dropped. Raises `KeyProblem` when it was damaged on disk."""
        for head, tail, sealed in fetch(db, _SQL["content"], (message,)):
            plain = self._vault.open(sealed, CONTENT_PLACE % message)
            return Message(plain[:head], plain[head:], None if tail is None else self._tail(message, tail))
        return None

    def _tail(self, message: int, size: int) -> FileTail:
        return FileTail(tail_path(self._bodies, message), self._vault, message, size)

    def bring(self, db: apsw.Connection, leases: Sequence[Lease]) -> None:
        """Give leases their messages. One that is damaged stays without: the others must not wait for it."""
        for lease in leases:
            with suppress(KeyProblem):
                lease.message = self.read(db, lease.id)
