"""FastAPI: the post as a dependency, `async def order(post: Post)`, and the lifespan that opens it."""

from typing import Annotated

from fastapi import Depends

from secondpost.contrib.starlette import get_post, lifespan
from secondpost.library import post

__all__ = ["Post", "get_post", "lifespan"]

Post = Annotated[post.Post, Depends(get_post)]
