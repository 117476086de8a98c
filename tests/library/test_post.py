"""The library sends now by the first connection that can, tells what became of it, and never sends twice by itself."""

import asyncio
import copy
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

import secondpost
from secondpost import blocking
from secondpost.errors import Fault
from tests.provider import Provider, hang_up, say, silence

SRC = str(Path(__file__).parents[2] / "src")
PARTS: Any = {"to": "anna@example.net", "subject": "Hi", "text": "Hello!", "from_email": "shop@example.com"}


def connections(primary: Provider, backup: Provider) -> dict[str, Any]:
    return {
        "connections": {"one": primary.connection(), "two": backup.connection()},
        "primary": "one",
        "backup": "two",
    }


@pytest.fixture
async def post(primary, backup):
    async with secondpost.open(**connections(primary, backup)) as opened:
        yield opened


def taken(*providers: Provider) -> list[int]:
    return [len(provider.mail) for provider in providers]


async def test_the_primary_carries_it_and_the_result_says_so(post, primary, backup):
    result = await post.send(**PARTS)
    assert (result.accepted, result.connection, result.state) == (True, "one", "accepted")
    assert result.recipients["anna@example.net"].state == "accepted"
    assert [attempt.connection for attempt in result.attempts] == ["one"]
    assert taken(primary, backup) == [1, 0]
    assert b"Message-ID: <" in primary.mail[0].data
    assert result.check() is result


async def test_when_the_primary_is_down_the_backup_carries_it(post, primary, backup):
    primary.refuse()
    result = await post.send(**PARTS)
    assert (result.accepted, result.connection) == (True, "two")
    assert [attempt.connection for attempt in result.attempts] == ["one", "two"]
    assert taken(primary, backup) == [0, 1]


async def test_results_and_errors_can_be_handed_to_another_process(post, primary, backup):
    result = await post.send(**PARTS)
    assert pickle.loads(pickle.dumps(result)) == copy.deepcopy(result) == result
    primary.refuse()
    backup.refuse()
    nobody = await post.send(**PARTS)
    told = [
        secondpost.NotAccepted("Nobody has it.", nobody),
        secondpost.Malformed([Fault("to", "It is wrong.")]),
        secondpost.IdempotencyConflict("k"),
        secondpost.ConfigError("No."),
    ]
    for error in told:
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


async def test_a_lost_answer_is_unclear_and_the_backup_does_not_get_it(post, primary, backup):
    primary.on("taken", hang_up)
    result = await post.send(**PARTS)
    assert (result.accepted, result.unclear, result.state) == (False, True, "unclear")
    assert taken(primary, backup) == [1, 0]
    assert result.check() is result, "a doubt is no reason to send again"


async def test_what_nobody_took_is_withdrawn_and_told(post, primary, backup):
    primary.refuse()
    backup.refuse()
    result = await post.send(**PARTS)
    assert result.state == "deferred"
    with pytest.raises(secondpost.NotAccepted, match=r"anna@example.net.*Nobody has it"):
        result.check()
    backup.heal()
    await asyncio.sleep(0.2)
    assert taken(primary, backup) == [0, 0]


async def test_when_all_breakers_are_open_the_next_message_is_the_trial(post, primary, backup):
    primary.refuse()
    backup.refuse()
    for _ in range(5):
        assert not (await post.send(**PARTS)).accepted
    backup.heal()
    assert (await post.send(**PARTS)).connection == "two"


async def test_one_refused_recipient_costs_the_others_nothing(post, primary, backup):
    primary.on("rcpt", say("550 5.1.1 no such user"), only="bob@")
    result = await post.send(**PARTS | {"to": ["anna@example.net", "bob@example.net"]})
    assert {to: it.state for to, it in result.recipients.items()} == {
        "anna@example.net": "accepted",
        "bob@example.net": "rejected",
    }
    assert (result.state, taken(primary, backup)) == ("rejected", [1, 0])


async def test_who_waits_no_longer_before_the_point_has_sent_nothing(post, primary, backup):
    primary.on("greeting", silence)
    result = await post.send(**PARTS, timeout=0.3)
    assert result.state == "deferred"
    primary.heal()
    await asyncio.sleep(1.2)
    assert taken(primary, backup) == [0, 0]


async def test_who_waits_no_longer_after_the_point_hears_that_it_is_unclear(post, primary, backup):
    primary.on("taken", silence)
    result = await post.send(**PARTS, timeout=0.3)
    assert (result.state, taken(primary, backup)) == ("unclear", [1, 0])


async def test_after_the_caller_was_told_no_other_connection_gets_it(post, primary, backup):
    primary.on("mail", silence)  # the point of no return is marked while the envelope is on the wire
    assert (await post.send(**PARTS, timeout=0.3)).state == "unclear"
    await asyncio.sleep(1.5)
    assert taken(primary, backup) == [0, 0]


async def test_a_key_sends_once_until_somebody_has_it(post, primary, backup):
    primary.refuse()
    backup.refuse()
    assert not (await post.send(**PARTS, key="k")).accepted
    backup.heal()
    first, again = await post.send(**PARTS, key="k"), await post.send(**PARTS, key="k")
    assert (first.id, first.duplicate, again.duplicate) == (again.id, False, True)
    assert taken(primary, backup) == [0, 1]
    with pytest.raises(secondpost.IdempotencyConflict):
        await post.send(**PARTS | {"text": "Other"}, key="k")


