"""Large bodies on disk: sealed, bound to their place, and never left behind."""

from pathlib import Path

import pytest

from secondpost.core.message import Message
from secondpost.errors import StoreCorrupt
from secondpost.store.sqlite import SqliteStore
from secondpost.store.tails import BLOCK, FileTailWriter, tail_path
from secondpost.store.vault import Vault
from tests.store.samples import DAY, NOW, WORKER, message_id, record, submission

VAULT = Vault(b"k" * 32)


async def written(path: Path, message: int = 1, size: int = 3 * BLOCK):
    writer = FileTailWriter(path, VAULT, message)
    await writer.write(bytes(size))
    return await writer.finish()


def files(folder: Path) -> list[Path]:
    return [path for path in (folder / "bodies").rglob("*") if path.is_file()]


async def test_a_tail_is_for_its_owner_only(tmp_path):
    await written(tmp_path / "t")
    assert (tmp_path / "t").stat().st_mode & 0o777 == 0o600


async def test_a_tail_that_was_cut_changed_or_exchanged_is_not_read(tmp_path):
    path = tmp_path / "t"
    tail = await written(path)
    other = await written(tmp_path / "u", message=2)
    whole = path.read_bytes()
    sealed = len(whole) // 3
    for damaged in (
        whole[:-1],
        whole[: 2 * sealed],
        whole[sealed : 2 * sealed] + whole[:sealed] + whole[2 * sealed :],
        whole[:100] + bytes([whole[100] ^ 1]) + whole[101:],
        (tmp_path / "u").read_bytes(),
        b"",
    ):
        path.write_bytes(damaged)
        with pytest.raises(StoreCorrupt, match="backup"):
            list(tail.blocks())
    path.unlink()
    with pytest.raises(StoreCorrupt):
        list(tail.blocks())
    assert b"".join(other.blocks()) == bytes(3 * BLOCK)


async def test_abandoned_tails_leave_no_file(store: SqliteStore, tmp_path):
    writer = store.tail(message_id(1))
    await writer.write(bytes(3 * BLOCK))
    assert files(tmp_path) != []
    writer.abandon()
    assert files(tmp_path) == []


async def test_bodies_whose_message_was_never_accepted_are_removed_at_the_next_start(tmp_path):
    store = SqliteStore(tmp_path)
    await store.open()
    kept, lost = store.tail(message_id(1)), store.tail(message_id(2))
    for writer in (kept, lost):
        await writer.write(bytes(BLOCK))
    tail = await kept.finish()
    await lost.finish()
    await store.accept(submission(1, message=Message(b"", b"", tail)))
    stranger = tail_path(tmp_path / "bodies", message_id(1)).with_name("notes.txt")
    stranger.write_text("somebody's")
    await store.close()
    await store.open()
    assert sorted(files(tmp_path)) == sorted([tail_path(tmp_path / "bodies", message_id(1)), stranger])
    content = await store.content(message_id(1))
    assert content is not None
    assert content.tail is not None
    assert content.tail.size == BLOCK
    await store.close()


@pytest.mark.parametrize("entries_too", [False, True])
async def test_a_tail_goes_with_its_content(store: SqliteStore, tmp_path, entries_too):
    writer = store.tail(message_id(1))
    await writer.write(bytes(BLOCK))
    it = submission(1, worker=WORKER, message=Message(b"", b"", await writer.finish()))
    await store.accept(it)
    await store.record(record(it))
    log = NOW + DAY if entries_too else NOW - DAY
    content = NOW - DAY if entries_too else NOW + DAY
    await store.purge(content_before=content, log_before=log, now=NOW, limit=10)
    assert files(tmp_path) == []
