"""Opening the SQLite store: what it needs, what it refuses, and what others may see of it."""

import asyncio
import sqlite3
from pathlib import Path

import apsw
import pytest

from secondpost.core.message import Message
from secondpost.errors import KeyProblem, StoreCorrupt, StoreError, StoreInUse, StoreNewer, StoreUnavailable
from secondpost.store.log import Query
from secondpost.store.memory import MemoryStore
from secondpost.store.sqlite import SqliteStore, connections, engine
from tests.store.conftest import Spawn, reopened
from tests.store.samples import NOW, ROUTE, WORKER, message_id, record, submission


async def filled(folder: Path, count: int = 3) -> None:
    store = await reopened(folder)
    for future in [store.accept(submission(number, id=message_id(number))) for number in range(count)]:
        await future
    await store.put("connection", "primary", {"password": "hunter2"})
    await store.close()


def damage(path: Path, table: str) -> None:
    """Write nonsense over the first page of a table."""
    with sqlite3.connect(path) as db:
        root = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
    db.close()
    with path.open("r+b") as file:
        file.seek(4096 * (root - 1))
        file.write(b"\xa5" * 200)


# Durable -----------------------------------------------------------------------------------------------------------


async def test_every_connection_reads_back_wal_and_full(store, tmp_path):
    for connection in (store._engine.write_connection, store._engine.read_connection):
        assert (connection.pragma("journal_mode"), connection.pragma("synchronous")) == ("wal", 2)
    assert store._engine.write_connection.pragma("foreign_keys") == 1
    assert store._engine.read_connection.pragma("query_only") == 1
    assert (await store.status())["synchronous"] == "FULL"


@pytest.mark.parametrize(
    "weak", ["PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", "PRAGMA journal_mode = DELETE"]
)
async def test_a_connection_that_is_not_durable_is_not_used(tmp_path, monkeypatch, weak):
    monkeypatch.setitem(connections.SQL, "set_up_writer", weak)
    with pytest.raises(StoreUnavailable, match="power cut"):
        await reopened(tmp_path)


async def test_an_sqlite_that_can_lose_mail_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(StoreUnavailable, match=r"3\.51\.3 or newer"):
        await reopened(tmp_path)


async def test_what_was_accepted_is_there_after_closing_and_opening(tmp_path):
    await filled(tmp_path)
    store = await reopened(tmp_path)
    assert len(await store.page(Query())) == 3
    assert await store.content(message_id(1)) == submission(1).message
    assert await store.get("connection", "primary") == {"password": "hunter2"}
    await store.close()


async def test_closing_finishes_what_was_asked_for(tmp_path):
    store = await reopened(tmp_path)
    futures = [store.accept(submission(number, id=message_id(number))) for number in range(1500)]
    await store.close()
    assert all(future.done() and not future.exception() for future in futures)
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.accept(submission())


async def test_many_asks_share_one_fsync(store):
    async def pages() -> int:
        current, _highest = await store._engine.write(lambda db: db.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE))
        return int(current)

    before = await pages()
    await asyncio.gather(*(store.accept(submission(number, id=message_id(number))) for number in range(400)))
    assert await pages() - before < 400  # one by one they would write several pages each


# One at a time -----------------------------------------------------------------------------------------------------


async def test_f24_a_second_process_is_refused_until_the_first_is_dead(tmp_path, spawn: Spawn):
    child = spawn("hold", tmp_path)
    with pytest.raises(StoreInUse, match="one daemon at a time"):
        await reopened(tmp_path)
    child.kill()
    child.wait()
    await (await reopened(tmp_path)).close()


async def test_f22_a_lock_held_by_another_program_is_waited_for_then_told(tmp_path, monkeypatch):
    monkeypatch.setattr(connections, "BUSY_TIMEOUT", 200)
    store = await reopened(tmp_path)
    other = apsw.Connection(str(tmp_path / "secondpost.db"))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await store.accept(submission(1))
    other.execute("ROLLBACK")
    await store.accept(submission(1))
    other.close()
    await store.close()


# Not ours, not now, not whole --------------------------------------------------------------------------------------


