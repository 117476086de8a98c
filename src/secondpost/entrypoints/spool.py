"""The collector: takes in what `secondpost-sendmail` left in the spool folder while the gateway did not run.

Rule: a file goes when its message is on disk here, and its key makes sure that a second look takes it only once. What
cannot be taken is set aside with the reason: nobody is there any more who could be told.
"""

import asyncio
import contextlib
import logging
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Protocol

from secondpost.config.settings import Sendmail
from secondpost.entrypoints import spool_file
from secondpost.entrypoints.smtp_local import grant, user_name
from secondpost.errors import ConfigError, Refusal, StoreError
from secondpost.service.compose import checked
from secondpost.service.submit import Draft
from secondpost.store.base import Receipt, TailWriter
from secondpost.wire.server_content import Content

logger = logging.getLogger(__name__)

REFUSED = "refused"  # the folder for what was set aside
REASON = ".reason"
RHYTHM = 1.0  # seconds
BLOCK = 65_536
LEFTOVER = 86_400.0  # seconds after which an unfinished file has nobody any more who would finish it
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Events(Protocol):
    """What the collector needs of the store, beside taking the message."""

    def tail(self, message: int) -> TailWriter: ...
    async def event(self, kind: str, *, at: datetime, text: str) -> None: ...


@dataclass(slots=True)
class Spool:
    """`start` and `stop`; `collect` is one look."""

    config: Sendmail
    limit: int  # bytes of a message
    submit: "Callable[[Draft], asyncio.Future[Receipt]]"
    store: Events
    new_id: Callable[[], int]
    now: Callable[[], datetime]
    _task: "asyncio.Task[None] | None" = None

    def start(self) -> None:
        """Make the folder, and begin to look. Raises `ConfigError`."""
        if (folder := self.config.spool) is not None:
            _make(folder, self.config.access)
            self._task = asyncio.get_running_loop().create_task(self._look(folder))

    async def stop(self) -> None:
        """A message that is being taken stays in the folder, unless it is on disk already; its key tells."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _look(self, folder: Path) -> None:
        while True:
            try:
                await self.collect(folder)
            except (OSError, StoreError) as error:
                logger.error("the spool must wait: %s", error)
            await asyncio.sleep(RHYTHM)

    async def collect(self, folder: Path) -> None:
        """Take every message that lies there, the oldest first. Raises what makes all others wait, too."""
        names = await asyncio.to_thread(_names, folder)
        for name in names:
            path = folder / name
            try:
                await self._take(path)
            except (Refusal, spool_file.NotASpoolFile) as refusal:
                await self._set_aside(path, str(refusal))
            except (OSError, StoreError):
                raise
            except Exception as error:
                logger.exception("a spooled message could not be taken by a fault of our own")
                await self._set_aside(path, f"a fault of Secondpost: {error!r}")
        if names:
            await asyncio.to_thread(_sync, folder)

    async def _take(self, path: Path) -> None:
        file = await asyncio.to_thread(_open, path)
        if file is None:
            return
        with file:
            receipt = await self._submitted(file, path.stem)
        await asyncio.to_thread(path.unlink)
        if receipt.duplicate:
            logger.info("a spooled message was with us already; its file is removed", extra={"spooled": path.name})

    async def _submitted(self, file: IO[bytes], name: str) -> Receipt:
        first = await asyncio.to_thread(file.read, spool_file.HEAD_LIMIT)
        envelope, start = spool_file.read_head(first)
        about = os.fstat(file.fileno())
        if about.st_size - start != envelope.size:
            raise spool_file.NotASpoolFile(f"it has {about.st_size - start} bytes, not {envelope.size}")
        number = self.new_id()
        writer = self.store.tail(number)
        content = Content(limit=self.limit, normalize=False)
        try:
            await _feed(content, writer, file, first[start:])
            tail = await writer.finish() if content.streaming else None
            draft = Draft(
                id=number, sender=envelope.sender, recipients=tuple(dict.fromkeys(envelope.recipients)),
                content=content.first, tail=tail, eight_bit=content.eight_bit, entrypoint="sendmail", trusted=True,
                client="" if envelope.asked else user_name(about.st_uid), key=_key(content.first, name),
                smtputf8=not all(text.isascii() for text in (envelope.sender, *envelope.recipients)),
            )  # fmt: skip
            receipt = await asyncio.shield(self.submit(checked(draft)))
        except (Refusal, spool_file.NotASpoolFile, OSError):
            writer.abandon()
            raise
        if receipt.duplicate:
            writer.abandon()
        return receipt

    async def _set_aside(self, path: Path, reason: str) -> None:
        await asyncio.to_thread(_move, path, reason)
        kept = path.parent / REFUSED / path.name
        logger.error("a spooled message was refused and set aside in %s: %s", kept, reason)
        text = f"a spooled message was refused and set aside in {kept}: {reason}"
        await self.store.event("spool", at=self.now(), text=text)


async def _feed(content: Content, writer: TailWriter, file: IO[bytes], first: bytes) -> None:
    """Checked and cut as a message that comes by SMTP, so that its digest is the same."""
    piece = first
    while piece and not content.fault:
        for block in content.feed(piece):
            await writer.write(block)
        piece = await asyncio.to_thread(file.read, BLOCK)
    for block in content.finish():
        await writer.write(block)
    if content.fault:
        raise spool_file.NotASpoolFile(content.fault[4:].decode().strip())


def _key(head: bytes, name: str) -> str:
    """Empty when the message has a key of its own; else the name of the file, which is never used again."""
    block = head[: head.find(b"\r\n\r\n")].lower()
    return "" if b"\r\nsecondpost-idempotency-key:" in b"\r\n" + block else f"spool-{name}"


# ── the folder ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _make(folder: Path, access: str) -> None:
    """Others may put files in, but not take or read those of each other: sticky, and files get the folder's group."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = folder / REFUSED
        kept.mkdir(mode=0o700, exist_ok=True)
        about = kept.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid():
            raise PermissionError(1, f"{kept} belongs to somebody else")
    except OSError as error:
        raise ConfigError(
            f"The spool folder {folder} cannot be used: {error.strerror or error}. Nothing was started. Make it, for "
            'the gateway\'s user, or set another one, or "off": [sendmail] spool.'
        ) from None
    if folder.stat().st_uid == os.geteuid():
        grant(folder, access, owner=0o700, group=0o3770, everyone=0o3777)


