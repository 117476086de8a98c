"""Queued: what `send` has returned from is on disk, and goes out whatever becomes of the process."""

import asyncio
import os
import signal
import subprocess
import sys
from email.message import EmailMessage
from typing import Any

import pytest

import secondpost
from secondpost import blocking
from tests.provider import HOST, say, silence, wait_until

PARTS: Any = {"to": "anna@example.net", "subject": "Hi", "text": "Hello!", "from_email": "shop@example.com"}


def settings(primary, backup, folder) -> dict[str, Any]:
    connections = {"one": primary.connection(), "two": backup.connection()}
    return {"connections": connections, "primary": "one", "backup": "two", "queue": folder}


@pytest.fixture
async def post(primary, backup, tmp_path):
    async with secondpost.open(**settings(primary, backup, tmp_path / "queue")) as opened:
        yield opened


async def until(claim, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not claim():
            await asyncio.sleep(0.01)


async def accepted(post, id: str) -> secondpost.Result:
    async with asyncio.timeout(10):
        while not (found := await post.find(id)).accepted:
            await asyncio.sleep(0.01)
    return found  # type: ignore[no-any-return]


async def test_what_is_kept_is_for_nobody_else(primary, tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o755)
    async with secondpost.open(primary=f"smtp://{HOST}:{primary.port}", queue=folder) as post:
        await post.send(**PARTS)
        open_to_all = [path.name for path in folder.iterdir() if path.stat().st_mode & 0o077]
    assert open_to_all == ["lock"], "which is empty"


async def test_it_is_told_as_queued_and_then_sent(post, primary):
    result = await post.send(**PARTS)
    assert (result.state, result.queued, result.accepted) == ("queued", True, False)
    assert result.check() is result
    later = await accepted(post, result.id)
    assert (later.connection, later.recipients["anna@example.net"].state) == ("one", "accepted")
    assert len(primary.mail) == 1
    assert await post.find("0000000000000") is None
    assert await post.find("no id") is None


async def test_the_backup_carries_it_while_the_caller_has_long_gone_on(post, primary, backup):
    primary.refuse()
    result = await post.send(**PARTS)
    assert (await accepted(post, result.id)).connection == "two"


async def test_nobody_can_take_it_and_it_waits(post, primary, backup):
    primary.refuse()
    backup.refuse()
    result = await post.send(**PARTS)
    await asyncio.sleep(0.1)
    assert (await post.find(result.id)).state == "queued"


async def test_a_refusal_is_found_later(post, primary):
    primary.on("rcpt", say("550 5.1.1 no such user"))
    result = await post.send(**PARTS)
    async with asyncio.timeout(10):
        while (found := await post.find(result.id)).state != "rejected":
            await asyncio.sleep(0.01)
    with pytest.raises(secondpost.NotAccepted, match="no such user"):
        found.check()


async def test_a_key_is_one_message_also_for_the_next_process(primary, backup, tmp_path):
    options = settings(primary, backup, tmp_path / "queue")

    def message() -> EmailMessage:  # another object each time, as a task that is tried again makes it
        made = EmailMessage()
        made["From"], made["To"], made["Subject"] = "shop@example.com", "anna@example.net", "Hi"
        made.set_content("Hello!")
        made.add_alternative("<p>Hello!", subtype="html")
        return made

    async with secondpost.open(**options) as post:
        first, ready = await post.send(**PARTS, html="<p>Hi", key="k"), await post.send(message(), key="ready")
    async with secondpost.open(**options) as post:
        again, ready_again = await post.send(**PARTS, html="<p>Hi", key="k"), await post.send(message(), key="ready")
        assert (again.id, again.duplicate, again.accepted) == (first.id, True, True)
        assert (ready_again.id, ready_again.duplicate) == (ready.id, True)
        with pytest.raises(secondpost.IdempotencyConflict):
            await post.send(**PARTS, html="<p>Other", key="k")
    assert len(primary.mail) == 2


async def test_a_large_message_comes_out_whole(post, primary):
    content = os.urandom(300_000)
    result = await post.send(**PARTS, attachments=[("photo.bin", content)])
    await accepted(post, result.id)
    assert len(primary.mail[0].data) > 400_000


async def test_one_that_is_too_large_is_refused(primary, tmp_path):
    smtp = {"max_message_bytes": 10_000, "max_recipients": 2}
    options: Any = {"primary": f"smtp://{HOST}:{primary.port}", "smtp": smtp, "queue": tmp_path / "queue"}
    async with secondpost.open(**options) as post:
        with pytest.raises(secondpost.Refusal, match="more than 10000 bytes"):
            await post.send(**PARTS | {"text": "x" * 10_000})
        with pytest.raises(secondpost.Refusal, match="more than 2 recipients"):
            await post.send(**PARTS | {"to": ["a@example.net", "b@example.net", "c@example.net"]})
    assert primary.mail == []


async def test_what_is_on_its_way_is_finished_when_it_is_closed(primary, backup, tmp_path):
    async with secondpost.open(**settings(primary, backup, tmp_path / "queue")) as post:
        for _ in range(20):
            await post.send(**PARTS)
    assert len(primary.mail) == 20


async def test_a_queue_belongs_to_one_process_and_says_so(post, tmp_path):
    other = secondpost.open(primary="smtp://127.0.0.1:9", queue=tmp_path / "queue")
    with pytest.raises(secondpost.SecondpostError, match="Another process has the queue"):
        await other.send(**PARTS)


def test_in_a_loop_that_ended_without_closing_it_is_told(primary, tmp_path):
    script = f"""
import asyncio, secondpost
post = secondpost.open(primary="smtp://127.0.0.1:{primary.port}", queue="{tmp_path}", from_email="a@example.com")
asyncio.run(post.send(to="a@example.net", text="one"))
asyncio.run(post.send(to="a@example.net", text="two"))
"""
    done = subprocess.run(
        [sys.executable, "-Wignore", "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert "ended without closing it. Nothing was queued" in done.stderr


SENDER = """
import sys
from secondpost import blocking
post = blocking.open(primary="smtp://127.0.0.1:{port}", queue="{folder}", from_email="shop@example.com")
for number in range(100_000):
    print(post.send(to=f"{{number}}@example.net", text="Hello!").id, flush=True)
"""


def test_killed_at_any_moment_it_has_lost_nothing_and_sends_nothing_twice(primary, tmp_path):
    primary.on("greeting", silence)  # so that all of it is still waiting, or on its way, when it is killed
    script = SENDER.format(port=primary.port, folder=tmp_path / "queue")
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = [child.stdout.readline().strip() for _ in range(50)]
        child.send_signal(signal.SIGKILL)
        told += child.stdout.read().split()
    primary.heal()
    primary.hang_up_all()
    with blocking.open(primary=f"smtp://{HOST}:{primary.port}", queue=tmp_path / "queue") as post:
        wait_until(lambda: all(found(post, id) == "accepted" for id in told), 30)
        sent = [copy.recipients[0] for copy in primary.mail]
        assert len(sent) == len(set(sent))
        assert {f"{number}@example.net" for number in range(len(told))} <= set(sent)


def found(post: blocking.Post, id: str) -> str:
    result = post.find(id)
    return "" if result is None else result.state


def test_after_a_fork_the_child_is_told_that_the_queue_is_its_parents(primary, tmp_path):
    script = f"""
import os, secondpost
from secondpost import blocking
post = blocking.open(primary="smtp://127.0.0.1:{primary.port}", queue="{tmp_path}", from_email="a@example.com")
post.send(to="a@example.net", text="parent")
child = os.fork()
if child == 0:
    try:
        post.send(to="b@example.net", text="child")
    except secondpost.SecondpostError as error:
        os._exit(7 if "Another process has the queue" in str(error) else 8)
    os._exit(9)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert post.send(to="c@example.net", text="parent again").queued
"""
    done = subprocess.run(
        [sys.executable, "-Wignore", "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(copy.recipients[0][0] for copy in primary.mail) == ["a", "c"]
