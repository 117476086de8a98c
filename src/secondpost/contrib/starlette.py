"""Starlette: a lifespan that opens a post and closes it, and the post of a request.

Rule: wrong settings are told when the app is made; what is under way when the server stops is finished first.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ParamSpec, TypedDict

from starlette.requests import HTTPConnection

from secondpost.errors import SecondpostError
from secondpost.library import opening
from secondpost.library.post import Post

P = ParamSpec("P")


class State(TypedDict):
    """What the lifespan gives to each request."""

    secondpost: Post


Lifespan = Callable[[Any], AbstractAsyncContextManager[State]]


def _while_open(function: Callable[P, Post]) -> Callable[P, Lifespan]:
    def lifespan(*given: P.args, **named: P.kwargs) -> Lifespan:
        """Takes what `secondpost.open` takes. For `Starlette(lifespan=…)` and `FastAPI(lifespan=…)`."""
        post = function(*given, **named)

        @asynccontextmanager
        async def run(_app: Any) -> AsyncIterator[State]:
            async with post:
                yield {"secondpost": post}

        return run

    return lifespan


lifespan = _while_open(opening.open)


def get_post(connection: HTTPConnection) -> Post:
    """The post of the app that this request or web socket belongs to."""
    post = getattr(connection.state, "secondpost", None)
    if not isinstance(post, Post):
        raise SecondpostError(
            "This app has no post. Nothing was sent; give it lifespan=secondpost.contrib.starlette.lifespan(…), or let "
            'your own lifespan yield {"secondpost": post}.'
        )
    return post
