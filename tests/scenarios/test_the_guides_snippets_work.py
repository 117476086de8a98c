"""What docs/guides/point-your-app-here.md shows is run as it stands, but for the port."""

import re
import sys

import pytest

from tests import peers
from tests.gateway import ROOT, message
from tests.mail_libraries import CLIENTS
from tests.provider import wait_until

GUIDE = (ROOT / "docs/guides/point-your-app-here.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL))
RUNS = {
    "Python: smtplib": (sys.executable, "-"),
    "Node: Nodemailer": ("node", "--input-type=module", "-"),
    "curl": ("sh", "-e"),
    "swaks": ("sh", "-e"),
}


def snippet(section, port):
    code = re.findall(r"^```\w+\n(.*?)^```$", SECTIONS[section], re.MULTILINE | re.DOTALL)[0]
    assert "2525" in code
    return code.replace("2525", str(port))


@pytest.mark.parametrize("section", RUNS)
def test_a_snippet_sends_a_message(stage, section, tmp_path):
    program, *words = RUNS[section]
    peers.requires(program, *{"curl": ["curl"], "swaks": ["swaks"]}.get(section, []))
    if program == "node":
        peers.requires(str(CLIENTS / "node_modules/nodemailer/package.json"))
    file = tmp_path / "message.eml"
    file.write_bytes(message("order").replace(b"\r\n", b"\n"))
    before = len(stage.primary.mail)
    code = snippet(section, stage.gateway.port).replace("message.eml", str(file))
    done = peers.run(program, *words, stdin=code.encode(), cwd=CLIENTS)
    assert done.returncode == 0, done.stdout + done.stderr
    wait_until(lambda: len(stage.primary.mail) == before + 1, 10, stage.gateway.report)
    assert stage.primary.mail[-1].recipients == ("anna@example.net",)
    assert stage.primary.mail[-1].sender == "shop@example.com"


def test_msmtp_sends_by_the_guides_settings(stage, tmp_path):
    peers.requires("msmtp")
    settings = tmp_path / "msmtprc"
    settings.write_text(snippet("msmtp", stage.gateway.port))
    settings.chmod(0o600)
    before = len(stage.primary.mail)
    done = peers.run("msmtp", "-C", settings, "anna@example.net", stdin=b"Subject: Your order\n\nIt is on its way.\n")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: len(stage.primary.mail) == before + 1, 10, stage.gateway.report)
