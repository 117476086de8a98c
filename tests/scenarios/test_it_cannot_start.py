"""A start that cannot work ends at once, with a message that says what is wrong, and with nothing changed."""

import contextlib
import json
import os
import socket
import sqlite3
import time

import pytest

from tests import peers
from tests.provider import HOST, free_port, total, wait_until

TO = "anna@example.com"


def fails(gateway, *words, seconds=15):
    """It ends by itself, not with a traceback, and says each of the words."""
    before = len(gateway.output())
    gateway.launch()
    code = gateway.process.wait(seconds)
    said = gateway.output()[before:]
    assert code in {1, 2}, (code, said)
    assert "Traceback" not in said, said
    for word in words:
        assert word.lower() in said.lower(), f"{word!r} is not in:\n{said}"
    return said


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"primry": "x"}, ["primry", "primary"]),
        ({"smtp": {"lisen": ["127.0.0.1:1"]}}, ["lisen", "listen"]),
        ({"connections": {"primary": {"hst": "x"}}}, ["hst", "host"]),
        ({"connections": {"primary": {"timeouts": {"conect": 1}}}}, ["conect", "connect"]),
        ({"priority": {"urgnt": {"expires": "1h"}}}, ["urgnt", "urgent"]),
        ({"priority": {"urgent": {"expires": "soon"}}}, ["expires", "soon"]),
        ({"backup": "nobody"}, ["backup", "nobody"]),
        ({"primary": "nobody"}, ["primary", "nobody"]),
        ({"connections": {"primary": {"port": "many"}}}, ["port"]),
        ({"connections": {"primary": {"port": 99999}}}, ["port"]),
        ({"connections": {"primary": {"mailer": "smpt"}}}, ["smpt", "smtp"]),
        ({"connections": {"primary": {"encryption": "startls"}}}, ["startls", "starttls"]),
        ({"connections": {"primary": {"password": {"env": "NO_SUCH_VARIABLE"}}}}, ["NO_SUCH_VARIABLE"]),
        ({"smtp": {"listen": ["not an address"]}}, ["listen"]),
        ({"smtp": {"max_message_bytes": -1}}, ["max_message_bytes"]),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else "",
)
def test_a_wrong_setting_is_named_with_the_right_one(launch, settings, words):
    fails(launch(running=False, settings=settings), *words)


def test_all_that_is_wrong_is_told_at_once_and_without_a_start(launch):
    wrong = {"primry": "x", "smtp": {"lisen": ["127.0.0.1:1"]}, "connections": {"primary": {"port": "many"}}}
    check = launch(running=False, settings=wrong).run("config", "check")
    assert check.returncode in {1, 2}
    assert [word for word in ("primry", "smtp.lisen", "primary.port") if word not in check.stderr] == []
    assert "Traceback" not in check.stdout + check.stderr


def test_a_file_that_is_not_toml_is_named_with_its_line(launch):
    gateway = launch(running=False)
    gateway.config.write_text("data_dir = \n")
    fails(gateway, "secondpost.toml", "line 1")


def test_a_configuration_file_that_is_not_there_is_named(launch):
    gateway = launch(running=False)
    gateway.config.unlink()
    fails(gateway, str(gateway.config))


def test_a_port_in_use_is_named(launch):
    gateway = launch(running=False)
    with socket.create_server((HOST, gateway.port)):
        fails(gateway, str(gateway.port), "use")


def test_f24_a_second_daemon_on_the_same_data_is_refused_and_the_first_carries_on(launch, primary, backup):
    first = launch()
    primary.refuse()
    backup.refuse()
    marks = first.send_many(5)
    second = launch(running=False)
    second.settings |= {"data_dir": str(first.data)}
    second.write_config()
    fails(second, str(first.data))
    primary.heal()
    marks += first.send_many(5)
    wait_until(lambda: all(primary.copies[mark, TO] for mark in marks), 20, first.report)
    assert set(total(primary, backup).values()) == {1}


def database(gateway):
    """The file, found by its magic."""
    for path in sorted(gateway.data.rglob("*")):
        if path.suffix == ".db" and path.read_bytes().startswith(b"SQLite format 3\0"):
            return path
    raise AssertionError(f"no database below {gateway.data}")


