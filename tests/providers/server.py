"""A provider's API on this machine: a real HTTP server that checks keys and payloads, answers as documented, and fails
on command.

A `Script` is what one provider documents. The server plays it, counts whom it has taken mail for, and misbehaves when
told to: it never knows more of our code than a provider would.
"""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.parser import BytesParser
from typing import Any, cast

from aiohttp import web

SECRET = "secret-canary-1234"


@dataclass(frozen=True)
class Call:
    """A request as the provider sees it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # names lower-cased
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"null")

    @property
    def form(self) -> list[tuple[str, bytes]]:
        """The fields of a multipart form."""
        head = b"Content-Type: %b\r\n\r\n" % self.headers["content-type"].encode()
        parts = cast("Any", BytesParser().parsebytes(head + self.body).get_payload())
        return [(part.get_param("name", header="content-disposition"), part.get_payload(decode=True)) for part in parts]


@dataclass(frozen=True)
class Says:
    """An answer, and the outcome that it means (in the words of `parcels.words`)."""

    status: int
    body: Any = None
    means: str = "accepted"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Script:
    """What a provider documents."""

    settings: dict[str, Any]
    send: str  # "POST /email"
    authorized: Callable[[Call], bool]
    unauthorized: Says
    recipients: Callable[[Call], list[str]]
    faults: Callable[[Call], list[str]]  # what is wrong with the payload, by the documentation
    taken: Callable[[Call], Says]
    refusals: dict[str, Says]
    verify: str
    verified: Says = Says(200, {})
    look: Callable[[Call, list[Call]], Says] | None = None  # any other request, with what was taken before


class Provider:
    """Plays a script. `fail(name)`: the next sends misbehave so."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.taken: list[Call] = []
        self.calls: list[Call] = []
        self.complaints: list[str] = []
        self._fault: Any = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "Provider":
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        self.settings = {**self.script.settings, "host": f"http://127.0.0.1:{self.port}", "private_addresses": True}
        return self

    def __exit__(self, *problem: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        assert self.complaints == []

    async def _start(self) -> int:
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    def fail(self, fault: Any) -> None:
        self._fault = fault

    @property
    def copies(self) -> Counter[str]:
        """How many copies each recipient was promised."""
        return Counter(one.lower() for call in self.taken for one in self.script.recipients(call))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        sending = f"{request.method} {request.path}" == self.script.send
        if sending and self._fault == "lost before the point":
            _line(request).abort()
        if sending and self._fault == "silent before the point":
            _line(request).pause_reading()
            await asyncio.sleep(30)
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(request.method, request.path, dict(request.query), headers, body)
        self.calls.append(call)
        if "user-agent" not in headers:
            self.complaints.append("no User-Agent")
        if not self.script.authorized(call):
            return _response(self.script.unauthorized)
        if sending:
            return await self._take(call, request)
        if f"{request.method} {request.path}" == self.script.verify:
            return _response(self.script.verified)
        if self.script.look is not None:
            return _response(self.script.look(call, self.taken))
        self.complaints.append(f"there is no {request.method} {request.path}")
        return web.Response(status=404)

    async def _take(self, call: Call, request: web.Request) -> web.StreamResponse:  # noqa: C901  # one case a fault
        if isinstance(self._fault, Says):
            return _response(self._fault)
        if self._fault == "throttled":
            return web.Response(status=429, headers={"Retry-After": "17"}, text="{}")
        if self._fault == "dropped":  # all of it was read, and nothing is kept
            _line(request).abort()
            return web.Response()
        self.complaints += self.script.faults(call)
        self.taken.append(call)
        match str(self._fault):
            case "lost after the point":
                _line(request).abort()
            case "silent after the point":
                await asyncio.sleep(30)
            case "broken":
                return web.Response(status=502, text="<html>Bad Gateway</html>")
            case "unreadable":
                return web.Response(status=200, text="<html>Welcome</html>")
            case "cut":
                response = web.StreamResponse(headers={"Content-Length": "1000"})
                await response.prepare(request)
                await response.write(b'{"')
                _line(request).abort()
                return response
            case "endless":
                response = web.StreamResponse()
                await response.prepare(request)
                for _ in range(40):
                    await response.write(b" " * 65536)
                return response
            case "elsewhere":
                raise web.HTTPTemporaryRedirect("/stolen")
            case "slow":
                await asyncio.sleep(0.3)
            case _:
                pass
        return _response(self.script.taken(call))


def _line(request: web.Request) -> asyncio.Transport:
    return cast("asyncio.Transport", request.transport)


def _response(says: Says) -> web.Response:
    if isinstance(says.body, str):
        return web.Response(status=says.status, headers=says.headers, text=says.body)
    text = "" if says.body is None else json.dumps(says.body)
    return web.Response(status=says.status, headers=says.headers, text=text, content_type="application/json")


def wanted(value: Any, /, **kinds: type) -> list[str]:
    """Complaints about an object that must have these keys, each of that kind."""
    if not isinstance(value, dict):
        return [f"{value!r} is no object"]
    return [
        f"{name} is {value.get(name)!r}, not {kind.__name__}"
        for name, kind in kinds.items()
        if not isinstance(value.get(name), kind)
    ]


def unknown(value: dict[str, Any], /, *names: str) -> list[str]:
    """Complaints about keys that are not documented."""
    return [f"{name} is not documented" for name in value if name not in names]
