"""`secondpost.open`: which of the three manners a post has, by what it is given.

Rule: a wrong setting is told here, before the first message; nothing is opened and no file is made yet.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from secondpost import config
from secondpost.config import Config
from secondpost.errors import ConfigError
from secondpost.library import post
from secondpost.library.post import Post
from secondpost.library.way import Way

TIMEOUT = 60.0  # seconds that a caller waits for an outcome
Table = Mapping[str, Any]


class Settings(TypedDict, total=False):
    """Settings as they stand in a configuration file."""

    primary: str
    backup: str
    connections: Mapping[str, Table]
    routes: Sequence[Table]
    priority: Mapping[str, Table]
    do_not_send: bool
    smtp: Table
    worker: Table
    log: Table


def open(  # noqa: A001  # the name in the interface: secondpost.open
    file: str | os.PathLike[str] | None = None,
    *,
    queue: str | os.PathLike[str] | None = None,
    url: str = "",
    key: str = "",
    from_email: str = "",
    timeout: float = TIMEOUT,
    **settings: Unpack[Settings],
) -> Post:
    """A post that sends by itself, by a configuration file or by settings as they stand in one: primary=DSN, backup=….

    `queue`: a folder; a message is on disk there when `send` returns, and this process goes on until it is sent.
    `url`: a gateway's, http://… with a `key` of it, or smtp://…; it takes the message and goes on until it is sent.
    With nothing at all, SECONDPOST_CONFIG, ./secondpost.toml and SECONDPOST_… variables are read. Raises `ConfigError`.
    """
    if url:
        if file is not None or queue is not None or settings:
            raise ConfigError("A gateway (url) knows its connections: give nothing beside url, key and from_email.")
        _submitting(url, key)  # so that what is wrong with them is told now
        return Post(lambda: _submitting(url, key), from_email=from_email, timeout=timeout)
    if key:
        raise ConfigError("A key is a gateway's: give its url, too. Nothing was opened.")
    found = _load(file, settings)
    sender = from_email or _usual_sender(found)
    found = _greeting(found, sender)
    if queue is None:
        return Post(lambda: _direct(found), from_email=sender, timeout=timeout)
    found = replace(found, data_dir=Path(queue), database="sqlite")
    return Post(lambda: _queued(found), from_email=sender, timeout=timeout)


# A test's stage (`secondpost.testing`) tells at once what came of a message, whatever the manner.


def _direct(found: Config) -> Way:
    from secondpost.library.direct import Direct

    return Direct(found, post.stage)


def _queued(found: Config) -> Way:
    from secondpost.library.direct import Rehearsal
    from secondpost.library.queued import Queued

    return Queued(found) if post.stage is None else Rehearsal(found, post.stage)


def _submitting(url: str, key: str) -> Way:
    from secondpost.library.direct import Rehearsal
    from secondpost.library.submitted import gateway

    if post.stage is None:
        return gateway(url, key)
    return Rehearsal(_load(None, {"primary": "capture://default"}), post.stage)


def _load(file: str | os.PathLike[str] | None, settings: Mapping[str, Any]) -> Config:
    if file is not None and settings:
        raise ConfigError(f"Give a file or settings, not both: {file} and {', '.join(settings)}. Nothing was opened.")
    # DATABASE_URL and the app's own folder are the app's: this configuration is about mail only.
    environ = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    if settings:
        environ = {name: value for name, value in environ.items() if not name.startswith("SECONDPOST_")}
        environ["SECONDPOST_CONFIG"] = os.devnull
    found = config.load(file=Path(file) if file is not None else None, environ=environ, overrides=settings)
    found.require()
    if not (found.locked("primary") or found.locked("connections")):
        raise ConfigError(
            "Nothing says how to send: give primary=DSN, a file, or the url of a gateway; or SECONDPOST_PRIMARY in the "
            "environment. Nothing was opened."
        )
    return found


def _usual_sender(found: Config) -> str:
    primary = found.connections.get(found.primary)
    return primary.sender.email if primary is not None else ""


def _greeting(found: Config, sender: str) -> Config:
    """The name in Message-ID fields: the configured one, else the sender's domain."""
    hostname = found.smtp.hostname or sender.rpartition("@")[2].rstrip("> ") or "localhost"
    return replace(found, smtp=found.smtp.model_copy(update={"hostname": hostname}))
