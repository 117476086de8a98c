"""The part of a large message that does not fit the database: a file each, sealed in blocks, written while it arrives.

Rule: a block is bound to its message, its place and whether it is the last: nothing is cut, moved or exchanged unseen.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from secondpost.core.message import Tail
from secondpost.errors import KeyProblem, StoreCorrupt, StoreUnavailable
from secondpost.store.vault import Vault, sync_folder

BLOCK = 64 * 1024
SEALED = BLOCK + 28  # with nonce and tag


def tail_path(folder: Path, message: int) -> Path:
    """256 folders, so that none gets too many files; the low bits of an id differ from one to the next."""
    return folder / f"{message & 0xFF:02x}" / f"{message:016x}"


def _place(message: int, index: int, *, last: bool) -> bytes:
    return b"tail/%d/%d/%d" % (message, index, last)


@dataclass(frozen=True, slots=True)
class FileTail:
    """A tail on disk."""

    path: Path
    vault: Vault
    message: int
    size: int

    def blocks(self) -> Iterator[bytes]:
        """Raises `StoreCorrupt` when the file is missing, was cut or was changed."""
        count = max(1, -(-self.size // BLOCK))
        try:
            with self.path.open("rb") as file:
                for index in range(count):
                    place = _place(self.message, index, last=index == count - 1)
                    if block := self.vault.open(file.read(SEALED), place):
                        yield block
        except (OSError, KeyProblem) as error:
            raise StoreCorrupt(
                f"The large body of message {self.message} in {self.path} cannot be read ({error}). "
                "Put the file back from your backup."
            ) from error


class FileTailWriter:
    """Writes a tail in threads, one block at a time, so that the loop never waits for the disk."""

    def __init__(self, path: Path, vault: Vault, message: int) -> None:
        self._path = path
        self._vault = vault
        self._message = message
        self._file: IO[bytes] | None = None
        self._held = bytearray()
        self._index = 0
        self._size = 0

    async def write(self, block: bytes) -> None:
        self._held += block
        self._size += len(block)
        if len(self._held) > BLOCK:
            await asyncio.to_thread(self._write_full)

    async def finish(self) -> Tail:
        await asyncio.to_thread(self._finish)
        return FileTail(self._path, self._vault, self._message, self._size)

    def abandon(self) -> None:
        if self._file is not None:
            self._file.close()
        self._path.unlink(missing_ok=True)

    def _write_full(self) -> None:
        """All full blocks; at least one byte stays, since only `finish` knows which block is the last."""
        while len(self._held) > BLOCK:
            self._put(bytes(self._held[:BLOCK]), last=False)
            del self._held[:BLOCK]

    def _finish(self) -> None:
        self._write_full()
        self._put(bytes(self._held), last=True)
        try:
            with self._open() as file:
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self._path.parent)
        except OSError as error:
            raise _unavailable(self._path, error) from error

    def _put(self, block: bytes, *, last: bool) -> None:
        try:
            self._open().write(self._vault.seal(block, _place(self._message, self._index, last=last)))
        except OSError as error:
            raise _unavailable(self._path, error) from error
        self._index += 1

    def _open(self) -> IO[bytes]:
        if self._file is None:
            folder = self._path.parent
            if not folder.is_dir():
                folder.mkdir(mode=0o700, exist_ok=True)
                sync_folder(folder.parent)
            number = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            self._file = os.fdopen(number, "wb")
        return self._file


def _unavailable(path: Path, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"A large body could not be written to {path} ({error.strerror}). Nothing was accepted; look at the disk."
    )


def tail_files(folder: Path) -> Iterator[tuple[int, Path]]:
    """Every tail on disk with the message it belongs to; other files are left alone."""
    for path in folder.glob("[0-9a-f][0-9a-f]/" + "[0-9a-f]" * 16):
        yield int(path.name, 16), path


def remove_tail(folder: Path, message: int) -> None:
    with suppress(FileNotFoundError):
        tail_path(folder, message).unlink()
