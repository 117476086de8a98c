"""The web admin on a real port of this machine, and browsers that are only HTTP."""

import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from secondpost import assembly, config
from secondpost.admin import site
from secondpost.entrypoints.http import HttpListener
from secondpost.service.operate import Operations
from secondpost.service.submit import Draft
from secondpost.service.users import Role

PASSWORD = "quiet harbor lantern"


@dataclass(frozen=True, slots=True)
class Answer:
    status_code: int
    text: str
    headers: Mapping[str, str]


@dataclass(slots=True)
class Browser:
    """Follows no redirect. `cookies` can be looked at and changed."""

    us: str
    cookies: dict[str, str] = field(default_factory=dict)

    async def request(self, method: str, path: str, headers: Mapping[str, str] | None = None, **body: Any) -> Answer:
        sent = {"Sec-Fetch-Site": "same-origin"} | dict(headers or {})
        sent = {name: value for name, value in sent.items() if value}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
            http.request(method, self.us + path, headers=sent, allow_redirects=False, **body) as answer,
        ):
            self.cookies |= {name: found.value for name, found in answer.cookies.items()}
            endless = answer.content_type == "text/event-stream"
            return Answer(answer.status, "" if endless else await answer.text(), answer.headers)

    async def get(self, path: str, **rest: Any) -> Answer:
        return await self.request("GET", path, **rest)

    async def post(self, path: str, **rest: Any) -> Answer:
        return await self.request("POST", path, **rest)

    async def file(self, path: str, data: Mapping[str, str]) -> bytes:
        """What a form downloads."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Sec-Fetch-Site": "same-origin", "Cookie": cookie}
        async with aiohttp.ClientSession() as http, http.post(self.us + path, data=data, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.read()


@dataclass(frozen=True, slots=True)
class Admin:
    """`browser()` is somebody who has not signed in; `signed_in(role)` somebody who has."""

    operations: Operations
    us: str

    def browser(self) -> Browser:
        return Browser(self.us)

    async def add(self, email: str, role: Role) -> None:
        users = self.operations.users
        await users.join(await users.invite(email, role), email, PASSWORD)

    async def signed_in(self, role: Role) -> Browser:
        email = f"{role}@example.com"
        if await self.operations.users.find(email) is None:
            await self.add(email, role)
        secret = await self.operations.sessions.begin(email, client="127.0.0.1", agent="test")
        return Browser(self.us, {"secondpost": secret})

    async def submit(self, **fields: Any) -> None:
        """A message of an app."""
        operations = self.operations
        await operations.submit(Draft(id=operations.new_id(), **fields))

    async def audit(self) -> list[str]:
        return [event["text"] for event in await self.operations.store.events(limit=100) if event["kind"] == "audit"]


@pytest.fixture
async def admin(tmp_path: Path) -> AsyncIterator[Admin]:
    environ = {"SECONDPOST_CONFIG": "/dev/null", "SECONDPOST_DATA_DIR": str(tmp_path)}
    core = assembly.build(config.load(environ=environ))
    await core.open()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listener = HttpListener(site.make(core.operations, public_url=""), "127.0.0.1", port)
    await listener.start()
    yield Admin(core.operations, f"http://127.0.0.1:{port}")
    await listener.stop()
    await core.worker.stop(0)
    await core.close()
