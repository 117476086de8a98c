"""The ledger: writes down what attempts led to, and keeps what could not be written until it can.

Rule: while anything is unwritten no attempt begins: sent but not recorded is how duplicates are made.
"""

import asyncio
import logging
from asyncio import Future, Task
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from secondpost.core import message as rfc5322
from secondpost.core.delivery import Move
from secondpost.core.outcome import Unclear
from secondpost.errors import StoreError
from secondpost.store.base import Record, Store

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Ledger:
    """`suspended`: something could not be written down; `save` tries again."""

    store: Store
    suspended: bool = False
    on_doubt: Callable[[int], None] = lambda _: None  # a message of which nobody knows whether they have it
    _unsaved: deque[Record] = field(default_factory=deque)
    _telling: set["Task[None]"] = field(default_factory=set)

    def write(self, record: Record) -> None:
        """Write it down."""
        self.store.record(record).add_done_callback(lambda done: self._written(record, done))

    def tell(self, kind: str, *, at: datetime, connection: str, message: int, text: str) -> None:
        """An event of the message's story. Nothing depends on it: what cannot be written is left out."""
        event = self.store.event(kind, at=at, connection=connection, message=message, text=text)
        task = asyncio.get_running_loop().create_task(_left_out_if_need_be(event))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def _written(self, record: Record, done: "Future[bool]") -> None:
        if done.cancelled():
            return
        error = done.exception()
        if error is None:
            self._saved(record, held=done.result())
        elif isinstance(error, StoreError):
            logger.error("a result could not be written down; sending pauses: %s", error)
            self.suspended = True
            self._unsaved.append(_given_back(record))
        else:
            _refused(record, error)

    def _saved(self, record: Record, *, held: bool) -> None:
        if not held:
            logger.warning("a result came too late: the lease was lost", extra={"id": rfc5322.id_text(record.message)})
            return
        if any(type(change.outcome) is Unclear for change in record.changes):
            self.on_doubt(record.message)

    async def save(self) -> bool:
        """Try again to write down what could not be written. True: all of it is on disk, and sending may go on."""
        while self._unsaved:
            record = self._unsaved[0]
            try:
                self._saved(record, held=await self.store.record(record))
            except StoreError:
                return False
            except Exception as error:
                _refused(record, error)
            self._unsaved.popleft()
        self.suspended = False
        return True


def _given_back(record: Record) -> Record:
    """What was to go on at once waits: meanwhile its next attempt may have found that the store knows nothing of it."""
    changes = tuple(
        replace(change, moves=change.moves[:-1], due=record.ended) if change.moves[-1] is Move.LEASE else change
        for change in record.changes
    )
    return replace(record, changes=changes)


async def _left_out_if_need_be(event: Coroutine[Any, Any, None]) -> None:
    try:
        await event
    except StoreError as error:
        logger.warning("an event is missing from the log: %s", error)


def _refused(record: Record, error: BaseException) -> None:
    """A record that the store will never take must not stop all other mail."""
    logger.error(
        "a result was refused by a fault of our own; its deliveries stay as they are",
        exc_info=error,
        extra={"id": rfc5322.id_text(record.message)},
    )
