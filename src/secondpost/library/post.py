"""What an app holds: opened once, sends many, cheap until the first message.

Rule: it follows the process and the event loop it finds itself in; sessions of another process are never touched.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from email.message import Message
from types import TracebackType
from typing import Any, Self

from secondpost.core import message as rfc5322
from secondpost.errors import SecondpostError
from secondpost.library import parts
from secondpost.library.parts import Attachments, Texts
from secondpost.library.result import Result
from secondpost.library.way import Way
from secondpost.mailers.base import Mailer
from secondpost.service import mime

stage: Callable[[str], type[Mailer]] | None = None  # `secondpost.testing` puts its own mailers here
_left: list[Way] = []  # of a parent process: kept, so that nothing of it is closed from here


class Post:
    """`await post.send(…)`; `async with` closes its sessions at the end. `secondpost.open` makes one."""

    def __init__(self, make: Callable[[], Way], *, from_email: str, timeout: float) -> None:
        self.timeout = timeout
        self.from_email = from_email
        self._make = make
        self._way: Way | None = None
        self._place: tuple[object, ...] = ()
        self._opening = asyncio.Lock()
        self._is_open = False

    async def send(
        self,
        message: Message | bytes | None = None,
        /,
        *,
        to: Texts = (),
        cc: Texts = (),
        bcc: Texts = (),
        reply_to: Texts = (),
        from_email: str = "",
        subject: str = "",
        text: str = "",
        html: str = "",
        headers: Mapping[str, str] | None = None,
        attachments: Attachments = (),
        priority: str = "",
        tags: Texts = (),
        metadata: Mapping[str, str] | None = None,
        key: str = "",
        connection: str = "",
        timeout: float | None = None,  # noqa: ASYNC109  # its end withdraws what was not sent
    ) -> Result:
        """Send, and tell what became of it. A ready `message` goes as it is, to `to` if given, else to those it names.

        `key`: the same key is one message, however often it is sent. Raises `Refusal` when the message is wrong.
        """
        common: dict[str, Any] = {"priority": priority, "key": key, "tags": parts.texts(tags), "metadata": metadata}
        if message is None:
            draft = parts.built(
                sender=from_email or self.from_email, to=to, cc=cc, bcc=bcc, reply_to=reply_to, subject=subject,
                text=text, html=html, headers=headers, attachments=attachments, **common,
            )  # fmt: skip
        elif any((cc, bcc, reply_to, subject, text, html, headers, attachments)):
            raise mime.refusal("message", "A ready message is sent as it is: give its parts, or the message.")
        else:
            draft = parts.ready(message, sender=from_email, to=to, **common)
        draft = replace(draft, entrypoint="library", prefer=connection)
        way = await self._working()
        return await way.send(draft, self.timeout if timeout is None else timeout)

    async def find(self, id: str) -> Result | None:
        """What became of a message since, by the id of its result; None when it is not known (any more)."""
        try:
            number = rfc5322.parse_id(id)
        except ValueError:
            return None
        return await (await self._working()).find(number)

    async def start(self) -> None:
        """Open now what the first message would open: a queue goes on with what waits in it."""
        await self._working()

    async def _working(self) -> Way:
        """The lines of this process and this loop; new ones after a fork, or when the loop is another."""
        loop = asyncio.get_running_loop()
        place = (os.getpid(), loop, stage)
        if self._way is None or self._place != place:
            if self._way is not None:
                self._leave(loop)
            self._way, self._place, self._opening, self._is_open = self._make(), place, asyncio.Lock(), False
        way = self._way
        async with self._opening:
            if not self._is_open:
                await way.open()
                self._is_open = True
        return way

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        pid, other, _ = self._place
        assert self._way is not None
        assert isinstance(other, asyncio.AbstractEventLoop)
        if pid == os.getpid() and other is not loop and other.is_running():
            raise SecondpostError(
                "This post is at work in the event loop of another thread. Nothing was sent. Open one for each loop, "
                "or use secondpost.blocking.open, which any thread may call."
            )
        _left.append(self._way)

    async def close(self) -> None:
        """Finish what is under way and say good-bye. The next `send` opens it again."""
        if self._way is not None and self._place[:2] == (os.getpid(), asyncio.get_running_loop()):
            way, self._way = self._way, None
            await way.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
