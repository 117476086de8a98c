"""SIGHUP: a changed configuration is taken up while the gateway runs. No session ends, and no mail waits for it.

Rule: all of it or nothing. What only a restart can change is named, and stays as it was.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from secondpost.assembly import Core
from secondpost.config import Config
from secondpost.entrypoints import notify
from secondpost.entrypoints.smtp import SmtpListener
from secondpost.entrypoints.smtp_sockets import certificate
from secondpost.errors import SecondpostError

logger = logging.getLogger(__name__)

RENEWED = ("smtp.tls_certificate", "smtp.tls_key")  # where there was a certificate and still is


@dataclass(slots=True)
class Reload:
    """`ask` for it as often as you like: one follows the other. `started` is what the gateway was started with."""

    started: Config
    core: Core
    smtp: SmtpListener
    read: Callable[[], Config]
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    def ask(self) -> None:
        task = asyncio.get_running_loop().create_task(self())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def __call__(self) -> None:
        async with self.turn:
            notify.tell("RELOADING=1")
            try:
                await self._take_up(await asyncio.to_thread(self.read))
            except SecondpostError as error:
                logger.error("nothing was reloaded, all stays as it was: %s", error)
            except Exception:
                logger.exception("nothing was reloaded, by a fault of our own; all stays as it was")
            notify.tell("READY=1")

    async def _take_up(self, config: Config) -> None:
        renewed = certificate(config.smtp)
        await self.core.apply(config)
        self.smtp.renew(renewed)
        logging.getLogger().setLevel(config.log.level.upper())
        logger.warning("the configuration was reloaded")
        if left := left_for_a_restart(self.started, config):
            logger.warning("changed, and not in force before a restart: %s", ", ".join(left))


def left_for_a_restart(started: Config, now: Config) -> list[str]:
    """The settings that differ from those of the start and cannot be taken up."""
    left = [name for name in ("data_dir", "database") if getattr(started, name) != getattr(now, name)]
    for section in ("smtp", "sendmail", "http"):
        before, after = getattr(started, section), getattr(now, section)
        for name in type(before).model_fields:
            one, other = getattr(before, name), getattr(after, name)
            if one != other and not (f"{section}.{name}" in RENEWED and one and other):
                left.append(f"{section}.{name}")
    return left
