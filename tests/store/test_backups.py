"""A backup: a whole store but for the key, under its name only once it is whole."""

import errno

import pytest

from secondpost.core.message import Message
from secondpost.errors import StoreError
from secondpost.store.sqlite import backups
from tests.store.conftest import reopened
from tests.store.samples import message_id, submission


async def test_a_backup_is_a_whole_store_but_for_the_key(store, tmp_path):
    await store.accept(submission(1))
    writer = store.tail(message_id(2))
    await writer.write(b"z" * 100_000)
    large = submission(2, message=Message(b"Subject: large\r\n\r\n", b"", await writer.finish()))
    await store.accept(large)
    copy = tmp_path / "elsewhere"
    await store.backup(str(copy))
    assert {path.stat().st_mode & 0o077 for path in [copy, *copy.rglob("*")]} == {0}
    assert not (copy / "secret.key").exists()
    (copy / "secret.key").write_bytes((tmp_path / "secret.key").read_bytes())
    (copy / "secret.key").chmod(0o600)
    twin = await reopened(copy)
    assert await twin.content(message_id(1)) == submission(1).message
    content = await twin.content(message_id(2))
    assert content is not None
    assert content.tail is not None
    assert b"".join(content.tail.blocks()) == b"z" * 100_000
    await twin.close()


async def test_a_backup_overwrites_nothing(store, tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "folder").mkdir()
    for name in ("precious", "folder"):
        with pytest.raises(StoreError, match="exists already"):
            await store.backup(str(tmp_path / name))
    assert (tmp_path / "precious").read_text() == "mine"


async def test_a_backup_has_its_name_only_once_it_is_whole(store, tmp_path, monkeypatch):
    writer = store.tail(message_id(1))
    await writer.write(b"z" * 100_000)
    await store.accept(submission(1, message=Message(b"Subject: large\r\n\r\n", b"", await writer.finish())))
    copy = tmp_path / "elsewhere"
    met = []

    def disk_full(_body, path):
        met.append((copy.exists(), path.parents[2].stat().st_mode & 0o077))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(backups, "_copy_body", disk_full)
    with pytest.raises(StoreError, match="elsewhere could not be made: No space left on device"):
        await store.backup(str(copy))
    assert met == [(False, 0)]
    assert list(tmp_path.glob("elsewhere*")) == []


async def test_a_backup_to_nowhere_is_no_fault_of_the_data_folder(store, tmp_path):
    with pytest.raises(StoreError, match=r"could not be made: No such file or directory.*mail goes on"):
        await store.backup(str(tmp_path / "missing" / "copy"))
