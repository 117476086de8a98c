"""A real WordPress in three ways: by `sendmail_path`, as any SMTP plug-in does it, and by our must-use plug-in."""

import json
import re
import select
import socket
import threading
from email import message_from_bytes
from typing import Self

import pytest

from tests import mail_libraries
from tests.gateway import ROOT, new_mark
from tests.provider import HOST, free_port, total, wait_until
from tests.wordpress import ADMIN, WordPress

OURS = (ROOT / "packaging/wordpress/secondpost.php").read_text()
PHP = re.compile(r"^```php\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RESET = "[Shop] Password Reset"
MAIL = """
require 'wp-load.php';
echo (int) wp_mail('anna@example.com', 'Your order', $argv[1], 'X-Test-Id: ' . $argv[1]);
"""


class Cutter:
    """Stands before the gateway for one session, and hangs up instead of passing on the answer to the message."""

    def __init__(self, gateway: int) -> None:
        self._gateway = gateway
        self._server = socket.create_server((HOST, 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        self._thread.join(10)

    def _serve(self) -> None:
        client, _ = self._server.accept()
        with client, socket.create_connection((HOST, self._gateway)) as gateway:
            reply = b""
            while not reply.startswith(b"354"):
                reply = self._passed(gateway, client)
                self._passed(client, gateway)
            while not select.select([gateway], [], [], 0)[0]:
                if select.select([client], [], [], 0.05)[0]:
                    self._passed(client, gateway)

    @staticmethod
    def _passed(source: socket.socket, target: socket.socket) -> bytes:
        data = source.recv(65536)
        target.sendall(data)
        return data


def guides_snippet(port: int) -> str:
    """What the guide shows for those who have no plug-in."""
    guide = (ROOT / "docs/guides/wordpress.md").read_text()
    (snippet,) = [text for text in PHP.findall(guide) if "phpmailer_init" in text]
    assert "2525" in snippet
    return str(snippet).replace("2525", str(port))


@pytest.fixture(scope="module")
def site(stage, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wordpress")
    program = mail_libraries.our_sendmail(folder, SECONDPOST_CONFIG=stage.gateway.config)
    with WordPress(folder, f"{program} -t -i") as site:
        yield site


def copies(stage, mark):
    """By whichever connection: the primary has been down."""
    return total(stage.primary, stage.backup)[mark, "anna@example.com"]


def said_of(stage, row):
    return json.loads(stage.gateway.ask("log_show", id=row["id"])[1]["notes"])


def prepare(site, way, port):
    site.plug_in({"sendmail_path": "", "SMTP": guides_snippet(port), "our plug-in": OURS}[way])
    site.configure(SECONDPOST_PORT=port)


@pytest.mark.parametrize("way", ["sendmail_path", "SMTP", "our plug-in"])
def test_a_password_reset_goes_out_by_the_backup_while_the_primary_is_down(stage, site, way):
    prepare(site, way, stage.gateway.port)
    stage.primary.refuse()
    before = len(stage.backup.mail)
    try:
        assert "checkemail=confirm" in site.forgot_password("admin")
        wait_until(lambda: len(stage.backup.mail) > before, 20, stage.gateway.report)
    finally:
        stage.primary.heal()
    (copy,) = stage.backup.mail[before:]
    message = message_from_bytes(copy.data)
    assert copy.recipients == (ADMIN,)
    assert message["Subject"] == RESET
    assert "action=rp&key=" in str(message)
    assert not [name for name in message if name.lower().startswith("secondpost")]


def test_our_plug_in_says_who_sends_and_that_somebody_waits(stage, site):
    prepare(site, "our plug-in", stage.gateway.port)
    mark = new_mark()
    (site.site / "wp-content/plugins/orders").mkdir()
    plugin = site.site / "wp-content/plugins/orders/orders.php"
    plugin.write_text("<?php wp_mail('anna@example.com', $argv[1], 'On its way.', 'X-Test-Id: ' . $argv[1]);")
    site.script(f"require 'wp-load.php'; require '{plugin}';", mark)
    wait_until(lambda: copies(stage, mark) == 1, 10, stage.gateway.report)
    assert said_of(stage, stage.gateway.log()[mark]) == {"initiator": "plugin:orders"}
    before = stage.gateway.ask("log_export")[0]
    site.forgot_password("admin")
    (row,) = [row for row in stage.gateway.ask("log_export")[0] if row not in before and row["subject"] == RESET]
    assert row["priority"] == "urgent"
    assert said_of(stage, row) == {"initiator": "wordpress"}


def test_what_failed_and_is_sent_again_is_taken_once(stage, site):
    """The gateway takes the message, and its answer is lost on the way."""
    mark = new_mark()
    with Cutter(stage.gateway.port) as cutter:
        prepare(site, "our plug-in", cutter.port)
        assert site.script(MAIL, mark) == "0"
    prepare(site, "our plug-in", stage.gateway.port)
    assert site.script(MAIL, mark) == "1"
    wait_until(lambda: copies(stage, mark), 10, stage.gateway.report)
    assert copies(stage, mark) == 1
    assert site.script(MAIL, mark) == "1"  # nothing failed before: the same text once more is a new message
    wait_until(lambda: copies(stage, mark) == 2, 10, stage.gateway.report)


def test_wordpress_is_told_when_the_gateway_does_not_run(site):
    prepare(site, "our plug-in", free_port())
    assert site.script(MAIL, new_mark()) == "0"
    assert site.forgot_password("admin") == ""
