"""The hot path: accepts, starts and records of a batch become one statement, which is one transaction.

Rule: operations on one message keep their order; if one of a batch fails by its own fault, only that one fails.
"""

from asyncio import Future
from typing import Any

import apsw

from secondpost.core.delivery import IllegalMove, Move, State, step
from secondpost.errors import IdempotencyConflict, StoreError
from secondpost.store.base import Change, Receipt, Record, Start, Submission
from secondpost.store.changes import KEY_LIFE, after, digest, telling
from secondpost.store.sqlite.rows import encode, fetch, mended, ms, ms_or_none, value
from secondpost.store.statements import statements
from secondpost.store.vault import Vault

ACCEPT, START, RECORD, OTHER = range(4)  # the order in which a run writes them

LARGE = 16 * 2**20  # bytes of content in one statement: bounds memory

BACKUP, TROUBLE = "/backup", "/trouble"  # marks beside the connections in `carried` (see the migration 0002)
CONTENT_PLACE = b"content/%d"
TRANSCRIPT_PLACE = b"attempt/%d/transcript"

jsonb = apsw.jsonb_encode

_SQL = statements("sqlite/batch")
_WRITE = _SQL["write"]
_LEASED = step(State.WAITING, Move.LEASE).value
_WITHHELD = step(State.WAITING, Move.CANCEL).value

Ask = tuple[int, Any, "Future[Any]"]


class Run:
    """Rows of operations that may be written together."""

    __slots__ = ("attempts", "changes", "contents", "deliveries", "keys", "late", "messages", "offset", "starts")

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.contents: list[bytes] = []
        self.deliveries: list[Any] = []
        self.keys: list[Any] = []
        self.starts: list[Any] = []
        self.attempts: list[Any] = []
        self.changes: list[Any] = []
        self.late: list[Any] = []
        self.offset = 1  # SQL counts bytes from 1