def with_waiting_mail(launch, primary, backup):
    """A stopped gateway that has accepted five messages and delivered none."""
    backup.refuse()
    gateway = launch(primary=primary.connection() | {"port": free_port()})
    marks = gateway.send_many(5)
    gateway.stop()
    gateway.settings["connections"]["primary"] = primary.connection()  # another one now: its breaker is not waited for
    gateway.write_config()
    return gateway, marks


def test_f50_a_newer_database_is_refused_and_left_alone(launch, primary, backup):
    gateway, marks = with_waiting_mail(launch, primary, backup)
    path = database(gateway)
    with contextlib.closing(sqlite3.connect(path)) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute(f"PRAGMA user_version={version + 1000}")
    fails(gateway, "newer")
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == version + 1000
        db.execute(f"PRAGMA user_version={version}")
    gateway.start()
    wait_until(lambda: all(primary.copies[mark, TO] for mark in marks), 10, gateway.report)


@pytest.mark.parametrize("where", ["header", "middle", "truncated"])
def test_f23_a_corrupt_database_is_refused_and_never_replaced_by_an_empty_one(launch, primary, backup, where):
    gateway, _ = with_waiting_mail(launch, primary, backup)
    path = database(gateway)
    damage(path, where)
    damaged = path.read_bytes()
    said = fails(gateway, "database")
    assert path.name in said
    assert path.read_bytes() == damaged, "the original is kept for salvage"


def damage(path, where):
    size = path.stat().st_size
    if where == "truncated":
        os.truncate(path, size // 2 // 4096 * 4096)
        return
    with path.open("r+b") as file:
        file.seek(0 if where == "header" else 4096)
        file.write(os.urandom(size - 4096 if where == "middle" else 100))


def test_f22_a_database_that_somebody_else_holds_is_named(launch, primary, backup):
    gateway, marks = with_waiting_mail(launch, primary, backup)
    with contextlib.closing(sqlite3.connect(database(gateway), isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        fails(gateway, "database", seconds=40)
    gateway.start()
    wait_until(lambda: all(primary.copies[mark, TO] for mark in marks), 10, gateway.report)


def key(gateway):
    found = [path for path in gateway.data.rglob("*") if path.is_file() and "key" in path.name]
    assert len(found) == 1, found
    return found[0]


def test_s38_a_missing_key_is_refused_and_not_made_anew(launch, primary, backup):
    gateway, marks = with_waiting_mail(launch, primary, backup)
    path = key(gateway)
    aside = path.rename(gateway.folder / "aside")
    fails(gateway, "key")
    assert not path.exists()
    aside.rename(path)
    gateway.start()
    wait_until(lambda: all(primary.copies[mark, TO] for mark in marks), 10, gateway.report)


def test_s38_a_wrong_key_is_refused(launch, primary, backup):
    gateway, _ = with_waiting_mail(launch, primary, backup)
    path = key(gateway)
    text = path.read_bytes()
    path.write_bytes(bytes(reversed(text.strip())) + text[len(text.strip()) :])
    fails(gateway, "key")


def test_s46_a_key_that_others_may_read_is_refused(launch, primary, backup):
    gateway, _ = with_waiting_mail(launch, primary, backup)
    assert key(gateway).stat().st_mode & 0o077 == 0, "made for its owner only"
    key(gateway).chmod(0o644)
    fails(gateway, "key", "600")


def test_s46_what_it_stores_is_for_its_owner_only(launch, primary):
    gateway = launch()
    gateway.send()
    loose = {str(path): oct(path.stat().st_mode) for path in gateway.data.rglob("*") if path.stat().st_mode & 0o077}
    assert loose == {}


def test_a_data_folder_that_cannot_be_written_is_named(launch):
    peers.requires_root()
    gateway = launch(running=False)
    gateway.settings |= {"data_dir": "/proc/nowhere"}
    gateway.write_config()
    fails(gateway, "/proc/nowhere")


def test_it_starts_with_nothing_at_all(launch):
    """No connection configured: the built-in inbox takes the mail, and nobody gets any."""
    gateway = launch(primary=None, backup=None)
    mark = gateway.send()
    gateway.becomes(mark, "accepted")


def test_it_starts_fast(launch):
    gateway = launch(running=False)
    start = time.monotonic()
    gateway.start()
    assert time.monotonic() - start < 4, "under a second on an idle machine"
    assert free_port()
