"""The HTTP API at a real port, before a memory store and the Inbox."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from starlette.routing import Mount

from secondpost import assembly, config
from secondpost.assembly import Core
from secondpost.core.message import Message
from secondpost.entrypoints import http_api
from secondpost.entrypoints.http import HttpListener, Pages
from secondpost.entrypoints.metrics import Metrics
from secondpost.service.keys import SCOPES
from secondpost.store.log import Query
from secondpost.store.memory import MemoryStore
from tests.provider import free_port

FORM = {"from": "Shop <shop@example.com>", "to": "anna@example.net", "subject": "Hello", "text": "Hi!"}
RAW = b"From: shop@example.com\nTo: anna@example.net\nSubject: raw\n\nHi!\n"


@dataclass
class Answer:
    status: int
    headers: Any
    text: str
    data: Any


@dataclass
class Api:
    """A client of the API, whose key may do everything unless a test gives another."""

    core: Core
    url: str
    http: aiohttp.ClientSession
    key: str = ""
    more: dict[str, str] = field(default_factory=dict)

    async def __call__(self, method: str, path: str, *, key: str | None = None, **options: Any) -> Answer:
        key = self.key if key is None else key
        headers = ({"Authorization": f"Bearer {key}"} if key else {}) | options.pop("headers", {})
        async with self.http.request(method, self.url + path, headers=headers, **options) as answer:
            text = await answer.text()
            data = await answer.json(content_type=None) if "json" in answer.headers.get("content-type", "") else None
            return Answer(answer.status, answer.headers, text, data)

    async def post(self, path: str, **options: Any) -> Answer:
        return await self("POST", path, **options)

    async def get(self, path: str, **options: Any) -> Answer:
        return await self("GET", path, **options)

    async def make_key(self, *scopes: str, **options: Any) -> str:
        name = f"key{len(self.core.operations.keys.list())}"
        return (await self.core.operations.keys.add(name, scopes or list(SCOPES), **options))["key"]

    async def message(self, id: str | None = None) -> Message:
        """The content of a message, or of the last one."""
        (row, *_) = await self.stored()
        content = await self.core.store.content(row.id if id is None else http_api.letters.parse_id(id))
        assert content is not None
        return content

    async def stored(self) -> list[Any]:
        return await self.core.store.page(Query())

    async def in_thread(self, do: Callable[[], Any]) -> Any:
        """An SDK that blocks."""
        return await asyncio.to_thread(do)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    port = free_port()
    given = {"smtp.hostname": "gateway.example", "smtp.max_message_bytes": "2000000", "smtp.max_recipients": "50"}
    settings = config.load(environ={"SECONDPOST_CONFIG": os.devnull}, overrides=given)
    core = assembly.build(settings, MemoryStore())
    await core.open()
    own = http_api.build(core.operations, settings, delay=0)
    listener = HttpListener(Pages(core.store, Metrics(core.store, core.worker)).app(Mount("/", own)), "127.0.0.1", port)
    await listener.start()
    async with aiohttp.ClientSession() as http:
        api = Api(core, f"http://127.0.0.1:{port}", http)
        api.key = await api.make_key()
        yield api
    await listener.stop()
    await core.worker.stop(0.1)
    await core.close()
