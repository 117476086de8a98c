"""Logging never waits for the mail that it makes, and never makes more of it by itself."""

import logging
import logging.config
import os
import subprocess
import sys
import threading
import time

import pytest

import secondpost
from secondpost import testing
from secondpost.library import post as library
from tests.provider import wait_until


@pytest.fixture
def outbox():
    with testing.outbox() as kept:
        yield kept


@pytest.fixture
def logger():
    made = logging.getLogger("shop")
    made.propagate = False
    yield made
    for handler in list(made.handlers):
        made.removeHandler(handler)
        handler.close()


def handler(**settings) -> secondpost.LogHandler:
    options = {"primary": "capture://default", "from_email": "shop@example.com"} | settings
    return secondpost.LogHandler("ops@example.com", **options)


def test_the_first_error_is_mailed_at_once_and_the_rest_in_one_mail(outbox, logger):
    logger.addHandler(it := handler(subject="[shop]", interval=1.5))
    logger.error("the printer is on fire")
    wait_until(lambda: len(outbox) == 1, 5)
    for number in range(30):
        logger.error("again %d", number)
    logger.warning("less than an error")
    time.sleep(0.1)
    assert len(outbox) == 1, "the mailbox is left alone for a while"
    wait_until(lambda: len(outbox) == 2, 5)
    assert outbox[0].subject == "[shop] ERROR: the printer is on fire"
    assert outbox[1].subject == "[shop] ERROR: again 0 (and 29 more)"
    assert "again 29" in outbox[1].text
    assert "less" not in outbox[1].text
    it.close()


def test_what_is_left_is_sent_when_it_is_closed(outbox, logger):
    logger.addHandler(it := handler(interval=3600))
    for text in ("first", "second"):
        logger.error(text)
        wait_until(lambda: len(outbox) == 1, 5)
    it.close()
    assert [mail.text.strip() for mail in outbox] == ["first", "second"]
    logger.error("too late")
    assert len(outbox) == 2


def test_too_many_records_are_counted_instead_of_kept(outbox, logger):
    logger.addHandler(it := handler(interval=3600, capacity=10))
    logger.error("first")
    wait_until(lambda: len(outbox) == 1, 5)
    for number in range(1000):
        logger.error("flood %d", number)
    it.close()
    assert outbox[1].subject == "ERROR: flood 990 (and 999 more)"
    assert "990 records before these were too many to keep." in outbox[1].text


def test_nobody_waits_for_a_provider_that_is_slow(outbox, logger, monkeypatch):
    began, logged = threading.Event(), threading.Event()

    def slow(name):
        began.set()
        logged.wait(30)
        return outbox.find(name)

    monkeypatch.setattr(library, "stage", slow)
    logger.addHandler(handler(interval=0))
    logger.error("x")
    assert began.wait(5)
    begun = time.monotonic()
    for _ in range(200):
        logger.error("x")
    assert time.monotonic() - begun < 20
    logged.set()


def test_what_the_sending_logs_is_left_out(outbox):
    root = logging.getLogger()
    it = handler(interval=0, level="DEBUG")
    root.addHandler(it)
    level = root.level
    root.setLevel("DEBUG")
    outbox.fail()
    try:
        logging.getLogger("secondpost.service.worker").error("the sender's own")
        threading.Thread(target=lambda: logging.getLogger("aiohttp").error("x"), name="secondpost").start()
        logging.getLogger("shop").error("the app's")
        it.close()
    finally:
        root.removeHandler(it)
        root.setLevel(level)
    assert it._lost == 0
    assert not it._records


def test_nothing_in_a_record_can_break_it(outbox, capsys):
    it = handler(interval=0)
    fault = (ValueError, ValueError("x"), None)
    evil = "first line\r\nBcc: eve@example.net\0\ud800"
    it.handle(logging.LogRecord("shop", logging.ERROR, "shop.py", 1, evil, None, fault))  # pytest cannot report it
    it.handle(logging.LogRecord("shop", logging.ERROR, "shop.py", 1, "%d", ("not a number",), None))
    it.close()
    assert outbox[0].to == ("ops@example.com",)
    assert outbox[0].message["Bcc"] is None
    assert "ValueError: x" in outbox[0].text
    assert "a real number is required" in capsys.readouterr().err


def test_a_failure_is_told_on_standard_error_and_nowhere_else(outbox, logger, capsys):
    outbox.fail()
    logger.addHandler(it := handler())
    logger.error("x")
    it.close()
    assert "secondpost: 1 log records were not mailed" in capsys.readouterr().err


def test_it_is_configured_like_any_handler_and_wrong_settings_are_told():
    settings = {"class": "secondpost.LogHandler", "to": ["ops@example.com"], "from_email": "shop@example.com",
                "primary": "capture://default", "level": "CRITICAL"}  # fmt: skip
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "handlers": {"mail": settings}})
    with pytest.raises(secondpost.ConfigError, match="needs a sender"):
        secondpost.LogHandler("ops@example.com", primary="capture://default")


def test_the_last_words_of_a_program_and_of_its_children_are_mailed(primary):
    script = f"""
import logging, os, secondpost
settings = dict(primary="smtp://127.0.0.1:{primary.port}", from_email="shop@example.com", interval=3600)
logging.getLogger().addHandler(secondpost.LogHandler("ops@example.com", **settings))
logging.error("hello from the parent")
if (child := os.fork()) == 0:
    logging.error("hello from the child")
    raise SystemExit
os.waitpid(child, 0)
logging.error("the last word")
"""
    done = subprocess.run(
        [sys.executable, "-Wignore", "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), os.environ
    said = sorted(copy.data.split(b"\r\n\r\n")[1].strip().decode() for copy in primary.mail)
    assert said == ["hello from the child", "hello from the parent", "the last word"]
