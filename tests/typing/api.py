"""The public types, as a type checker sees them. Nothing here is run: `./dev check` has mypy and pyright read it.

Rule: a line that must be an error says so; both checkers complain when it is none.
"""

import logging
from collections.abc import Mapping
from email.message import EmailMessage
from pathlib import Path
from typing import Literal, assert_type

import secondpost
from secondpost import Attempt, NotAccepted, Post, Recipient, Result, blocking, testing

Fate = Literal["accepted", "queued", "unclear", "rejected", "deferred", "withheld"]


def opening() -> None:
    assert_type(secondpost.open("secondpost.toml"), Post)
    assert_type(secondpost.open(primary="smtp://127.0.0.1", backup="capture://default", queue=Path("mail")), Post)
    assert_type(secondpost.open(url="http://127.0.0.1:8025", key="sp_x", from_email="a@example.com"), Post)
    assert_type(blocking.open(primary="smtp://127.0.0.1", timeout=5), blocking.Post)
    secondpost.open(primery="smtp://127.0.0.1")  # type: ignore[call-arg]
    secondpost.open(timeout="5")  # type: ignore[arg-type]
    blocking.open(backup=5)  # type: ignore[arg-type]


async def sending(post: Post) -> None:
    assert_type(await post.send(to="a@example.net", subject="Hi", text="Hello!"), Result)
    assert_type(await post.send(EmailMessage(), to=["a@example.net"], key="order-42"), Result)
    assert_type(await post.find("0bn4v6kq2x7rd"), Result | None)
    await post.send(attachments=[("a.txt", b"x"), ("b.png", b"x", "image/png"), {"filename": "c", "content": b"x"}])
    await post.send(to=5)  # type: ignore[arg-type]
    await post.send(too="a@example.net")  # type: ignore[call-arg]
    async with secondpost.open() as opened:
        assert_type(opened, Post)


def sending_without_async(post: blocking.Post) -> None:
    assert_type(post.send(to="a@example.net", subject="Hi", text="Hello!"), Result)
    assert_type(post.send(b"Subject: Hi\r\n\r\n", to="a@example.net"), Result)
    assert_type(post.find("0bn4v6kq2x7rd"), Result | None)
    post.send(to=5)  # type: ignore[arg-type]
    post.send(too="a@example.net")  # type: ignore[call-arg]
    with blocking.open() as opened:
        assert_type(opened, blocking.Post)


def results(result: Result) -> None:
    assert_type(result.accepted, bool)
    assert_type(result.state, Fate)
    assert_type(result.recipients, Mapping[str, Recipient])
    assert_type(result.attempts, tuple[Attempt, ...])
    assert_type(result.check(), Result)
    result.state = "accepted"  # type: ignore[misc]


def refusals(error: NotAccepted) -> None:
    assert_type(error.result, Result)


def testing_it() -> None:
    with testing.outbox() as outbox:
        outbox.fail("primary", "unclear", times=1)
        outbox.fail("primary", "tired")  # type: ignore[arg-type]
        assert_type(outbox.assert_sent(to="a@example.net", count=1), testing.Sent)
        assert_type(outbox[0].subject, str)


def logging_it() -> None:
    logging.getLogger().addHandler(secondpost.LogHandler("a@example.com", url="smtp://127.0.0.1", interval=60))
    secondpost.LogHandler()  # type: ignore[call-arg]
