"""The task of the Celery guide, under a real worker: run again, it sends no second copy."""

import logging
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from celery.exceptions import Retry
from celery.signals import setup_logging

from secondpost import testing
from tests.guides.blocks import python, run
from tests.provider import free_port

(TASK,) = python("celery")


@pytest.fixture
def logging_as_it_was():
    """A worker takes the whole process's logging over, unless somebody listens to this signal."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)

    def keep(**_: Any) -> None:
        """Whoever listens sets logging up."""

    setup_logging.connect(keep)
    yield
    setup_logging.disconnect(keep)
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def shop(monkeypatch, logging_as_it_was):
    monkeypatch.setenv("BROKER", "memory://")
    monkeypatch.setenv("SECONDPOST_KEY", "sp_x")
    names = run(TASK.replace(":8025", f":{free_port()}").replace("timeout=10", "timeout=0.2"))
    names["app"].conf.update(result_backend="cache+memory://", broker_connection_retry_on_startup=True)
    yield names
    names["post"].close()


def test_a_task_that_comes_twice_sends_once(shop):
    task = shop["order_is_on_its_way"]
    with testing.outbox() as outbox, start_worker(shop["app"], pool="solo", perform_ping_check=False):
        for address, id in (("anna@example.net", "1"), ("anna@example.net", "1"), ("bob@example.net", "2")):
            done = task.apply_async((address,), task_id=id)
            assert done.get(timeout=20) == "queued"
            done.forget()
    assert sorted(it.to[0] for it in outbox) == ["anna@example.net", "bob@example.net"]


def test_it_is_tried_again_when_nobody_took_it_and_not_when_it_is_wrong(shop):
    task = shop["order_is_on_its_way"]
    with pytest.raises(Retry):
        task.apply(("anna@example.net",), throw=True).get()
    with testing.outbox():
        assert task.apply(("no address",)).get().startswith("refused: ")
