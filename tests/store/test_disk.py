"""The disk is full, or fails (F18 to F21).

Rule: intake stops, what was sent is still recorded, and nothing doubtful is believed.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from secondpost.core.delivery import State
from secondpost.core.message import Message
from secondpost.errors import StoreError, StoreUnavailable
from secondpost.store.sqlite import SqliteStore, reserve
from tests.store.conftest import Spawn
from tests.store.samples import WORKER, message_id, record, start, states, submission

BODY = Message(b"Subject: x\r\n\r\n", b"x" * 50_000)
EIO = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=")

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
traced = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], check=False, capture_output=True)
    if done.returncode:
        pytest.skip("tmpfs cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
async def cramped(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteStore]:
    monkeypatch.setattr(reserve, "RETRY", 0.05)
    store = SqliteStore(small_disk)
    await store.open()
    yield store
    await store.close()


async def fill(store: SqliteStore) -> int:
    """Accept messages until the disk is full; returns how many went in."""
    for number in range(1000, 2000):
        try:
            await store.accept(submission(number, id=message_id(number), message=BODY))
        except StoreUnavailable:
            return number - 1000
    raise AssertionError("the disk never filled")


@as_root
async def test_f18_a_full_disk_refuses_mail_and_still_records_what_was_sent(cramped: SqliteStore):
    sent = [submission(number, worker=WORKER, id=message_id(number)) for number in range(200)]
    for future in [cramped.accept(it) for it in sent]:
        await future
    stored = await fill(cramped)
    assert stored > 50
    for it in sent:
        assert await cramped.start(start(it)) is True
        assert await cramped.record(record(it)) is True
    assert await states(cramped, sent[-1]) == [State.ACCEPTED]
    with pytest.raises(StoreUnavailable, match="full"):
        await cramped.accept(submission(1, worker=WORKER))
    with pytest.raises(StoreUnavailable, match="full"):
        await cramped.ready()


@as_root
async def test_f18_a_record_in_the_same_batch_as_refused_mail_is_written(cramped: SqliteStore):
    it = submission(1, worker=WORKER)
    await cramped.accept(it)
    await fill(cramped)
    more = [submission(n, id=message_id(n), message=BODY) for n in range(3000, 3010)]
    asked: list[asyncio.Future[Any]] = [
        cramped.accept(more[0]),
        cramped.record(record(it)),
        *(cramped.accept(one) for one in more[1:]),
    ]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert answers[1] is True
    assert all(isinstance(answer, StoreUnavailable) for answer in answers[:1] + answers[2:])


@as_root
async def test_f18_of_several_documents_all_are_written_or_none(cramped: SqliteStore):
    await cramped.put("note", "old", "x")
    with pytest.raises(StoreUnavailable, match="full"):
        await cramped.put_all("note", {"old": None} | {f"new-{number}": "x" * 100_000 for number in range(300)})
    assert await cramped.all("note") == {"old": "x"}
    await cramped.put_all("note", {"old": None, "new": "x"})
    assert await cramped.all("note") == {"new": "x"}


@as_root
async def test_f18_mail_is_taken_again_once_there_is_room(cramped: SqliteStore, small_disk: Path):
    padding = small_disk / "padding"
    padding.write_bytes(b"x" * 6 * 2**20)
    await fill(cramped)
    padding.unlink()
    await asyncio.sleep(0.1)
    await cramped.ready()
    await cramped.accept(submission(1, message=BODY))
    assert (small_disk / "reserve").stat().st_size == reserve.SIZE
    assert (await cramped.status())["trouble"] == ""


@as_root
async def test_f18_a_full_disk_loses_nothing_that_was_accepted(cramped: SqliteStore, small_disk: Path):
    stored = await fill(cramped)
    await cramped.close()
    store = SqliteStore(small_disk)
    await store.open()
    await store.check()
    for number in range(1000, 1000 + stored):
        assert await store.content(message_id(number)) == BODY
    assert await store.content(message_id(1000 + stored)) is None
    await store.close()


@as_root
async def test_f18_opened_on_a_full_disk_it_still_records_what_is_sent(cramped: SqliteStore, small_disk: Path):
    it = submission(1, worker=WORKER)
    await cramped.accept(it)
    await cramped.close()
    (small_disk / "padding").write_bytes(b"x" * shutil.disk_usage(small_disk).free)
    store = SqliteStore(small_disk)
    await store.open()
    with pytest.raises(StoreUnavailable, match="full"):
        await store.accept(submission(2))
    assert await store.start(start(it)) is True
    assert await store.record(record(it)) is True
    await store.close()


@as_root
async def test_f18_a_large_body_that_does_not_fit_is_refused_and_leaves_nothing(cramped: SqliteStore, small_disk: Path):
    tail = cramped.tail(message_id(1))
    with pytest.raises(StoreUnavailable, match="large body"):
        await tail.write(bytes(30 * 2**20))
    tail.abandon()
    assert [path for path in (small_disk / "bodies").rglob("*") if path.is_file()] == []


@as_root
@traced
async def test_f20_after_a_failed_fsync_nothing_more_is_believed(tmp_path: Path, spawn: Spawn):
    """Whichever fsync fails: that message is refused, and so is every later one, although the disk works again."""
    for nth in (12, 15, 20):
        folder = tmp_path / str(nth)
        child = spawn("fail", folder, 30, before=(*EIO[:-1], f"{EIO[-1]}{nth}"))
        assert child.stdout is not None
        answers = child.stdout.read().splitlines()
        assert child.wait() == 0
        good = [line for line in answers if line.startswith("ok")]
        assert answers == good + ["no StoreError"] * (30 - len(good))
        assert len(good) < 30
        store = SqliteStore(folder)
        await store.open()
        for line in good:
            assert await store.content(int(line.removeprefix("ok "))) is not None
        await store.close()


async def test_f20_an_fsync_that_fails_while_tidying_stops_the_store_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store = SqliteStore(tmp_path)
    await store.open()
    await store.accept(submission(1))

    def failing(most: int) -> None:
        raise apsw.IOError("disk I/O error")

    monkeypatch.setattr(store._engine, "_checkpoint", failing)
    for _ in range(100):
        if store._engine.trouble is not None:
            break
        await asyncio.sleep(0.05)
    with pytest.raises(StoreError, match="disk failed") as failed:
        await store.accept(submission(2))
    assert not isinstance(failed.value, StoreUnavailable)  # that would say that nothing was written
    await store.close()


async def test_a_folder_one_may_not_write_to_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("secondpost.store.sqlite.engine.take_lock", refused)
    with pytest.raises(StoreError, match="owner"):
        await SqliteStore(tmp_path).open()
