"""Programs that hand in mail by calling `sendmail`: the real ones, and what they call is ours.

Each is skipped only where it is not installed, and never in CI.
"""

from email import message_from_bytes

import pytest

from tests import mail_libraries, peers
from tests.gateway import new_mark
from tests.provider import HOST, free_port, wait_until

TO = "anna@example.com"
BODY = b"Hello\n.\n.a dot\n"
ARRIVED = BODY.replace(b"\n", b"\r\n")


@pytest.fixture
def sendmail(stage, tmp_path):
    return mail_libraries.our_sendmail(tmp_path, SECONDPOST_CONFIG=stage.gateway.config)


@pytest.fixture
def unreachable(tmp_path):
    """There is neither a gateway nor a spool."""
    return mail_libraries.our_sendmail(
        tmp_path, SECONDPOST_SENDMAIL__SOCKET=tmp_path / "none", SECONDPOST_SENDMAIL__SPOOL=tmp_path / "none",
        SECONDPOST_SMTP__LISTEN=f"{HOST}:{free_port()}",
    )  # fmt: skip


def succeeds(program, *words, stdin=b"", **options):
    peers.requires(program)
    done = peers.run(program, *words, stdin=stdin, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def arrived(stage, mark):
    """The one copy that the primary got."""

    def copies():
        return [copy for copy in stage.primary.mail if mark.encode() in copy.data]

    wait_until(copies, 10, stage.gateway.report)
    (copy,) = copies()
    return copy


def body(copy):
    return copy.data.partition(b"\r\n\r\n")[2]


# ── PHP ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

MAIL = """
$fields = ['X-Test-Id' => $argv[2], 'Bcc' => 'bert@example.com'];
exit(mail($argv[1], 'Your order', "Hello\\n.\\n.a dot\\n", $fields, '-fshop@example.com') ? 0 : 1);
"""


def php_mail(sendmail, mark, flags="-t -i -fwww@example.com"):
    peers.requires("php")
    return peers.run("php", "-d", f"sendmail_path={sendmail} {flags}", "-r", MAIL, "--", TO, mark)


def test_phps_mail(stage, sendmail):
    mark = new_mark()
    assert php_mail(sendmail, mark).returncode == 0
    assert body(arrived(stage, mark)) == ARRIVED + b"\r\n"  # PHP's own
    wait_until(lambda: stage.primary.copies[mark, "bert@example.com"], 5)
    row = next(row for row in stage.gateway.ask("log_export")[0] if row["subject"] == "Your order")
    _, entry = stage.gateway.ask("log_show", id=row["id"])
    assert entry["sender"] == "shop@example.com"


def test_phps_mail_is_told_that_nothing_was_sent(unreachable):
    done = php_mail(unreachable, new_mark())
    assert done.returncode == 1
    assert b"was NOT sent" in done.stderr


# ── cron ────────────────────────────────────────────────────────────────────────────────────────────────────────────

# In a view of the file system of its own, where `sendmail` is ours and there is no other table than this one.
CRON = """
set -e
for folder in /run /var/spool/cron /etc/cron.d; do mount -t tmpfs none $folder; done
mount --bind /dev/null /etc/crontab
mount --bind "$1" /usr/sbin/sendmail
mkdir -m 1730 /var/spool/cron/crontabs
printf 'MAILTO=%s\\n@reboot echo %s\\n' "$2" "$3" >/var/spool/cron/crontabs/root
chmod 600 /var/spool/cron/crontabs/root
exec timeout 20 cron -f
"""


def test_cron(stage, sendmail):
    peers.requires("cron", "unshare")
    peers.requires_root()
    mark = new_mark()
    with peers.running("unshare", "--mount", "sh", "-c", CRON, "cron", sendmail, TO, mark):
        copy = arrived(stage, mark)
    assert body(copy) == f"{mark}\r\n".encode()
    assert message_from_bytes(copy.data)["From"] == f"root@{copy.sender.partition('@')[2]} (Cron Daemon)"


# ── programs that people write mail with ────────────────────────────────────────────────────────────────────────────


def test_s_nail(stage, sendmail):
    mark = new_mark()
    words = ["-:/", "-S", "v15-compat=y", "-S", f"mta={sendmail}", "-C", f"X-Test-Id: {mark}", "-s", mark]
    succeeds("s-nail", *words, "-r", "shop@example.com", "-b", "bert@example.com", TO, stdin=BODY)
    assert body(arrived(stage, mark)) == ARRIVED
    wait_until(lambda: stage.primary.copies[mark, "bert@example.com"], 5)


def test_mutt(stage, sendmail):
    mark = new_mark()
    settings = (
        f"set sendmail='{sendmail} -oem -oi' copy=no from=shop@example.com use_envelope_from; my_hdr X-Test-Id: {mark}"
    )
    succeeds("mutt", "-n", "-F", "/dev/null", "-e", settings, "-s", mark, "--", TO, stdin=BODY)
    assert body(arrived(stage, mark)) == ARRIVED


def test_git_send_email(stage, sendmail, tmp_path):
    peers.requires("git-send-email")
    mark, patch = new_mark(), tmp_path / "0001.patch"
    patch.write_bytes(f"From: Shop <shop@example.com>\nSubject: {mark}\nX-Test-Id: {mark}\n\n".encode() + BODY)
    config = ["-c", f"sendemail.smtpServer={sendmail}", "-c", "user.name=Shop", "-c", "user.email=shop@example.com"]
    succeeds("git", *config, "send-email", "--quiet", "--confirm=never", "--cc", "bert@example.com", "--to", TO, patch)
    assert body(arrived(stage, mark)) == ARRIVED
    wait_until(lambda: stage.primary.copies[mark, "bert@example.com"], 5)


# ── libraries ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("library", mail_libraries.LIBRARIES)
def test_a_library_that_pipes_into_sendmail(stage, sendmail, library):
    mark = new_mark()
    mail_libraries.send(library, "sendmail", f"{sendmail} -t -i" if library == "symfony" else sendmail, mark)
    mail_libraries.arrived_once(stage.primary, mark)


def test_symfony_speaks_smtp_with_sendmail(stage, sendmail):
    mark = new_mark()
    mail_libraries.send("symfony", "sendmail", f"{sendmail} -bs", mark)
    mail_libraries.arrived_once(stage.primary, mark)
