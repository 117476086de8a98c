"""The HTTP port: whether the gateway is alive, whether it can accept mail durably, its metrics, and more.

Rule: these three pages tell numbers and states, never addresses, subjects or secrets.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from secondpost.entrypoints import held
from secondpost.entrypoints.http_protocol import Bounded
from secondpost.entrypoints.metrics import Metrics
from secondpost.errors import ConfigError, StoreError
from secondpost.store.base import Store


@dataclass(slots=True)
class Pages:
    """The handlers; one method each."""

    store: Store
    numbers: Metrics

    async def healthz(self, _: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def readyz(self, _: Request) -> Response:
        """Ready means: a message could be put on disk now."""
        try:
            await self.store.ready()
        except StoreError as error:
            return JSONResponse({"ready": False, "why": str(error)}, status_code=503)
        return JSONResponse({"ready": True})

    async def metrics(self, _: Request) -> Response:
        return PlainTextResponse(await self.numbers.render(), media_type="text/plain; version=0.0.4")

    def app(self, *others: BaseRoute, metrics: bool = True) -> Starlette:
        """These pages, and the `others` that share the port."""
        health = [Route("/healthz", self.healthz), Route("/readyz", self.readyz)]
        return Starlette(routes=[*health, *(self._numbers() if metrics else ()), *others])

    def metrics_app(self) -> Starlette:
        """The metrics by themselves, for a port of their own."""
        return Starlette(routes=self._numbers())

    def _numbers(self) -> list[Route]:
        return [Route("/metrics", self.metrics)]


@dataclass(slots=True)
class Late:
    """An application that is loaded in a thread, by `load` or when it is asked for: mail need not wait for it."""

    make: Callable[[], ASGIApp]
    _made: "asyncio.Task[ASGIApp] | None" = None

    async def load(self) -> ASGIApp:
        if self._made is None or (self._made.done() and self._made.exception() is not None):  # then it is tried again
            self._made = asyncio.create_task(asyncio.to_thread(self.make))
        return await asyncio.shield(self._made)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        application = await self.load()
        await application(scope, receive, send)


def by_path(begin: str, these: ASGIApp, others: ASGIApp) -> ASGIApp:
    """Paths that begin so go straight to `these`, and are not compared with each route of the `others` first."""

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        await (these if scope["path"].startswith(begin) else others)(scope, receive, send)

    return either


@dataclass(slots=True)
class HttpListener:
    """Serves an application on one address inside our own event loop, with our own shutdown."""

    app: Starlette
    host: str
    port: int
    _server: uvicorn.Server | None = None
    _task: "asyncio.Task[None] | None" = None

    async def start(self) -> None:
        """Bind and serve. Raises `ConfigError` when the address cannot be had."""
        listener = self._bind()
        config = uvicorn.Config(
            self.app, http=Bounded, ws="none", log_config=None, lifespan="off", access_log=False, server_header=False
        )
        self._server = uvicorn.Server(config)
        self._server.capture_signals = contextlib.nullcontext  # type: ignore[assignment,method-assign]  # signals are app.py's
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))

    def _bind(self) -> socket.socket:
        if (listener := held.take(self.host, self.port)) is not None:
            return listener
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.host, self.port))
        except OSError as error:
            listener.close()
            raise ConfigError(
                f"The web address {self.host}:{self.port} cannot be used: {error.strerror}. "
                "Stop what uses it, or set another one: [http] listen, or SECONDPOST_HTTP__LISTEN."
            ) from None
        listener.setblocking(False)
        return listener

    async def stop(self) -> None:
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await asyncio.wait([self._task], timeout=5)
