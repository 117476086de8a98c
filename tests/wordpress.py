"""A real WordPress, as Debian has it: on a MariaDB of its own, behind PHP's built-in server.

Rule: it lives in one folder and on loopback, and asks nothing of the machine's own web or database server.
"""

import http.client
import os
import shutil
import subprocess
import urllib.parse
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests import peers
from tests.provider import HOST, free_port, wait_until

SOURCE = Path("/usr/share/wordpress")
NEEDS = ("php", "mariadbd", "mariadb-install-db", "mariadb", str(SOURCE / "wp-load.php"))
SITE = "shop.example"
ADMIN = "admin@shop.example"
CONFIG = """<?php
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:{socket}');
define('DB_CHARSET', 'utf8mb4');
define('WP_HOME', 'http://{site}');
define('WP_SITEURL', 'http://{site}');
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
{more}
$table_prefix = 'wp_';
require_once __DIR__ . '/wp-settings.php';
"""
INSTALL = """
define('WP_INSTALLING', true);
require 'wp-load.php';
require 'wp-admin/includes/upgrade.php';
wp_install('Shop', 'admin', $argv[1], false, '', 'secret');
"""


class WordPress:
    """`with WordPress(folder, sendmail) as site:` installs one."""

    def __init__(self, folder: Path, sendmail: str) -> None:
        peers.requires(*NEEDS)
        self.folder, self.sendmail, self.port = folder, sendmail, free_port()
        self.site, self.plugins = folder / "site", folder / "site/wp-content/mu-plugins"
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with self._open:
            self._start_database()
            shutil.copytree(SOURCE, self.site)
            self.plugins.mkdir()
            self.configure()
            self.script(INSTALL, ADMIN)
            words = ["-d", f"sendmail_path={self.sendmail}", "-S", f"{HOST}:{self.port}", "-t", self.site]
            self._open.enter_context(peers.running("php", *words))
            peers.wait_for_port(self.port, 10)
            self._open = self._open.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _start_database(self) -> None:
        data, socket = self.folder / "db", self.folder / "db.sock"
        user = "root" if os.geteuid() == 0 else ""
        options = ["--no-defaults", f"--datadir={data}", *[f"--user={user}"] * bool(user)]
        made = peers.run("mariadb-install-db", *options, "--auth-root-authentication-method=normal", "--skip-test-db")
        assert made.returncode == 0, made.stdout + made.stderr
        server = [f"--socket={socket}", "--skip-networking", f"--pid-file={self.folder}/db.pid", "--skip-grant-tables"]
        self._open.enter_context(peers.running("mariadbd", *options, *server, "--innodb-flush-log-at-trx-commit=0"))
        wait_until(socket.exists, 20)
        assert peers.run("mariadb", f"--socket={socket}", "-e", "CREATE DATABASE wordpress").returncode == 0

    def configure(self, **constants: object) -> None:
        """With these constants in wp-config.php."""
        more = "\n".join(f"define('{name}', {value!r});" for name, value in constants.items())
        text = CONFIG.format(socket=self.folder / "db.sock", site=SITE, more=more)
        (self.site / "wp-config.php").write_text(text)

    def plug_in(self, text: str) -> None:
        """This one must-use plug-in, and no other."""
        for file in self.plugins.iterdir():
            file.unlink()
        if text:
            (self.plugins / "secondpost.php").write_text(text)

    def script(self, code: str, *words: str) -> str:
        """What a script in the site's folder prints."""
        command = [str(peers.find("php")), "-d", f"sendmail_path={self.sendmail}", "-r", code, "--", *words]
        environ = os.environ | {"HTTP_HOST": SITE}
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.site, env=environ)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def forgot_password(self, user: str) -> str:
        """Where the page leads that a person sends who has forgotten the password; empty when it says an error."""
        server = http.client.HTTPConnection(HOST, self.port, timeout=60)
        form = urllib.parse.urlencode({"user_login": user, "redirect_to": "", "wp-submit": "Get New Password"})
        headers = {"Host": SITE, "Content-Type": "application/x-www-form-urlencoded"}
        server.request("POST", "/wp-login.php?action=lostpassword", form, headers)
        answer = server.getresponse()
        answer.read()
        server.close()
        return answer.headers.get("Location", "")
