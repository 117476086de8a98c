"""The sync door: the same library for code that is not asynchronous, from any thread.

Rule: all of it runs in one event loop in one background thread, which is made anew in a process that was forked.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from secondpost.errors import SecondpostError
from secondpost.library import post as library
from secondpost.library.result import Result

T = TypeVar("T")

_lock = threading.Lock()
_thread: threading.Thread | None = None
_loop: asyncio.AbstractEventLoop | None = None
_posts: list["Post"] = []


def _after_fork() -> None:
    """The thread did not come along, and the lock may be held by nobody."""
    global _lock, _thread, _loop  # one thread for the whole process is the point
    _lock, _thread, _loop = threading.Lock(), None, None


os.register_at_fork(after_in_child=_after_fork)


def _background() -> asyncio.AbstractEventLoop:
    global _thread, _loop  # noqa: PLW0603
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            _thread = threading.Thread(target=_loop.run_forever, name="secondpost", daemon=True)
            _thread.start()
        return _loop


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Wait for a coroutine in the background thread. Giving up waiting gives up the coroutine."""
    loop = _background()
    if threading.current_thread() is _thread:
        coroutine.close()
        raise SecondpostError(
            "The sync door was called from its own thread: it would wait for itself. Nothing was sent."
        )
    future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


class Post:
    """As `secondpost.Post`, without await."""

    def __init__(self, inner: library.Post) -> None:
        self._inner = inner
        _posts.append(self)

    def send(self, *message: Any, **parts: Any) -> Result:
        """Takes what `secondpost.Post.send` takes."""
        return run(self._inner.send(*message, **parts))

    def close(self) -> None:
        run(self._inner.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open(*file: Any, **settings: Any) -> Post:  # noqa: A001  # as secondpost.open
    """Takes what `secondpost.open` takes. Raises `ConfigError`."""
    return Post(library.open(*file, **settings))


@atexit.register
def _at_exit() -> None:
    if _loop is not None:
        for post in _posts:
            post.close()
