"""The spool: what a file must be, what is taken once, what is set aside; and who may reach folder and socket."""

import os
import stat
from functools import partial

import pytest

from secondpost.entrypoints import spool_file
from secondpost.entrypoints.smtp_local import LocalDoor
from secondpost.errors import ConfigError
from tests.gateway import new_mark
from tests.provider import wait_until

TO = "anna@example.com"


def spooled(folder, mark, *, content=None, recipients=(TO,), key="", asked=False):
    """A file as `secondpost-sendmail` leaves it."""
    head = f"Subject: {mark}\r\nX-Test-Id: {mark}\r\n" + (f"Secondpost-Idempotency-Key: {key}\r\n" if key else "")
    content = head.encode() + b"\r\nHello\r\n" if content is None else content
    envelope = spool_file.Envelope("shop@example.com", list(recipients), len(content), asked=asked)
    spool_file.put(str(folder), envelope, content)


def test_what_is_written_is_what_is_read(tmp_path):
    spooled(tmp_path, "x", recipients=[TO, "ä@example.com"], asked=True)
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    envelope, start = spool_file.read_head(data)
    assert (envelope.sender, envelope.recipients, envelope.asked) == ("shop@example.com", [TO, "ä@example.com"], True)
    assert len(data) - start == envelope.size
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_mail_with_a_large_body_is_taken_and_the_same_key_is_taken_once(gateway, primary):
    folder, mark = gateway.data / "spool", new_mark()
    body = b"".join(b"%069d\r\n" % number for number in range(20_000))
    content = b"Subject: %b\r\nX-Test-Id: %b\r\nSecondpost-Idempotency-Key: k1\r\n\r\n" % ((mark.encode(),) * 2) + body
    for _ in range(3):
        spooled(folder, mark, content=content)
    wait_until(lambda: not list(folder.glob("*.mail")) and primary.copies[mark, TO], 10, gateway.report)
    (copy,) = [copy for copy in primary.mail if copy.mark == mark]
    assert copy.data.partition(b"\r\n\r\n")[2] == body
    assert primary.copies[mark, TO] == 1


def test_a_message_that_the_gateway_took_and_did_not_answer_for_is_not_taken_again(gateway, primary):
    folder, mark = gateway.data / "spool", new_mark()
    gateway.send(mark=mark, Secondpost_Idempotency_Key="k2")
    wait_until(lambda: primary.copies[mark, TO], 10)
    head = b"X-Test-Id: %b\r\nFrom: shop@example.com\r\nTo: anna@example.com\r\nSubject: %b\r\n" % (
        (mark.encode(),) * 2
    )
    spooled(folder, mark, content=head + b"Secondpost-Idempotency-Key: k2\r\n\r\nHello\r\n", asked=True)
    wait_until(lambda: not list(folder.glob("*.mail")), 10, gateway.report)
    assert list((folder / "refused").iterdir()) == []
    assert primary.copies[mark, TO] == 1
    assert len(gateway.log()) == 1


def at_most(folder, count):
    return len(list(folder.glob("*.mail"))) <= count


def test_killed_while_it_collects_it_takes_every_file_once(launch, primary):
    gateway = launch(running=False)
    folder = gateway.data / "spool"
    folder.mkdir(parents=True)
    marks = [new_mark() for _ in range(60)]
    for mark in marks:
        spooled(folder, mark)
    for seen in (5, 25):
        gateway.start()
        wait_until(partial(at_most, folder, 60 - seen), 10, gateway.report)
        gateway.kill()
    gateway.start()
    wait_until(lambda: not list(folder.glob("*.mail")), 10, gateway.report)
    log = gateway.log()
    assert sorted(log) == sorted(marks)  # each once: a second would replace the first, and the count would tell
    rows, _ = gateway.ask("log_export")
    assert len(rows) == len(marks)


BAD = {
    "not a spool file": b"Subject: x\n\nHello\n",
    "cut off": spool_file.head_of(spool_file.Envelope("a@example.com", [TO], 100)) + b"Subject: x\r\n\r\n",
    "no recipient": spool_file.head_of(spool_file.Envelope("a@example.com", [], 4)) + b"\r\nx\r\n"[:4],
    "a bad address": spool_file.head_of(spool_file.Envelope("a@example.com", ["no body"], 4)) + b"\r\nx\r",
    "a bare LF": spool_file.head_of(spool_file.Envelope("a@example.com", [TO], 8)) + b"S: x\n\nxx",
}


def test_what_cannot_be_taken_is_set_aside_with_the_reason_and_delays_nobody(gateway, primary):
    folder, mark = gateway.data / "spool", new_mark()
    for number, data in enumerate(BAD.values()):
        (folder / f"0{number}.new").write_bytes(data)
        (folder / f"0{number}.new").rename(folder / f"0{number}.mail")
    (folder / "05.mail").symlink_to("/etc/passwd")
    os.mkfifo(folder / "06.mail")
    spooled(folder, mark)
    wait_until(lambda: primary.copies[mark, TO], 10, gateway.report)
    wait_until(lambda: not list(folder.glob("*.mail")), 10, gateway.report)
    reasons = sorted(path.name for path in (folder / "refused").glob("*.reason"))
    assert reasons == [f"0{number}.mail.reason" for number in range(7)]
    assert "set aside" in gateway.output()


def test_socket_and_spool_are_for_the_owner_alone_and_the_socket_goes_at_the_end(launch):
    gateway = launch()
    assert stat.S_IMODE((gateway.data / "sendmail.sock").stat().st_mode) == 0o600
    assert stat.S_IMODE((gateway.data / "spool").stat().st_mode) == 0o700
    gateway.stop()
    assert not (gateway.data / "sendmail.sock").exists()


def test_they_can_be_opened_to_everyone_elsewhere(launch, tmp_path):
    own = {"access": "everyone", "socket": tmp_path / "s.sock", "spool": tmp_path / "spool"}
    launch(settings={"sendmail": own})
    assert stat.S_IMODE((tmp_path / "s.sock").stat().st_mode) == 0o666
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o3777
    assert stat.S_IMODE((tmp_path / "spool/refused").stat().st_mode) == 0o700


def test_a_socket_that_another_gateway_listens_on_is_not_taken(tmp_path):
    one = LocalDoor(tmp_path / "s.sock", "owner")
    with one.open():
        with pytest.raises(ConfigError, match="another program listens"):
            LocalDoor(tmp_path / "s.sock", "owner").open()
        one.close()
    assert list(tmp_path.iterdir()) == []


def test_a_socket_that_a_dead_gateway_left_is_replaced_and_a_group_has_to_exist(tmp_path):
    LocalDoor(tmp_path / "s.sock", "owner").open().close()
    LocalDoor(tmp_path / "s.sock", "owner").open().close()
    with pytest.raises(ConfigError, match="no such group"):
        LocalDoor(tmp_path / "t.sock", "no-such-group").open()
    assert [path.name for path in tmp_path.iterdir()] == ["s.sock"]