def _names(folder: Path) -> list[str]:
    """Whole messages, oldest first. What was begun and never finished goes after a day."""
    with os.scandir(folder) as entries:
        found = [entry.name for entry in entries]
    for name in found:
        if name.endswith(spool_file.UNFINISHED):
            with contextlib.suppress(OSError):
                if (folder / name).lstat().st_mtime < time.time() - LEFTOVER:
                    (folder / name).unlink()
    return sorted(name for name in found if name.endswith(spool_file.WHOLE))


def _open(path: Path) -> IO[bytes] | None:
    """None when it has gone. A link, a pipe or a folder with such a name is nobody's message."""
    try:
        number = os.open(path, _FLAGS)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise spool_file.NotASpoolFile(f"it cannot be read: {error.strerror}") from None
    about = os.fstat(number)
    if not stat.S_ISREG(about.st_mode) or about.st_nlink != 1:
        os.close(number)
        raise spool_file.NotASpoolFile("it is not a plain file of its own")
    return os.fdopen(number, "rb")


def _move(path: Path, reason: str) -> None:
    kept = path.parent / REFUSED
    (kept / (path.name + REASON)).write_text(reason + "\n", encoding="utf-8")
    with contextlib.suppress(FileNotFoundError):
        path.rename(kept / path.name)


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
