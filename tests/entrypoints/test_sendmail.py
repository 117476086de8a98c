"""`secondpost-sendmail` as programs call it, against a real gateway, and without one."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from secondpost.entrypoints import spool_file
from tests.gateway import ROOT, new_mark
from tests.provider import HOST, free_port, wait_until

PROGRAM = [sys.executable, "-m", "secondpost.entrypoints.sendmail"]
TO = "anna@example.com"


def call(words, text, *, settings=None, config=None, seconds=60, program=PROGRAM, **options):
    """Run it as a program of the machine would: no environment but its own."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "PYTHONWARNINGS": "default"}
    environ |= {"SECONDPOST_CONFIG": str(config)} if config else {}
    data = text if isinstance(text, bytes) else text.encode()
    return subprocess.run(
        [*program, *words], input=data, capture_output=True, timeout=seconds, check=False,
        env=environ | (settings or {}), **options,
    )  # fmt: skip


@pytest.fixture
def sendmail(stage):
    """Calls it with the running gateway's configuration."""
    return lambda words, text, **options: call(words, text, config=stage.gateway.config, **options)


def arrived(stage, mark):
    """The one copy that the primary got."""
    wait_until(lambda: [copy for copy in stage.primary.mail if copy.mark == mark], 10, stage.gateway.report)
    (copy,) = [copy for copy in stage.primary.mail if copy.mark == mark]
    return copy


def down(tmp_path):
    """Settings of a machine where no gateway runs; its spool."""
    spool = tmp_path / "spool"
    spool.mkdir()
    names = {"SOCKET": tmp_path / "none.sock", "SPOOL": spool}
    return spool, {f"SECONDPOST_SENDMAIL__{name}": str(path) for name, path in names.items()} | {
        "SECONDPOST_SMTP__LISTEN": f"{HOST}:{free_port()}"
    }


# ── every caller's own command line ─────────────────────────────────────────────────────────────────────────────────

HEADER = ["-t"]
CALLERS = {
    "PHP mail()": ["-t", "-i"],
    "PHP mail() with -f": ["-t", "-i", "-f", "shop@example.com"],
    "PHP mail() with -f twice": ["-t", "-i", "-fwww@example.com", "-fshop@example.com"],
    "cronie": ["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root"],
    "busybox crond": ["-ti"],
    "mdadm": ["-t"],
    "logwatch": ["-t", "-oi"],
    "Rails": ["-i", "-t"],
    "Nodemailer": ["-i", "-f", "shop@example.com", TO],
    "Debian cron": ["-i", "-FCronDaemon", "-B8BITMIME", "-oem", TO],
    "anacron": ["-FAnacron", "-odi", TO],
    "s-nail": ["-i", "--", TO],
    "s-nail with -r": ["-i", "-r", "shop@example.com", "--", TO],
    "git send-email": ["-i", TO],
    "mutt": ["-oem", "-oi", "-f", "shop@example.com", "--", TO],
    "Django's and Python's": ["-t", "-oi", "-f", "shop@example.com"],
    "flags that change nothing": ["-C/tmp/x", "-X", "/tmp/x", "-G", "-v", "-h", "3", "-Oq=/tmp", "-N", "never", TO],
}