async def test_f50_a_newer_schema_is_left_alone(tmp_path):
    await filled(tmp_path)
    with sqlite3.connect(tmp_path / "secondpost.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    before = (tmp_path / "secondpost.db").read_bytes()
    with pytest.raises(StoreNewer, match="99"):
        await reopened(tmp_path)
    assert (tmp_path / "secondpost.db").read_bytes() == before


@pytest.mark.parametrize(
    "junk", [b"this is not a database, but it is long enough to be one" * 100, b"SQLite format 3\0" + b"\xff" * 5000]
)
async def test_f23_a_file_that_is_no_database_is_kept(tmp_path, junk):
    (tmp_path / "secondpost.db").write_bytes(junk)
    with pytest.raises(StoreCorrupt, match="left as it is"):
        await reopened(tmp_path)
    assert (tmp_path / "secondpost.db").read_bytes() == junk


async def test_f23_a_damaged_page_is_found_at_the_start_and_nothing_is_made_anew(tmp_path):
    await filled(tmp_path, 200)
    path = tmp_path / "secondpost.db"
    damaged = bytearray(path.read_bytes())
    for page in range(4, len(damaged) // 4096):
        damaged[page * 4096 : page * 4096 + 64] = b"\xa5" * 64
    path.write_bytes(damaged)
    with pytest.raises(StoreCorrupt, match="backup"):
        await reopened(tmp_path)
    assert path.read_bytes() == damaged


async def test_f23_damage_met_at_work_stops_intake(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "CHECKED_SIZE", 0)
    await filled(tmp_path, 200)
    damage(tmp_path / "secondpost.db", "message")
    store = await reopened(tmp_path)
    with pytest.raises(StoreCorrupt):
        await store.accept(submission(500))
    with pytest.raises(StoreCorrupt):
        await store.put("rule", "one", 1)
    assert "damaged" in (await store.status())["trouble"]
    await store.close()


async def test_f23_damage_is_found_when_asked_for(store):
    await store.check()


async def test_a_database_of_another_program_is_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / "secondpost.db") as db:
        db.execute("CREATE TABLE customer (name)")
    db.close()
    with pytest.raises(StoreCorrupt, match="not one of Secondpost"):
        await reopened(tmp_path)


async def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="folder"):
        await reopened(tmp_path / "file" / "data")


# The key -----------------------------------------------------------------------------------------------------------


async def test_a_new_key_is_for_its_owner_only(store, tmp_path):
    path = tmp_path / "secret.key"
    assert (path.stat().st_mode & 0o777, path.stat().st_size) == (0o600, 32)
    assert (tmp_path / "secondpost.db").stat().st_mode & 0o777 == 0o600


async def test_a_missing_key_is_never_made_anew(tmp_path):
    await filled(tmp_path)
    (tmp_path / "secret.key").unlink()
    with pytest.raises(KeyProblem, match="missing"):
        await reopened(tmp_path)
    assert not (tmp_path / "secret.key").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
async def test_a_key_that_others_can_read_is_refused(tmp_path, mode):
    await filled(tmp_path)
    (tmp_path / "secret.key").chmod(mode)
    with pytest.raises(KeyProblem, match=r"chmod 600 .*secret\.key"):
        await reopened(tmp_path)


@pytest.mark.parametrize(("key", "told"), [(b"x" * 32, "does not open"), (b"short", "5 bytes")])
async def test_a_wrong_key_is_refused(tmp_path, key, told):
    await filled(tmp_path)
    (tmp_path / "secret.key").write_bytes(key)
    with pytest.raises(KeyProblem, match=told):
        await reopened(tmp_path)


async def test_a_key_may_come_from_elsewhere(tmp_path):
    store = await reopened(tmp_path, key=b"k" * 32)
    await store.accept(submission(1))
    await store.close()
    assert not (tmp_path / "secret.key").exists()
    with pytest.raises(KeyProblem):
        await reopened(tmp_path, key=b"other key".ljust(32))
    store = await reopened(tmp_path, key=b"k" * 32)
    assert await store.content(message_id(1)) == submission(1).message
    await store.close()


async def test_nothing_secret_is_on_the_disk_in_clear(store, tmp_path):
    canary = b"C4N4RY-in-clear"
    it = submission(1, message=Message(b"Subject: x\r\nX: " + canary + b"\r\n\r\n", canary * 100), worker=WORKER)
    writer = store.tail(it.id)
    await writer.write(canary * 10_000)
    await writer.finish()
    await store.accept(it)
    await store.record(record(it, transcript=canary.decode()))
    await store.put("connection", "primary", {"password": canary.decode()})
    await store.backup(str(tmp_path / "copy"))
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or canary not in path.read_bytes(), path


