"""The outbox: sent if and only if the transaction commits, and handed over once."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.mail import EmailMessage
from django.core.management import CommandError, call_command
from django.db import transaction

from secondpost.contrib.django import options
from tests.contrib.django.conftest import BACKEND
from tests.contrib.django.test_backend import message, project
from tests.gateway import relaying
from tests.provider import HOST, free_port, wait_until


@pytest.fixture(scope="module")
def relay(tmp_path_factory):
    with relaying(tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(relay):
    return relay[0]


@pytest.fixture(scope="module")
def taking(relay):
    return relay[1]


@pytest.fixture(scope="module")
def given(gateway):
    _, made = gateway.ask("keys_add", name="django")
    return {"mode": "outbox", "url": f"http://{HOST}:{gateway.http_port}", "key": made["key"]}


@pytest.fixture
def settings(given, rows):
    with project(given):
        yield given


def send(subject: str, **attributes: Any) -> EmailMessage:
    it = message(subject=subject)
    for name, value in attributes.items():
        setattr(it, name, value)
    assert it.send() == 1
    return it


@transaction.atomic
def fail_after_sending(subject: str) -> None:
    send(subject)
    raise ZeroDivisionError


def test_it_is_sent_if_and_only_if_the_transaction_commits(settings, rows, gateway):
    with transaction.atomic():
        send("committed")
        assert rows.count() == 1
    with pytest.raises(ZeroDivisionError):
        fail_after_sending("rolled back")
    with transaction.atomic(), pytest.raises(ZeroDivisionError):
        fail_after_sending("rolled back to a savepoint")
    assert rows.count() == 1
    call_command("secondpost_worker", once=True)
    assert rows.count() == 0
    assert {"committed"} == {subject for subject in gateway.log() if subject.startswith(("committed", "rolled"))}


def test_the_message_says_that_it_is_queued_and_the_gateway_has_all_of_it(settings, rows, gateway, taking):
    it: Any = send("all of it", tags=["order"], metadata={"order": 42}, priority="urgent")
    assert (it.anymail_status.status, it.secondpost_result.queued) == ({"queued"}, True)
    call_command("secondpost_worker", once=True)
    shown = gateway.ask("log_show", id=gateway.log()["all of it"]["id"])[1]
    assert (shown["tag"], shown["priority"], shown["to"]) == ("order", "urgent", ["a@example.net"])
    assert '"order": "42"' in shown["notes"]
    wait_until(lambda: any(b"Subject: all of it" in copy.data for copy in taking.mail), 10)


def test_urgent_mail_goes_first(settings, rows):
    for priority in ("bulk", "", "urgent"):
        send(priority or "normal", priority=priority)
    order = [row.priority or "normal" for row in rows.order_by("urgency", "id")]
    assert order == ["urgent", "normal", "bulk"]


def test_a_worker_that_dies_before_it_forgets_hands_nothing_over_twice(settings, rows, gateway):
    send("once")
    row = rows.get()
    call_command("secondpost_worker", once=True)
    row.save(force_insert=True)  # as if the worker had been killed before the row was removed
    call_command("secondpost_worker", once=True)
    found, _ = gateway.ask("log_export", subject="once")
    assert len(found) == 1
    assert rows.count() == 0


def test_the_callers_key_counts_over_transactions(settings, rows, gateway):
    for _ in range(2):
        send("by key", idempotency_key="order-77")
    call_command("secondpost_worker", once=True)
    assert len(gateway.ask("log_export", subject='"by key"')[0]) == 1


def test_what_is_refused_stays_for_a_person_and_holds_up_nothing(settings, rows, gateway, capsys):
    first = send("refused")
    rows.update(sender="not an address")
    send("behind it")
    call_command("secondpost_worker", once=True)
    assert [row.id for row in rows.all()] != []
    assert "behind it" in gateway.log()
    call_command("secondpost_outbox")
    assert "waiting: 0" in (out := capsys.readouterr().out)
    assert first.secondpost_result.id in out
    assert "not an address" in out
    call_command("secondpost_outbox", retry=True)
    assert "to be tried again: 1" in capsys.readouterr().out
    call_command("secondpost_outbox")
    assert "waiting: 1, the oldest since 2" in capsys.readouterr().out
    call_command("secondpost_worker", once=True)
    call_command("secondpost_outbox", drop_refused=True)
    assert "removed: 1" in capsys.readouterr().out
    assert rows.count() == 0


def test_while_the_gateway_is_away_everything_waits(rows):
    with project({"mode": "outbox", "url": f"smtp://{HOST}:{free_port()}", "timeout": 0.2}):
        send("patient")
        with pytest.raises(CommandError, match="What is left stays in the outbox"):
            call_command("secondpost_worker", once=True)
    assert rows.count() == 1


def test_a_queue_of_its_own_delivers_without_a_gateway(rows, tmp_path, primary, backup):
    primary.refuse()
    own = {"primary": f"smtp://{HOST}:{primary.port}", "backup": f"smtp://{HOST}:{backup.port}"}
    with project({"mode": "outbox", "queue": str(tmp_path / "queue"), **own}):
        for number in range(5):
            send(str(number))
        call_command("secondpost_worker", once=True)
    assert (rows.count(), len(backup.mail)) == (0, 5)


def test_nothing_half_is_stored_when_a_message_is_wrong(settings, rows):
    with pytest.raises(Exception, match="not an address"):
        message(to=["a@example.net", "django"]).send()
    assert rows.count() == 0


SETTINGS = """
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = ["secondpost.contrib.django"]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "{folder}/app.sqlite3"}}}}
MAILERS = {{"default": {{"BACKEND": "{backend}", "OPTIONS": {options!r}}}}}
if __import__("django").VERSION < (6, 1):
    EMAIL_BACKEND, SECONDPOST = "{backend}", {options!r}
    del MAILERS
"""


def test_the_worker_works_until_it_is_told_to_stop(tmp_path, primary):
    chosen = {"mode": "outbox", "queue": str(tmp_path / "queue"), "primary": f"smtp://{HOST}:{primary.port}"}
    chosen["backup"] = "capture://default"
    (tmp_path / "shop_settings.py").write_text(SETTINGS.format(folder=tmp_path, backend=BACKEND, options=chosen))
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3] / "src")])
    env = os.environ | {"PYTHONPATH": paths, "DJANGO_SETTINGS_MODULE": "shop_settings", "PYTHONWARNINGS": "default"}

    def manage(*words: str) -> list[str]:
        return [sys.executable, "-m", "django", *words]

    subprocess.run(manage("migrate", "-v0"), env=env, check=True)
    with subprocess.Popen(manage("secondpost_worker", "--interval=0.05"), env=env, stderr=subprocess.PIPE) as worker:
        code = "from django.core.mail import send_mail; send_mail('S', 'B', 'shop@example.com', ['a@example.net'])"
        subprocess.run(manage("shell", "-c", code), env=env, check=True, stdout=subprocess.DEVNULL)
        wait_until(lambda: len(primary.mail) == 1, 20)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
        assert worker.stderr is not None
        assert worker.stderr.read() == b""


def test_without_the_app_it_says_what_to_do(settings, rows, monkeypatch):
    monkeypatch.setattr(apps, "is_installed", lambda name: False)
    with pytest.raises(Exception, match="to INSTALLED_APPS, and migrate"):
        message().send()
    assert options.configured()
