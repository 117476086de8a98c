"""F18, F22: when nothing can be stored, nothing is accepted, the client is told to come back, and what was accepted
goes on.
"""

import contextlib
import smtplib
import sqlite3
import subprocess
import threading
import time

import pytest

from tests import peers
from tests.provider import total, wait_until
from tests.scenarios.test_it_cannot_start import database

TO = "anna@example.com"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 12 MB."""
    peers.requires_root()
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", folder], check=False).returncode:
        peers.lacking("may not mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_f18_a_full_disk_refuses_with_a_come_back_and_loses_nothing(launch, primary, backup, small_disk):
    gateway = launch(settings={"data_dir": str(small_disk / "data")})
    primary.refuse()
    backup.refuse()
    accepted, refused = [], []
    body = ("y" * 76 + "\r\n") * 2600  # about 200 kB
    for _ in range(100):
        try:
            accepted.append(gateway.send(body=body))
        except smtplib.SMTPResponseException as error:
            refused.append((error.smtp_code, error.smtp_error))
            if len(refused) == 3:
                break
    assert accepted
    assert refused, "12 MB took 20 MB?"
    assert {code for code, _ in refused} <= {451, 452}, refused
    primary.heal()
    backup.heal()
    wait_until(lambda: all(total(primary, backup)[mark, TO] for mark in accepted), 60, gateway.report)
    time.sleep(1)
    assert set(total(primary, backup).values()) == {1}
    assert len(total(primary, backup)) == len(accepted)


def test_f18_it_accepts_again_when_there_is_room(launch, primary, backup, small_disk):
    gateway = launch(settings={"data_dir": str(small_disk / "data")})
    first = gateway.send()
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb") as file:
        while True:
            file.write(b"x" * 4096)
            file.flush()
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        gateway.send(body=("y" * 76 + "\r\n") * 50_000)
    assert refused.value.smtp_code in {451, 452}
    ballast.unlink()
    again = []

    def accepts():
        with contextlib.suppress(smtplib.SMTPResponseException):
            again.append(gateway.send())
        return again

    wait_until(accepts, 15, gateway.report)
    wait_until(lambda: all(primary.copies[mark, TO] for mark in [first, *again]), 20, gateway.report)


def test_f22_a_backup_tool_that_reads_for_long_disturbs_nobody(launch, primary, backup):
    gateway = launch()
    gateway.send()
    with contextlib.closing(sqlite3.connect(f"file:{database(gateway)}?mode=ro", uri=True)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        marks = gateway.send_many(50)
        wait_until(lambda: all(primary.copies[mark, TO] for mark in marks), 10, gateway.report)


@pytest.mark.parametrize("seconds", [1, 18])
def test_f22_a_writer_that_holds_the_database_makes_clients_wait_or_come_back(launch, primary, backup, seconds):
    gateway = launch()
    first = gateway.send()
    wait_until(lambda: primary.copies[first, TO], 5)
    db = sqlite3.connect(database(gateway), isolation_level=None, check_same_thread=False)
    try:
        db.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        db.close()
        return  # nobody else can get in the way: better still
    sent, codes = [], []
    release = threading.Timer(seconds, db.rollback)
    release.start()
    while db.in_transaction:
        try:
            with gateway.client(30) as client:
                sent.append(gateway.send(client=client))
        except smtplib.SMTPResponseException as error:
            codes.append(error.smtp_code)
            time.sleep(0.5)
    release.join()
    db.close()
    assert set(codes) <= ({451, 452} if seconds > 10 else set()), "a moment is waited for"
    sent.append(gateway.send())
    wait_until(lambda: all(total(primary, backup)[mark, TO] for mark in sent), 20, gateway.report)
    time.sleep(0.5)
    assert set(total(primary, backup).values()) == {1}, "a 451 was not stored"