async def test_a_sealed_value_does_not_open_in_anothers_place(store, tmp_path):
    await store.put("connection", "primary", {"password": "a"})
    await store.put("connection", "backup", {"password": "b"})

    def swap(db: apsw.Connection) -> None:
        db.execute("UPDATE setting SET sealed = (SELECT sealed FROM setting AS other WHERE other.name = 'backup')")

    await store._engine.write(swap)
    assert await store.get("connection", "backup") == {"password": "b"}
    with pytest.raises(KeyProblem):
        await store.get("connection", "primary")


# Upkeep ------------------------------------------------------------------------------------------------------------


async def test_f22_the_wal_stays_bounded_under_load(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "WAL_PAGES", 200)
    store = await reopened(tmp_path)
    body = Message(b"Subject: x\r\n\r\n", b"x" * 20_000)
    for begin in range(0, 1000, 50):
        await asyncio.gather(
            *(store.accept(submission(n, id=message_id(n), message=body)) for n in range(begin, begin + 50))
        )
    assert (await store.status())["wal_bytes"] < 1000 * 4096
    assert (await store.status())["bytes"] > 15_000_000
    await store.close()


async def indexed(store: SqliteStore, message: int) -> bool:
    """Wait until the search index reaches a message."""
    for _ in range(100):
        if await store._engine.read(lambda db: db.execute(connections.SQL["indexed"]).get) >= message:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_the_search_index_catches_up_when_nothing_is_asked_for(store):
    futures = [store.accept(submission(n, id=message_id(n))) for n in range(1000)]
    await asyncio.gather(*futures)
    assert await indexed(store, message_id(999))
    assert [row.id for row in await store.page(Query(subject="order 777"))] == [message_id(777)]
    assert await store.index() == 0


async def test_the_search_index_catches_up_under_steady_traffic(store):
    async def traffic():
        for number in range(10**6):
            await store.put("clock", "tick", number)
            await asyncio.sleep(0.01)

    busy = asyncio.create_task(traffic())
    await asyncio.gather(*(store.accept(submission(n, id=message_id(n))) for n in range(500)))
    assert await indexed(store, message_id(499))
    busy.cancel()


async def test_a_commit_that_fails_leaves_no_transaction_open(store):
    def breaks_a_deferred_key(db: apsw.Connection) -> None:
        db.execute("PRAGMA defer_foreign_keys = ON")
        db.execute("INSERT INTO content (message, head, sealed) VALUES (1, 0, x'')")

    with pytest.raises(StoreUnavailable):
        await store._engine.write(breaks_a_deferred_key)
    await store.accept(submission(1))
    assert await store.content(1) is None


async def test_closing_what_was_never_opened_does_nothing(tmp_path):
    store = SqliteStore(tmp_path)
    await store.close()
    await store.open()
    await store.close()
    await store.close()


async def test_a_tail_that_is_not_ours_is_a_mistake_of_the_caller(store):
    foreign = await MemoryStore().tail(1).finish()
    with pytest.raises(TypeError):
        store.accept(submission(1, message=Message(b"", b"", foreign)))


async def test_f23_damage_met_by_a_reader_stops_intake(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "CHECKED_SIZE", 0)
    await filled(tmp_path, 200)
    damage(tmp_path / "secondpost.db", "content")
    store = await reopened(tmp_path)
    with pytest.raises(StoreCorrupt):
        await asyncio.gather(*(store.content(message_id(number)) for number in range(200)))
    with pytest.raises(StoreCorrupt):
        await store.accept(submission(500))
    await store.close()


async def test_a_message_that_cannot_be_opened_keeps_no_other_from_being_leased(store):
    for number in range(3):
        await store.accept(submission(number))

    def spoil(db: apsw.Connection) -> None:
        db.execute("UPDATE content SET sealed = zeroblob(length(sealed)) WHERE message = ?", (message_id(1),))

    await store._engine.write(spoil)
    leases = await store.lease(WORKER, [ROUTE], now=NOW, limit=10, byte_limit=2**20)
    assert [lease.message is None for lease in leases] == [False, True, False]
    with pytest.raises(KeyProblem):
        await store.content(message_id(1))


async def test_a_fault_of_ours_in_the_writer_leaves_nobody_waiting(store, monkeypatch):
    def broken(asks):
        raise ZeroDivisionError

    monkeypatch.setattr(store._engine._writer, "_work", broken)
    with pytest.raises(StoreError, match="fault of our own"):
        await store.accept(submission(1))
