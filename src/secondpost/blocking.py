"""The sync door: the same library for code that is not asynchronous, from any thread.

Rule: all of it runs in one event loop in one background thread, which is made anew in a process that was forked.
"""

import asyncio
import atexit
import concurrent.futures.thread  # noqa: F401  # before `_at_exit` is registered: whoever came last is called first
import functools
import os
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from secondpost.errors import SecondpostError
from secondpost.library import opening
from secondpost.library import post as library

P = ParamSpec("P")
T = TypeVar("T")

_lock = threading.Lock()
_thread: threading.Thread | None = None
_loop: asyncio.AbstractEventLoop | None = None
_posts: set["Post"] = set()  # that may be open


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


def _waiting(
    method: Callable[Concatenate[library.Post, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate["Post", P], T]:
    """The same method without await."""

    @functools.wraps(method)
    def wait(self: "Post", /, *given: P.args, **named: P.kwargs) -> T:
        _posts.add(self)
        return run(method(self.inner, *given, **named))

    return wait


class Post:
    """As `secondpost.Post`, without await. Any thread may call it."""

    def __init__(self, inner: library.Post) -> None:
        self.inner = inner

    send = _waiting(library.Post.send)
    find = _waiting(library.Post.find)
    start = _waiting(library.Post.start)

    def close(self) -> None:
        """Finish what is under way and say good-bye. The next `send` opens it again."""
        run(self.inner.close())
        _posts.discard(self)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _opening(function: Callable[P, library.Post]) -> Callable[P, Post]:
    @functools.wraps(function)
    def opened(*given: P.args, **named: P.kwargs) -> Post:
        return Post(function(*given, **named))

    return opened


open = _opening(opening.open)  # noqa: A001  # as secondpost.open


def _at_exit() -> None:
    if _loop is not None:
        for post in list(_posts):
            post.close()


def at_exit(do: Callable[[], None]) -> None:
    """Have something done at the end, while threads may still be started; for that, `atexit` comes too late."""
    getattr(threading, "_register_atexit", atexit.register)(do)


at_exit(_at_exit)
