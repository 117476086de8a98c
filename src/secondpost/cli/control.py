"""How commands reach the gateway: through its control socket when it runs, else on the store itself, in this process.

Rule: one request, one line of JSON; the same operation by the same name either way.
"""

import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secondpost.errors import SecondpostError

if TYPE_CHECKING:
    from secondpost.config import Config

Rows = Callable[[dict[str, Any]], None]
# What makes sense before a gateway ever ran here: these may create the data folder, the others must find it.
FIRST_STEPS = frozenset({
    "connections_list", "connections_verify", "connections_add", "backup_show", "backup_set", "routes_list",
    "routes_explain", "send", "email_test", "drill", "domain_check", "credentials_add", "credentials_list",
    "db_migrate", "suppressions_list", "suppressions_add", "users_add", "users_list", "setup_url",
})  # fmt: skip


class GatewayRefused(SecondpostError):
    """The running gateway answered with an error. `kind` is that error's name."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class NotRunning(SecondpostError):
    """No gateway answers."""


def call(config: "Config", operation: str, arguments: Mapping[str, Any], rows: Rows | None = None) -> Any:
    """Do one operation. `rows` gets each row of an operation that streams. Raises `SecondpostError`."""
    with _Session(config) as session:
        if session is not None:
            return _ask(session, operation, arguments, rows)
    _check_folder(config, operation)
    import asyncio  # not before it is needed: the usual way is to ask the gateway

    return asyncio.run(_here(config, operation, arguments, rows))


def ask(config: "Config", operation: str, arguments: Mapping[str, Any]) -> Any:
    """Do one operation in the running gateway only. Raises `NotRunning` when there is none."""
    with _Session(config) as session:
        if session is None:
            raise NotRunning(
                f"The gateway is not running: nobody answers at {door(config)}. Start it: secondpost serve"
            )
        return _ask(session, operation, arguments, None)


def runs(config: "Config") -> bool:
    """Whether a gateway answers at the control socket."""
    with _Session(config) as session:
        return session is not None


def door(config: "Config") -> Path:
    """Where the gateway listens for commands."""
    return config.data_dir / "control.sock"


class _Session:
    """`with _Session(config) as session:` a socket to the gateway, or None when none runs."""

    def __init__(self, config: "Config") -> None:
        self.path = door(config)
        self.session: socket.socket | None = None

    def __enter__(self) -> socket.socket | None:
        session = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            session.connect(str(self.path))
        except PermissionError:
            session.close()
            raise SecondpostError(
                f"The gateway's control socket {self.path} belongs to another user. "
                "Run this command as the user that runs the gateway, for example with: sudo -u USER secondpost …"
            ) from None
        except (OSError, ValueError):  # not there, nobody listens, or a path that no socket can have
            session.close()
            return None
        self.session = session
        return session

    def __exit__(self, *_: object) -> None:
        if self.session is not None:
            self.session.close()


def _ask(session: socket.socket, operation: str, arguments: Mapping[str, Any], rows: Rows | None) -> Any:
    for answer in _answers(session, operation, arguments):
        if "row" not in answer:
            return _result(answer)
        if rows is not None:
            rows(answer["row"])
    raise _lost(operation, "the connection was closed")


def _answers(session: socket.socket, operation: str, arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What the gateway says. A generator, so that what its reader raises is not taken for the gateway's end."""
    try:
        session.sendall(json.dumps({"do": operation, "with": dict(arguments)}).encode() + b"\n")
        with session.makefile("rb") as answers:
            for line in answers:
                yield json.loads(line)
    except (OSError, ValueError) as error:
        raise _lost(operation, str(error)) from None


def _result(answer: dict[str, Any]) -> Any:
    if not answer["ok"]:
        raise GatewayRefused(answer["error"]["kind"], answer["error"]["message"])
    return answer["result"]


def _lost(operation: str, why: str) -> SecondpostError:
    return SecondpostError(
        f"The gateway ended while it worked on this ({operation}: {why}). It may or may not be done: "
        "look at it with secondpost log list and secondpost queue before you try again."
    )


def _check_folder(config: "Config", operation: str) -> None:
    """A question asked in the wrong folder must not answer "nothing" from a database made for it."""
    if operation not in FIRST_STEPS and not config.data_dir.is_dir():
        raise NotRunning(
            f"There is no data in {config.data_dir}, and no gateway runs on it. "
            "Start it with secondpost serve, or say where it is: --config FILE or SECONDPOST_DATA_DIR."
        )


async def _here(config: "Config", operation: str, arguments: Mapping[str, Any], rows: Rows | None) -> Any:
    from secondpost.app import offline

    async with offline(config) as operations:
        result = getattr(operations, operation)(**arguments)
        if not isinstance(result, AsyncIterator):
            return await result
        async for row in result:
            if rows is not None:
                rows(row)
    return None
