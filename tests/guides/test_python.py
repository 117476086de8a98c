"""Every block of the Python guide does what the guide says."""

import asyncio
import logging
import subprocess
import sys

import pytest

from secondpost import testing
from tests.guides.blocks import python, run

DIRECT, QUEUED, SUBMITTED, SYNC, TESTS, LOGS = python("python")


@pytest.fixture
def outbox(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with testing.outbox() as kept:
        yield kept


def test_direct(outbox):
    names = run(DIRECT)

    async def main() -> None:
        await names["order_is_on_its_way"]()
        await names["post"].close()

    asyncio.run(main())
    assert outbox.assert_sent(to="anna@example.net", subject="Your order").message["From"] == "Shop <shop@example.com>"


def test_queued(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asyncio.run(run(QUEUED.replace("smtp://127.0.0.1:2525", "capture://default"))["main"]())
    assert capsys.readouterr().out.strip() in {"queued", "accepted"}
    assert (tmp_path / "mail/secondpost.db").exists()


def test_submitted(outbox, monkeypatch):
    monkeypatch.setenv("SECONDPOST_KEY", "sp_x")
    post = run(SUBMITTED)["post"]

    async def main() -> None:
        async with post:
            assert (await post.send(to="anna@example.net", text="Hello")).queued

    asyncio.run(main())


def test_without_async(outbox):
    run(SYNC)["post"].close()
    outbox.assert_sent(to="anna@example.net")


def test_the_tests_that_are_shown_pass(tmp_path):
    (tmp_path / "test_shop.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0


def test_what_was_logged_is_mailed(outbox):
    handler = run(LOGS)["handler"]
    try:
        logging.getLogger("shop").error("the printer is on fire")
        handler.close()
    finally:
        logging.getLogger().removeHandler(handler)
    outbox.assert_sent(to="ops@example.com", subject="ERROR: the printer is on fire")