class Batch:
    """Writes accepts, starts and records through one connection."""

    def __init__(self, connection: apsw.Connection, vault: Vault) -> None:
        self._connection = connection
        self._execute = connection.cursor().execute
        self._vault = vault
        self._routes: dict[tuple[str, ...], int] = {}
        self.indexed = 0  # the search index reaches this message
        self._add = (self._accept, self._start, self._record)
        connection.execute(_SQL["make_batch"])

    def write(self, asks: list[Ask]) -> list[Any]:
        """One transaction for operations that may be written together (`runs`); the answers in their order."""
        run = Run()
        try:
            for kind, value, _ in asks:
                self._add[kind](run, value)
            self._save(run)
        except (apsw.ConstraintError, IllegalMove, UnicodeEncodeError):
            return self._one_by_one(asks)
        return [Receipt(value.id) if kind == ACCEPT else True for kind, value, _ in asks]

    def route(self, names: tuple[str, ...]) -> int:
        """The number of a route, which is added when it is new."""
        number = self._routes.get(names)
        if number is None:
            text = encode(names)
            db = self._connection
            number = int(value(db, _SQL["find_route"], (text,)) or value(db, _SQL["add_route"], (text,)))
            self._routes[names] = number
        return number

    def accept(self, it: Submission) -> None:
        """Write one submission as part of a transaction that has begun."""
        run = Run()
        self._accept(run, it)
        self._mend(run)
        self._save(run)

    def forget(self) -> None:
        """A transaction was undone: what was learned in it may not be so."""
        self._routes.clear()

    # Rows ----------------------------------------------------------------------------------------------------------

    def _accept(self, run: Run, it: Submission) -> None:
        message, summary = it.message, it.summary
        accepted, expires = ms(it.accepted), ms(it.expires)
        sealed = self._vault.seal(message.head + message.body, CONTENT_PLACE % it.id)
        tail = message.tail
        run.messages.append((
            it.id, accepted, expires, it.priority, message.size, it.sender, summary.subject, summary.from_email,
            it.client, it.entrypoint, it.notes, it.tag, it.parent, len(message.head), tail and tail.size, run.offset,
            len(sealed),
        ))  # fmt: skip
        run.contents.append(sealed)
        run.offset += len(sealed)
        route = self._routes.get(it.route) or self.route(it.route)
        state, due, worker, fence = (
            (_LEASED, None, it.worker, 1) if it.worker else ("waiting", ms(it.due or it.accepted), None, 0)
        )
        for number, recipient in enumerate(it.recipients):
            row: tuple[Any, ...]
            if recipient in it.withheld:
                row = (_WITHHELD, route, it.priority, expires, None, None, 0, it.withheld[recipient])
            else:
                row = (state, route, it.priority, expires, due, worker, fence, None)
            run.deliveries.append((it.id, number, recipient, *row))
        if it.key:
            run.keys.append((it.client, it.key, digest(it), it.id, ms(it.accepted + KEY_LIFE)))

    def _start(self, run: Run, it: Start) -> None:
        now = ms(it.now)
        for number in it.numbers:
            run.starts.append((it.message, number, it.worker, it.fence, it.attempt, it.connection, now))
        if it.message <= self.indexed:
            run.late += [(it.connection, it.message), (BACKUP, it.message)]

    def _record(self, run: Run, it: Record) -> None:
        if it.attempt:
            transcript = self._transcript(it) if it.transcript else None
            run.attempts.append((
                it.message, it.fence, it.attempt, it.connection, ms(it.started), ms(it.ended), it.phase,
                [telling(change) for change in it.changes], it.note, transcript,
            ))  # fmt: skip
            if it.message <= self.indexed:
                run.late += [(mark, it.message) for mark in (it.connection, BACKUP, TROUBLE)]
        if it.report is not None:
            self._accept(run, it.report)
        for change in it.changes:
            run.changes.append(self._change(it, change))

    def _transcript(self, it: Record) -> str:
        plain = it.transcript.encode("utf-8", "replace")
        return self._vault.seal(plain, TRANSCRIPT_PLACE % it.message).hex()

    def _change(self, it: Record, change: Change) -> tuple[Any, ...]:
        leased, sending = after(change.moves)
        if not leased and not sending:
            raise IllegalMove(State.LEASED, change.moves[0])
        worker = it.worker if (sending or leased) == State.LEASED else None
        return (
            it.message, change.number, it.worker, it.fence, leased, sending, ms_or_none(change.due), change.tries,
            change.spent or None, change.reason or None, int(change.possible_duplicate), it.attempt or None,
            it.connection or None, worker,
        )  # fmt: skip

    # Saving --------------------------------------------------------------------------------------------------------

    def _save(self, run: Run) -> None:
        self._execute(_WRITE, (
            jsonb(run.messages), b"".join(run.contents), jsonb(run.deliveries), jsonb(run.keys), jsonb(run.starts),
            len(run.starts), jsonb(run.attempts), jsonb(run.changes), len(run.changes), jsonb(run.late),
        ))  # fmt: skip

    def _one_by_one(self, asks: list[Ask]) -> list[Any]:
        """The slow path: one transaction still, but a failing operation undoes only itself."""
        answers: list[Any] = []
        with transaction(self._connection):
            for kind, value, _ in asks:
                answers.append(self._alone(kind, value))
        return answers

    def _alone(self, kind: int, it: Any) -> Any:
        run = Run()
        try:
            if kind == ACCEPT and it.key and (answer := self._known(it)) is not None:
                return answer
            self._add[kind](run, it)
            self._mend(run)
            self._save(run)
        except apsw.ConstraintError as error:
            return self._not_stored(it, error) if kind == ACCEPT else self._not_held(it)
        except IllegalMove as error:
            return error
        return Receipt(it.id) if kind == ACCEPT else True

    @staticmethod
    def _mend(run: Run) -> None:
        for rows in (run.messages, run.deliveries, run.keys, run.starts, run.attempts, run.changes, run.late):
            rows[:] = mended(rows)

    def _known(self, it: Submission) -> Receipt | IdempotencyConflict | None:
        """The answer to an idempotency key that was used in the last 24 hours."""
        key = (it.client, it.key)
        for message, known, expires in fetch(self._connection, _SQL["find_key"], key):
            if expires > ms(it.accepted):
                return Receipt(message, duplicate=True) if known == digest(it) else IdempotencyConflict(it.key)
            self._execute(_SQL["drop_key"], key)
        return None

    @staticmethod
    def _not_stored(it: Submission, error: apsw.ConstraintError) -> StoreError:
        return StoreError(
            f"Message {it.id} could not be stored: {error}. Nothing was written. "
            "This is a bug of Secondpost; please report it."
        )

    def _not_held(self, it: Start | Record) -> bool | IllegalMove:
        """Why an update missed a row: the lease was lost, unless it is still held and the moves are illegal."""
        for change in it.changes if isinstance(it, Record) else ():
            for state, worker, fence in fetch(self._connection, _SQL["held"], (it.message, change.number)):
                if (worker, fence) == (it.worker, it.fence) and not after(change.moves)[state == State.SENDING]:
                    return IllegalMove(State(state), change.moves[0])
        return False


def runs(asks: list[Ask]) -> list[list[Ask]]:
    """Cut a batch into runs within which accepts, then starts, then records keep the order of every message."""
    cuts: list[list[Ask]] = [[]]
    last: dict[int, int] = {}
    size = 0
    for ask in asks:
        kind = ask[0]
        if kind == OTHER:
            cuts += [ask], []
            last = {}
            continue
        if kind == ACCEPT:
            message = ask[1].id
            size += len(ask[1].message.body)
        else:
            message = ask[1].message
        if last.get(message, ACCEPT) > kind or size > LARGE:
            cuts.append([])
            last, size = {}, 0
        last[message] = kind
        cuts[-1].append(ask)
    return [cut for cut in cuts if cut]


class transaction:  # noqa: N801 – used as a statement
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK when an exception passes."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:  # the commit failed too, or SQLite left it to us
                self._connection.execute("ROLLBACK")