@pytest.mark.parametrize("words", CALLERS.values(), ids=CALLERS)
def test_every_callers_command_line_is_understood(stage, sendmail, words):
    mark = new_mark()
    done = sendmail(words, f"To: {TO}\nX-Test-Id: {mark}\nSubject: {mark}\nFrom: root (Cron Daemon)\n\nHello\n.x\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    copy = arrived(stage, mark)
    assert copy.data.endswith(b"\r\n\r\nHello\r\n.x\r\n")
    assert stage.primary.copies[mark, TO] == 1


def test_the_last_of_two_senders_counts_and_the_log_knows_the_user(stage, sendmail):
    mark = new_mark()
    sendmail(["-t", "-fone@example.com", "-f", "two@example.com"], f"To: {TO}\nSubject: {mark}\nX-Test-Id: {mark}\n\n")
    arrived(stage, mark)
    row = stage.gateway.log()[mark]
    assert row["initiator"].startswith("user:")
    _, entry = stage.gateway.ask("log_show", id=row["id"])
    assert entry["sender"] == "two@example.com"


def test_bcc_gets_the_message_and_nobody_is_told(stage, sendmail):
    mark = new_mark()
    text = f"To: {TO}\nBcc: secret@example.com,\n hidden@example.com\nSubject: {mark}\nX-Test-Id: {mark}\n\nHello\n"
    assert sendmail(["-t"], text).returncode == 0
    copy = arrived(stage, mark)
    assert b"secret" not in copy.data
    wait_until(lambda: stage.primary.copies[mark, "hidden@example.com"], 5)
    assert stage.primary.copies[mark, "secret@example.com"] == stage.primary.copies[mark, TO] == 1


def test_a_dot_ends_the_message_unless_told_otherwise(stage, sendmail):
    short, whole = new_mark(), new_mark()
    body = "\nHello\n.\nmore\n"
    sendmail([TO], f"Subject: s\nX-Test-Id: {short}\n{body}")
    sendmail(["-i", TO], f"Subject: s\nX-Test-Id: {whole}\n{body}")
    assert arrived(stage, short).data.endswith(b"\r\n\r\nHello\r\n")
    assert arrived(stage, whole).data.endswith(b"\r\n\r\nHello\r\n.\r\nmore\r\n")


def test_a_message_of_some_megabytes_arrives_whole(stage, sendmail):
    mark = new_mark()
    body = "".join(f"{number:070d}\n" for number in range(50_000))
    assert sendmail(["-i", TO], f"Subject: s\nX-Test-Id: {mark}\n\n{body}").returncode == 0
    assert arrived(stage, mark).data.partition(b"\r\n\r\n")[2] == body.replace("\n", "\r\n").encode()


def test_smtp_is_spoken_on_standard_input_and_output(stage, sendmail):
    mark = new_mark()
    lines = ["EHLO [127.0.0.1]", "MAIL FROM:<shop@example.com>", f"RCPT TO:<{TO}>", "DATA"]
    program = [*PROGRAM, "-bs"]
    environ = {"PYTHONPATH": str(ROOT / "src"), "SECONDPOST_CONFIG": str(stage.gateway.config)}
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        assert run.stdout.readline().startswith(b"220 ")
        for line in [*lines, f"Subject: s\r\nX-Test-Id: {mark}\r\n\r\nHello\r\n.", "QUIT"]:
            run.stdin.write(line.encode() + b"\r\n")
            run.stdin.flush()
            while (reply := run.stdout.readline())[3:4] == b"-":
                pass
            assert reply[:1] in b"23", (line, reply)
    assert run.returncode == 0
    arrived(stage, mark)


@pytest.mark.parametrize(("words", "said"), [(["-V"], "Secondpost "), (["--help"], "usage: "), (["-bp"], "spool")])
def test_it_tells_about_itself(sendmail, words, said):
    done = sendmail(words, "")
    assert done.returncode == 0
    assert said in done.stdout.decode()


@pytest.mark.parametrize("words", [["-q"], ["-q15m"], ["-bi"], ["-I"]])
def test_what_the_gateway_does_by_itself_is_no_error(sendmail, words):
    assert sendmail(words, "").returncode == 0


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────────────

WRONG = {
    "no recipient": (["-i"], "Subject: x\n\n", 64),
    "no recipient in the header": (["-t"], "Subject: x\n\n", 64),
    "an unknown flag": (["-Z", TO], "", 64),
    "a flag that lacks its value": (["-f"], "", 64),
    "a flag behind the addresses": ([TO, "-f", "x"], "", 64),
    "a daemon": (["-bd"], "", 64),
    "a daemon that looks into its queue": (["-bd", "-q30m"], "", 64),
    "an address with a line end": (["-i", "a@b.example>\r\nRCPT TO:<x@y.example"], "\n", 65),
    "a sender with a line end": (["-i", "-f", "a@b.example>\nDATA", TO], "\n", 65),
    "an address that the gateway does not know as one": (["-i", "a..b@example.com"], "\n", 67),
    "one bad among good": (["-i", TO, "a..b@example.com"], "\n", 67),
    "two From fields": (["-i", TO], "From: a@b.example\nFrom: c@d.example\n\n", 65),
}


@pytest.mark.parametrize(("words", "text", "code"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_and_nothing_is_sent(stage, sendmail, words, text, code):
    before = len(stage.gateway.log())
    done = sendmail(words, text)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith(b"secondpost-sendmail: ")
    assert done.stderr.count(b"\n") == 1
    assert len(stage.gateway.log()) == before
    assert list((stage.gateway.data / "spool").glob("*.*")) == []


def test_a_message_that_is_too_large_is_refused_and_its_writer_is_not_killed(sendmail):
    done = sendmail(["-i", TO], b"\n" + b"x" * 69 + b"\n" * 37_000_000)
    assert done.returncode == 65
    assert b"larger than" in done.stderr


CLOSED = {
    "input": ("<&-", 0), "output": (">&-", 0), "errors": ("2>&-", 0), "all": ("<&- >&- 2>&-", 0),
    "all, and nobody to send to": ("<&- >&- 2>&-", 64),
}  # fmt: skip


@pytest.mark.parametrize(("closed", "code"), CLOSED.values(), ids=CLOSED)
def test_descriptors_that_a_daemon_has_closed_change_nothing(tmp_path, closed, code):
    spool, settings = down(tmp_path)
    words = " ".join([*PROGRAM, "-i", *[TO] * (code == 0)])
    assert call(["-c", f"{words} {closed}"], "Hello\n", settings=settings, program=["sh"]).returncode == code
    assert len(list(spool.glob("*.mail"))) == (code == 0)


def test_a_file_of_settings_that_cannot_be_read_is_told(tmp_path):
    done = call([TO], "\n", config=tmp_path / "nowhere.toml")
    assert done.returncode == 78
    (tmp_path / "wrong.toml").write_text("[smtp\n")
    assert call([TO], "\n", config=tmp_path / "wrong.toml").returncode == 78
    (tmp_path / "wrong.toml").write_text('[smtp]\nlisten = 25\nmax_message_bytes = "x"\n')
    assert call([TO], "\n", config=tmp_path / "wrong.toml").returncode == 78
    assert call([TO], "\n", settings={"SECONDPOST_SMTP__MAX_MESSAGE_BYTES": "x"}).returncode == 78


# ── without a gateway ───────────────────────────────────────────────────────────────────────────────────────────────


def test_with_no_gateway_and_no_spool_it_never_says_success(tmp_path):
    spool, settings = down(tmp_path)
    spool.rmdir()
    done = call(["-t", "-i"], f"To: {TO}\n\nHello\n", settings=settings)
    assert done.returncode == 69
    assert b"was NOT sent" in done.stderr


def test_with_no_gateway_it_is_in_the_spool_and_collected_once(launch, primary, tmp_path):
    gateway = launch(running=False)
    spool = gateway.data / "spool"
    spool.mkdir(parents=True)
    marks = [new_mark() for _ in range(3)]
    for mark in marks:
        text = f"To: {TO}\nBcc: b@example.com\nSubject: {mark}\nX-Test-Id: {mark}\n\nHello\n"
        done = call(["-t", "-i"], text, config=gateway.config)
        assert (done.returncode, done.stderr) == (0, b"")
    assert b"3 in the spool" in call(["-bp"], "", config=gateway.config).stdout
    gateway.start()
    wait_until(lambda: all(primary.copies[mark, "b@example.com"] for mark in marks), 10, gateway.report)
    wait_until(lambda: not list(spool.glob("*.mail")), 10)
    assert {primary.copies[mark, TO] for mark in marks} == {1}
    assert gateway.log()[marks[0]]["initiator"].startswith("user:")


def test_smtp_on_standard_input_is_kept_in_the_spool_too(tmp_path):
    spool, settings = down(tmp_path)
    dialogue = f"EHLO x\r\nMAIL FROM:<s@example.com>\r\nRCPT TO:<{TO}>\r\nDATA\r\n"
    run = subprocess.Popen(
        [*PROGRAM, "-bs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT / "src")} | settings,
    )  # fmt: skip
    assert run.stdin is not None
    assert run.stdout is not None
    run.stdin.write(dialogue.encode())
    run.stdin.flush()
    while not run.stdout.readline().startswith(b"354 "):
        pass
    said, _ = run.communicate(b"Subject: x\r\n\r\nHello\r\n.\r\nQUIT\r\n", 20)
    assert b"250 2.0.0 Ok: in the spool" in said
    (file,) = spool.glob("*.mail")
    assert f"to: <{TO}>".encode() in file.read_bytes()


def limited(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_full_spool_is_no_success_and_leaves_nothing(tmp_path):
    spool, settings = down(tmp_path)
    done = call([TO], "\n" + "x\n" * 10_000, settings=settings, preexec_fn=limited(4096))
    assert done.returncode == 73
    assert b"was NOT sent" in done.stderr
    assert list(spool.iterdir()) == []


def test_an_address_that_would_be_refused_later_is_refused_before_it_is_spooled(tmp_path):
    spool, settings = down(tmp_path)
    assert call(["a..b@example.com"], "\n", settings=settings).returncode == 65
    assert list(spool.iterdir()) == []


HEADS = {
    "a field": "To: " + ",\n ".join(f"user{number}@example.com" for number in range(5000)),
    "many fields": f"To: {TO}\n" + "X-A: b\n" * 1500,
    "a header": f"To: {TO}\nX-A: b\n" + " x\n" * 200_000,
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_header_that_would_be_refused_later_is_refused_before_it_is_spooled(tmp_path, head):
    spool, settings = down(tmp_path)
    done = call(["-t", "-i"], f"{head}\n\nHello\n", settings=settings, seconds=20)
    assert (done.returncode, done.stderr.count(b"\n")) == (65, 1)
    assert list(spool.iterdir()) == []


def test_what_root_spools_can_be_read_by_the_gateway(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda _, user, group: given.append((user, group)))
    spool_file.put(str(tmp_path), spool_file.Envelope("root@example.com", [TO], 1), b"x")
    assert given == [(-1, tmp_path.stat().st_gid)]
    (file,) = tmp_path.glob("*.mail")
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("after", [0.01, 0.03, 0.05, 0.08, 0.12])
def test_killed_at_any_moment_it_leaves_a_whole_file_or_none_that_counts(tmp_path, after):
    spool, settings = down(tmp_path)
    environ = {"PYTHONPATH": str(ROOT / "src")} | settings
    run = subprocess.Popen([*PROGRAM, "-i", TO], stdin=subprocess.PIPE, env=environ, stderr=subprocess.DEVNULL)
    assert run.stdin is not None
    killer = threading.Timer(after, lambda: run.send_signal(signal.SIGKILL))
    killer.start()
    try:
        run.communicate(b"Subject: x\n\n" + b"y" * 60 + b"\n" * 2_000_000, 20)
    finally:
        killer.cancel()
    for file in spool.glob("*.mail"):
        head, _, content = file.read_bytes().partition(b"\n\n")
        size = re.search(rb"size: (\d+)", head)
        assert size is not None
        assert int(size[1]) == len(content)
    if run.returncode == 0:
        assert len(list(spool.glob("*.mail"))) == 1


class Gateway:
    """A gateway that behaves as a test says, on a Unix socket."""

    def __init__(self, path, *replies):
        self.path, self.replies = path, replies
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen()
        self.heard = b""
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        with self.server, self.server.accept()[0] as session:
            for reply in self.replies:
                if reply is None:
                    return
                session.sendall(reply)
                if reply.startswith(b"5"):
                    return
                session.settimeout(5)
                while not self.heard.endswith(b"\r\n"):
                    if not (data := session.recv(65536)):
                        return
                    self.heard += data
                self.heard += b" "


OK = b"250 Ok\r\n"


@pytest.mark.parametrize("replies", [
    (None,), (b"421 stopping\r\n",), (b"220 x\r\n", OK, b"452 busy\r\n250 Ok\r\n"),
    (b"530 log in\r\n",), (b"220 x\r\n", OK, OK + OK, b"354 go\r\n", b"451 nobody knows\r\n"),
    (b"220 x\r\n", OK, OK + OK, b"354 go\r\n", None),
])  # fmt: skip
def test_a_gateway_that_does_not_take_it_now_leads_to_the_spool(tmp_path, replies):
    spool, settings = down(tmp_path)
    gateway = Gateway(tmp_path / "none.sock", *replies)
    done = call(["-i", TO], "Subject: x\n\nHello\n", settings=settings)
    gateway.thread.join(10)
    assert (done.returncode, done.stderr) == (0, b"")
    (file,) = spool.glob("*.mail")
    assert b"Secondpost-Idempotency-Key: sendmail-" in file.read_bytes()


@pytest.mark.parametrize(("said", "code"), [
    (b"550 5.1.3 no address", 67), (b"552 5.3.4 large", 65), (b"553 5.7.1 not you", 77), (b"554 oh", 69)
])  # fmt: skip
def test_a_gateway_that_refuses_is_believed_and_its_words_are_told(tmp_path, said, code):
    spool, settings = down(tmp_path)
    Gateway(tmp_path / "none.sock", b"220 x\r\n", OK, said + b"\r\n")
    done = call(["-i", TO], "\n", settings=settings)
    assert done.returncode == code
    assert said in done.stderr
    assert list(spool.iterdir()) == []


# ── what it costs ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_it_loads_next_to_nothing():
    code = "import sys, secondpost.entrypoints.sendmail; print(*sys.modules)"
    environ = {"PYTHONPATH": str(ROOT / "src"), "PATH": os.environ["PATH"]}
    run = subprocess.run([sys.executable, "-S", "-c", code], env=environ, capture_output=True, text=True, check=True)
    for name in ("re", "socket", "typing", "asyncio", "click", "email", "pathlib", "tomllib", "contextlib", "enum"):
        assert name not in run.stdout.split(), name


def test_it_is_installed_as_a_command():
    program = shutil.which("secondpost-sendmail", path=str(Path(sys.executable).parent))
    assert program is not None
    assert call(["-V"], "", program=[program]).returncode == 0