async def test_a_ready_message_goes_as_it_is(post, primary):
    message = EmailMessage()
    message["From"], message["To"], message["Bcc"] = "Shop <shop@example.com>", "a@example.net", "eve@example.net"
    message["Subject"] = "Füße"
    message.set_content("Hello!")
    assert (await post.send(message)).accepted
    assert primary.mail[0].recipients == ("a@example.net", "eve@example.net")
    assert b"eve@" not in primary.mail[0].data


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"subject": "a\nBcc: x"}, "line break"), ({"to": "anna"}, "not an address"), ({"to": ()}, "no recipient"),
     ({"from_email": ""}, "sender"), ({"attachments": [("a\nb", b"x")]}, "line break")],
)  # fmt: skip
async def test_what_is_wrong_is_refused_before_anything_is_sent(post, primary, wrong, words):
    with pytest.raises(secondpost.Refusal, match=words):
        await post.send(**PARTS | wrong)
    assert primary.sessions == 0


def test_a_wrong_setting_is_told_and_may_not_stand_beside_a_file():
    with pytest.raises(secondpost.ConfigError, match="did you mean"):
        secondpost.open(primery="smtp://127.0.0.1:1")  # type: ignore[call-arg]
    with pytest.raises(secondpost.ConfigError, match="not both"):
        secondpost.open("secondpost.toml", primary="smtp://127.0.0.1:1")


def test_without_any_setting_nothing_is_sent_into_the_void(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(secondpost.ConfigError, match="Nothing says how to send"):
        secondpost.open()
    monkeypatch.setenv("SECONDPOST_PRIMARY", "smtp://127.0.0.1:1")
    assert secondpost.open().from_email == ""


def test_a_file_is_read(tmp_path, primary):
    file = tmp_path / "secondpost.toml"
    file.write_text(f'primary = "smtp://127.0.0.1:{primary.port}"\n')
    with blocking.open(file, from_email="shop@example.com") as post:
        assert post.send(to="anna@example.net", subject="Hi", text="Hello!").accepted


def test_one_post_serves_one_loop_after_another(primary, backup):
    post = secondpost.open(**connections(primary, backup))

    async def once() -> None:
        assert (await post.send(**PARTS)).accepted
        await post.close()

    asyncio.run(once())
    asyncio.run(once())
    assert taken(primary) == [2]


def test_the_sync_door_serves_many_threads_at_once(primary, backup):
    with blocking.open(**connections(primary, backup)) as post, ThreadPoolExecutor(8) as threads:
        numbers = range(80)
        results = list(threads.map(lambda number: post.send(**PARTS | {"to": f"{number}@example.net"}), numbers))
    assert all(result.accepted for result in results)
    assert sorted(copy.recipients[0] for copy in primary.mail) == sorted(f"{number}@example.net" for number in numbers)


def test_a_post_that_is_closed_is_not_kept(primary):
    with blocking.open(primary=f"smtp://127.0.0.1:{primary.port}", from_email="shop@example.com") as post:
        assert post.send(to="anna@example.net", text="Hello").accepted
        assert post in blocking._posts
    assert post not in blocking._posts


async def test_the_sync_door_may_be_called_from_a_running_loop_but_not_from_its_own(primary):
    with blocking.open(primary=f"smtp://127.0.0.1:{primary.port}", from_email="shop@example.com") as post:
        assert post.send(to="anna@example.net", text="Hello").accepted

        async def within() -> None:
            post.send(to="anna@example.net", text="Hello")

        with pytest.raises(secondpost.SecondpostError, match="from its own thread"):
            blocking.run(within())


def test_the_sync_door_works_after_a_fork(primary, backup):
    with blocking.open(**connections(primary, backup)) as post:
        assert post.send(**PARTS).accepted
        script = f"""
import os
from secondpost import blocking
post = blocking.open(primary="smtp://127.0.0.1:{primary.port}", from_email="shop@example.com")
assert post.send(to="a@example.net", text="parent").accepted
child = os.fork()
if child == 0:
    os._exit(0 if post.send(to="b@example.net", text="child").accepted else 1)
assert os.waitpid(child, 0)[1] == 0
assert post.send(to="c@example.net", text="parent again").accepted
"""
        done = subprocess.run(
            [sys.executable, "-Wignore", "-c", script], capture_output=True, text=True, timeout=30, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
    assert [copy.recipients[0][0] for copy in primary.mail] == ["a", "a", "b", "c"]
    assert primary.violations == []


def test_importing_it_loads_the_standard_library_only():
    script = "import sys, secondpost; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-I", "-S", "-c", f"import sys; sys.path += [{SRC!r}]; {script}"],
                            capture_output=True, text=True, check=True).stdout.split()  # fmt: skip
    tops = {name.partition(".")[0] for name in loaded}
    assert tops - sys.stdlib_module_names == {"__main__", "secondpost"}
    assert {"asyncio", "email", "logging", "ssl", "sqlite3"} & tops == set()


def test_opening_it_loads_nothing_of_the_gateway():
    used = "import sys, secondpost; secondpost.open(primary='smtp://127.0.0.1:1'); "
    loaded = subprocess.run(
        [sys.executable, "-c", used + "print(*sys.modules)"], capture_output=True, text=True, check=True, env=os.environ
    ).stdout.split()
    assert {"click", "fastapi", "starlette", "uvloop", "uvicorn", "rich", "re2"} & set(loaded) == set()


def test_every_public_name_is_there_and_no_other():
    assert all(getattr(secondpost, name) is not None for name in secondpost.__all__)
    with pytest.raises(AttributeError, match="opne"):
        _ = secondpost.opne
