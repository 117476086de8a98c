"""What an app holds: opened once, sends many, cheap until the first message.

Rule: it follows the process and the event loop it finds itself in; sessions of another process are never touched.
"""

import asyncio
import base64
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from email.message import Message
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from secondpost import config
from secondpost.core import message as rfc5322
from secondpost.errors import ConfigError, Refusal, SecondpostError
from secondpost.library.direct import Direct
from secondpost.library.result import Result
from secondpost.mailers.base import Mailer
from secondpost.service import compose, mime
from secondpost.service.ids import new_id
from secondpost.service.submit import Draft

Texts = str | Sequence[str]
Attachments = Sequence[Mapping[str, Any] | tuple[str, bytes] | tuple[str, bytes, str]]
TIMEOUT = 60.0  # seconds that a caller waits for an outcome

stage: Callable[[str], type[Mailer]] | None = None  # `secondpost.testing` puts its own mailers here
_left: list[Direct] = []  # of a parent process: kept, so that nothing of it is closed from here


def open(  # noqa: A001  # the name in the interface: secondpost.open
    file: str | os.PathLike[str] | None = None,
    *,
    from_email: str = "",
    timeout: float = TIMEOUT,
    **settings: Any,
) -> "Post":
    """A post by a configuration file, or by settings as they stand in one: primary=DSN, backup=DSN, connections={…}.

    With neither, SECONDPOST_CONFIG, ./secondpost.toml and SECONDPOST_… variables are read. Raises `ConfigError`.
    """
    if file is not None and settings:
        raise ConfigError(f"Give a file or settings, not both: {file} and {', '.join(settings)}. Nothing was opened.")
    # DATABASE_URL and the app's own folder are the app's: this configuration is about mail only.
    environ = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    if settings:
        environ = {name: value for name, value in environ.items() if not name.startswith("SECONDPOST_")}
        environ["SECONDPOST_CONFIG"] = os.devnull
    found = config.load(file=Path(file) if file is not None else None, environ=environ, overrides=settings)
    found.require()
    return Post(found, from_email=from_email, timeout=timeout)


class Post:
    """`await post.send(…)`; `async with` closes its sessions at the end."""

    def __init__(self, configuration: config.Config, *, from_email: str = "", timeout: float = TIMEOUT) -> None:
        self.timeout = timeout
        self.from_email = from_email or _usual_sender(configuration)
        hostname = configuration.smtp.hostname or self.from_email.rpartition("@")[2].rstrip("> ") or "localhost"
        self._config = replace(configuration, smtp=configuration.smtp.model_copy(update={"hostname": hostname}))
        self._direct: Direct | None = None
        self._place: tuple[object, ...] = ()
        self._opening: asyncio.Lock | None = None

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
        """Send now and tell the outcome. A ready `message` goes as it is, to `to` if given, else to those it names.

        `key`: the same key never sends twice in this process. Raises `Refusal` when the message is wrong.
        """
        common: dict[str, Any] = {"priority": priority, "key": key, "tags": _texts(tags), "metadata": metadata}
        if message is None:
            draft = compose.draft(
                new_id(), sender=from_email or self._sender(), to=_texts(to), cc=_texts(cc), bcc=_texts(bcc),
                reply_to=_texts(reply_to), subject=subject, text=text, html=html, **common,
                headers=tuple((headers or {}).items()), attachments=[_attachment(it) for it in attachments],
            )  # fmt: skip
        else:
            if any((cc, bcc, reply_to, subject, text, html, headers, attachments)):
                raise mime.refusal("message", "A ready message is sent as it is: give its parts, or the message.")
            draft = _ready(message, from_email, _texts(to), common)
        draft = replace(draft, entrypoint="library", prefer=connection)
        direct = await self._working()
        return await direct.send(draft, self.timeout if timeout is None else timeout)

    def _sender(self) -> str:
        if not self.from_email:
            raise mime.refusal(
                "sender", "Nobody is named as the sender: give from_email to send or to open, or to the connection."
            )
        return self.from_email

    async def _working(self) -> Direct:
        """The lines of this process and this loop; new ones after a fork, or when the loop is another."""
        loop = asyncio.get_running_loop()
        place = (os.getpid(), loop, stage)
        if self._direct is not None and self._place == place:
            await self._opened()
            return self._direct
        if self._direct is not None:
            self._leave(loop)
        self._direct, self._place, self._opening = Direct(self._config, stage), place, asyncio.Lock()
        self._is_open = False
        await self._opened()
        return self._direct

    async def _opened(self) -> None:
        assert self._opening is not None
        assert self._direct is not None
        async with self._opening:
            if not self._is_open:
                await self._direct.open()
                self._is_open = True

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        pid, other, _ = self._place
        assert self._direct is not None
        assert isinstance(other, asyncio.AbstractEventLoop)
        if pid == os.getpid() and other is not loop and other.is_running():
            raise SecondpostError(
                "This post is at work in the event loop of another thread. Nothing was sent. Open one for each loop, "
                "or use secondpost.blocking.open, which any thread may call."
            )
        _left.append(self._direct)

    async def close(self) -> None:
        """Finish what is under way and say good-bye. The next `send` opens it again."""
        if self._direct is not None and self._place[:2] == (os.getpid(), asyncio.get_running_loop()):
            direct, self._direct = self._direct, None
            await direct.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _usual_sender(configuration: config.Config) -> str:
    primary = configuration.connections.get(configuration.primary)
    return primary.sender.email if primary is not None else ""


def _texts(given: Texts) -> tuple[str, ...]:
    return ((given,) if given else ()) if isinstance(given, str) else tuple(given)


def _attachment(given: Any) -> dict[str, str]:
    """From a mapping, or (name, bytes) or (name, bytes, type)."""
    if isinstance(given, tuple):
        given = dict(zip(("filename", "content", "content_type"), given, strict=False))
    content = given.get("content") or b""
    if isinstance(content, bytes | bytearray | memoryview):
        content = base64.b64encode(content).decode()
    return {**given, "content": content}


def _ready(message: Message | bytes, sender: str, to: tuple[str, ...], common: Mapping[str, Any]) -> Draft:
    content = rfc5322.crlf(message) if isinstance(message, bytes) else mime.content_of(message)
    summary = rfc5322.summarize(rfc5322.split(content)[0])
    it = compose.draft(0, sender=sender or summary.from_email, to=to or _named(summary), **common)
    it.id, it.content, it.digest = new_id(), content, ""
    return it


def _named(summary: rfc5322.Summary) -> tuple[str, ...]:
    found = (*summary.to, *summary.cc, *summary.bcc)
    if not found:
        raise Refusal(554, "5.5.1", "The message names no recipient. Nothing was stored; give `to`.", "to")
    return found
