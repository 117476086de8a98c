"""Migrations: each once, in order, whole or not at all, and a copy before anything is touched."""

from pathlib import Path

import apsw
import pytest

from secondpost.errors import StoreCorrupt, StoreNewer
from secondpost.store.migrate import migrate, migrations, version

ONE = (1, "CREATE TABLE a (x); INSERT INTO a VALUES (1);")
TWO = (2, "ALTER TABLE a ADD COLUMN y DEFAULT 7;")
BROKEN = (3, "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1);")


@pytest.fixture
def db(tmp_path: Path) -> apsw.Connection:
    db = apsw.Connection(str(tmp_path / "s.db"))
    db.pragma("journal_mode", "wal")
    return db


def test_a_new_database_gets_all_steps_and_no_copy(db, tmp_path):
    migrate(db, [ONE, TWO])
    assert (version(db), db.execute("SELECT x, y FROM a").fetchall()) == (2, [(1, 7)])
    assert list(tmp_path.glob("*.before-*")) == []


def test_a_step_is_taken_once(db):
    migrate(db, [ONE])
    migrate(db, [ONE])
    assert db.execute("SELECT count(*) FROM a").get == 1


def test_f50_an_old_database_is_copied_before_the_first_new_step(db, tmp_path):
    migrate(db, [ONE])
    migrate(db, [ONE, TWO])
    (copy,) = tmp_path.glob("*.before-*")
    old = apsw.Connection(str(copy))
    assert (version(old), old.execute("SELECT * FROM a").fetchall()) == (1, [(1,)])


def test_f50_a_step_that_fails_leaves_the_database_as_it_was(db):
    migrate(db, [ONE, TWO])
    with pytest.raises(apsw.Error):
        migrate(db, [ONE, TWO, BROKEN])
    assert version(db) == 2
    assert db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'b'").get == 0
    migrate(db, [ONE, TWO, (3, "CREATE TABLE b (x)")])
    assert version(db) == 3


def test_f50_a_copy_that_was_cut_short_is_made_anew(db, tmp_path):
    migrate(db, [ONE])
    (tmp_path / "s.db.before-0002.part").write_bytes(b"half")
    migrate(db, [ONE, TWO])
    assert [path.name for path in tmp_path.glob("*.before-*")] == ["s.db.before-0002"]


def test_f50_a_newer_database_is_refused(db):
    migrate(db, [ONE, TWO])
    with pytest.raises(StoreNewer, match="Install the newer version"):
        migrate(db, [ONE])


def test_another_programs_database_is_refused(db):
    db.execute("CREATE TABLE customer (name)")
    with pytest.raises(StoreCorrupt):
        migrate(db, [ONE])


def test_what_providers_told_before_lists_showed_it_is_shown(db):
    migrate(db, migrations()[:2])
    db.execute("INSERT INTO route (id, names) VALUES (1, '[]')")
    db.execute("INSERT INTO message VALUES (7, 0, 0, 1, 0, '', '', '', '', '', '', '', NULL)")
    columns = "message, number, recipient, state, route, priority, expires, fence"
    deliveries = f"INSERT INTO delivery ({columns}) VALUES (7, ?, '', 'accepted', 1, 1, 0, 1)"
    db.executemany(deliveries, [(number,) for number in range(13)])
    told = [
        ("delivered", "#0 a@x.org: 250 ok"), ("bounced", "#1 9@x.org"), ("delivered", "#1 9@x.org"),
        ("opened", "#12 a@x.org"), ("rejected", "#2 a@x.org"), ("deferred", "#3 a@x.org"),
        ("delivered", "one of them: #4"), ("person", "#5 delivered"), ("complained", "#6"), ("delivered", "#6"),
    ]  # fmt: skip
    db.executemany("INSERT INTO event (at, kind, connection, message, text) VALUES (0, ?, 'main', 7, ?)", told)
    migrate(db, migrations())
    assert dict(db.execute("SELECT number, sequel FROM delivery WHERE sequel IS NOT NULL").fetchall()) == {
        0: "delivered", 1: "bounced", 2: "failed", 6: "complained", 12: "delivered",
    }  # fmt: skip


def test_the_steps_are_numbered_without_a_gap():
    assert [number for number, _ in migrations()] == list(range(1, len(migrations()) + 1))
