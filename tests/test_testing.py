"""What users test with: the outbox keeps what would have been sent, and its connections fail when they are told to."""

import asyncio
from typing import Any

import pytest

import secondpost
from secondpost import blocking, testing

PARTS: Any = {"to": "anna@example.net", "subject": "Hi", "text": "Hello!"}
BOTH: Any = {
    "primary": "smtp://mail.example.com", "backup": "postmark+api://token@default", "from_email": "shop@example.com",
}  # fmt: skip
MANNERS: dict[str, Any] = {
    "direct": BOTH,
    "queued": BOTH | {"queue": "/nonexistent/mail"},
    "submitted": {"url": "http://127.0.0.1:9", "key": "sp_x", "from_email": "shop@example.com"},
}


@pytest.fixture
def outbox():
    with testing.outbox() as kept:
        yield kept


@pytest.fixture
async def post():
    async with secondpost.open(**BOTH) as opened:
        yield opened


@pytest.mark.parametrize("manner", MANNERS)
async def test_whatever_the_manner_nothing_leaves_the_process(outbox, manner):
    async with secondpost.open(**MANNERS[manner]) as post:
        result = await post.send(**PARTS, bcc="eve@example.net", html="<p>Hi")
        again = [(await post.send(to="bob@example.net", text="x", key="k")).duplicate for _ in range(2)]
    assert result.state == ("accepted" if manner == "direct" else "queued")
    assert again == [False, True]
    sent = outbox.assert_sent(to="eve@example.net", subject="Hi", contains="Hello", count=1)
    assert (sent.sender, sent.to) == ("shop@example.com", ("anna@example.net", "eve@example.net"))
    assert (sent.text, sent.html) == ("Hello!\n", "<p>Hi\n")
    assert "Bcc" not in sent.message


def test_it_works_without_async_and_for_a_post_that_was_open_before():
    with blocking.open(primary="capture://default", from_email="shop@example.com") as post:
        assert post.send(**PARTS).connection == "primary"
        with testing.outbox() as outbox:
            post.send(**PARTS)
            assert len(outbox) == 1
        post.send(**PARTS)
        assert [it.subject for it in outbox] == ["Hi"]


async def test_a_connection_fails_on_demand_and_the_backup_takes_over(outbox, post):
    outbox.fail("primary", times=1)
    assert (await post.send(**PARTS)).connection == "backup"
    assert (await post.send(**PARTS)).connection == "primary"
    outbox.fail()
    assert (await post.send(**PARTS)).state == "deferred"
    outbox.heal()
    assert (await post.send(**PARTS)).accepted
    assert [it.connection for it in outbox] == ["backup", "primary", "primary"]


@pytest.mark.parametrize(
    ("how", "state"),
    [("account", "accepted"), ("limit", "accepted"), ("recipient", "rejected"), ("message", "rejected"),
     ("unclear", "unclear")],
)  # fmt: skip
async def test_each_failure_is_what_a_provider_would_do(outbox, post, how, state):
    outbox.fail("primary", how)
    result = await post.send(**PARTS)
    assert result.state == state
    assert len(outbox) == (state == "accepted")


async def test_a_claim_that_is_wrong_tells_what_is_there(outbox, post):
    with pytest.raises(AssertionError, match=r"0 sent with to='bob@example.net', not at least 1. The outbox is empty."):
        outbox.assert_sent(to="bob@example.net")
    outbox.assert_nothing_sent()
    await post.send(**PARTS)
    with pytest.raises(AssertionError, match=r"(?s)1 sent with anything, not 2.*'Hi' to anna@example.net by primary"):
        outbox.assert_sent(count=2)
    with pytest.raises(AssertionError, match="Something was sent"):
        outbox.assert_nothing_sent()
    outbox.clear()
    outbox.assert_nothing_sent()
    with pytest.raises(ValueError, match="is no failure: use unreachable"):
        outbox.fail(how="tired")


async def test_one_outbox_within_another_has_its_own(outbox, post):
    with testing.outbox() as inner:
        await post.send(**PARTS)
    await post.send(**PARTS | {"subject": "Outer"})
    assert ([it.subject for it in inner], [it.subject for it in outbox]) == (["Hi"], ["Outer"])


async def test_many_at_once_are_all_kept(outbox, post):
    await asyncio.gather(*[post.send(**PARTS | {"subject": str(number)}) for number in range(50)])
    assert {it.subject for it in outbox} == {str(number) for number in range(50)}
