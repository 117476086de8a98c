"""The composition root: builds the gateway from a configuration, starts it, and lets it go without losing anything.

Rule: this is the only module that knows everybody; everything else is handed what it needs.
"""

import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import uvloop
from starlette.routing import Mount
from starlette.types import ASGIApp

from secondpost import diagnostics
from secondpost.assembly import Core, build
from secondpost.config import Config
from secondpost.entrypoints import notify, oauth, webhooks
from secondpost.entrypoints.control import Control
from secondpost.entrypoints.http import HttpListener, Late, Pages, by_path
from secondpost.entrypoints.metrics import Metrics
from secondpost.entrypoints.smtp import SmtpListener
from secondpost.entrypoints.spool import Spool
from secondpost.errors import ConfigError, SecondpostError, StoreError
from secondpost.reload import Reload
from secondpost.service.ids import new_id
from secondpost.service.noticed import Noticed
from secondpost.service.operate import Operations
from secondpost.service.submit import utc_now

logger = logging.getLogger(__name__)

OPEN_FILES = 65_536
GRACE = 30.0  # seconds that attempts under way get to finish when we are asked to stop


@dataclass(slots=True)
class Gateway:
    """The running gateway: the core and its ways in."""

    config: Config
    core: Core = field(init=False)
    smtp: SmtpListener = field(init=False)
    spool: Spool = field(init=False)
    http: HttpListener | None = None
    metrics: HttpListener | None = None
    web: Late | None = None
    control: Control = field(init=False)
    noticed: Noticed = field(init=False)

    def __post_init__(self) -> None:
        self.core = core = build(self.config)
        self.smtp = SmtpListener(
            self.config.smtp,
            submit=core.operations.submit,
            authenticate=core.operations.credentials.authenticate,
            new_id=new_id,
            new_tail=core.store.tail,
            local=self.config.sendmail,
        )
        self.spool = Spool(
            self.config.sendmail,
            self.config.smtp.max_message_bytes,
            core.operations.submit,
            core.store,
            new_id,
            utc_now,
        )
        pages, own = Pages(core.store, Metrics(core.store, core.worker)), self.config.http.metrics
        if own is not None:
            self.metrics = HttpListener(pages.metrics_app(), own.host, own.port)
        if (listen := self.config.http.listen) is not None:
            self.web = Late(self._web)
            self.http = HttpListener(
                pages.app(
                    webhooks.route(core.operations.feedback),
                    oauth.route(core.operations.sign_ins),
                    Mount("/", self.web),
                    metrics=own is None,
                ),
                listen.host,
                listen.port,
            )
        self.noticed = Noticed(core.store, utc_now)
        core.housekeeping.others += ((self.noticed.keep, 5.0),)
        self.control = Control(core.operations, self.config.data_dir / "control.sock")

    def _web(self) -> ASGIApp:
        """The web admin and the API: as long to load as all the rest, so they come when the doors are open."""
        from secondpost.admin import site
        from secondpost.entrypoints import http_api

        operations = self.core.operations
        api = http_api.build(operations, self.config)
        # The API comes last: it answers what nobody else does.
        admin = site.make(operations, public_url=self.config.http.public_url, programs=api)
        return by_path("/v1/", api, admin)

    async def start(self) -> None:
        """Open the store, take back what the last process held, then open the doors. Raises `SecondpostError`."""
        await self.core.open()
        self.noticed.start()
        try:
            await self.core.housekeeping.recover()
            await self.core.housekeeping.expire()  # before anything that expired while nobody worked could be sent
            await self.control.start()
            for door in (self.http, self.metrics):
                if door is not None:
                    await door.start()
            self.spool.start()
            await self.smtp.start()  # last: who is greeted finds the rest there
        except BaseException:
            await self.smtp.stop(0)
            await self.spool.stop()
            await self._stop_http()
            await self.control.stop()
            await self.core.worker.stop(0)
            self.noticed.stop()
            await self.core.close()
            raise
        self.core.housekeeping.start()
        await self.core.operations.jobs.resume()

    async def _stop_http(self) -> None:
        for door in (self.http, self.metrics):
            if door is not None:
                await door.stop()

    async def stop(self, grace: float = GRACE) -> None:
        """Close the doors, let what is under way finish, write everything down."""
        self.core.operations.stopping.set()
        await self.smtp.stop(min(grace, 5.0))
        await self.spool.stop()
        await self._stop_http()
        await self.control.stop()
        await self.core.housekeeping.stop()
        await self.core.worker.stop(grace)
        self.noticed.stop()
        with contextlib.suppress(StoreError):
            await self.noticed.keep()
        await self.core.close()


@contextlib.asynccontextmanager
async def offline(config: Config) -> AsyncIterator[Operations]:
    """The operations without a running gateway: opens the store alone. Raises `StoreInUse` if a gateway has it."""
    os.umask(0o077)
    core = build(config)
    await core.open()
    try:
        await core.housekeeping.recover()
        yield core.operations
    finally:
        await core.worker.stop(GRACE)
        await core.close()


def serve(config: Config, read: Callable[[], Config]) -> int:
    """Run the gateway until SIGTERM or SIGINT; at SIGHUP, `read` anew. Returns the exit status."""
    os.umask(0o077)  # what we keep is mail: for nobody else on this machine
    _allow_sessions()
    diagnostics.keep(config.log.level)
    try:
        uvloop.run(_serve(config, read))
    except SecondpostError as error:
        sys.stderr.write(f"secondpost: {error}\n")
        return 2 if isinstance(error, ConfigError) else 1
    return 0


def _allow_sessions() -> None:
    """A shell's limit of open files, often 1,024, is for programs with fewer sessions."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _serve(config: Config, read: Callable[[], Config]) -> None:
    gateway, stopped, loop = Gateway(config), asyncio.Event(), asyncio.get_running_loop()
    reload = Reload(config, gateway.core, gateway.smtp, read)
    for number in (signal.SIGTERM, signal.SIGINT):  # before the doors open: who comes in is let out in order
        loop.add_signal_handler(number, stopped.set)
    loop.add_signal_handler(signal.SIGHUP, reload.ask)
    async with reload.turn:  # what is asked for meanwhile follows
        await gateway.start()
    _spare_the_collector()
    _announce(config)
    notify.tell("READY=1")
    notify.keep_alive()
    await _beside_mail("nobody was invited to set up the web admin", _invite(gateway))
    if gateway.web is not None:
        await _beside_mail("the web admin and the API could not be loaded", gateway.web.load())
    await stopped.wait()
    notify.tell("STOPPING=1")
    logger.info("stopping: finishing what is under way")
    await gateway.stop()


def _spare_the_collector() -> None:
    """What lives as long as the process is not searched for garbage again; messages make few cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _announce(config: Config) -> None:
    smtp = ", ".join(str(address) for address in config.smtp.listen) or "nowhere"
    logger.info("ready: SMTP on %s, web on %s, data in %s", smtp, config.http.listen or "nowhere", config.data_dir)


async def _beside_mail(failed: str, work: Awaitable[object]) -> None:
    """What mail does not need must not end it, whatever is short."""
    try:
        await work
    except (SecondpostError, OSError) as error:
        logger.error("%s; mail goes on: %s", failed, error)
    except Exception:
        logger.exception("%s by a fault of our own; mail goes on", failed)


async def _invite(gateway: Gateway) -> None:
    """At the first start nobody can sign in yet: say how. The link works once, and for a day."""
    operations = gateway.core.operations
    if gateway.http is not None and not await operations.users.all():
        logger.warning("set up the web admin: %s", (await operations.setup_url())["url"])
