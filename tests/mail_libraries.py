"""Mail libraries of other languages, each in a small program of its language (in `clients/`).

Rule: each is the library as its registry or Debian has it, told nothing but where the gateway is.
"""

import shlex
import sys
from email import message_from_bytes
from pathlib import Path

from tests import peers
from tests.provider import Provider, wait_until
from tests.provider_session import Copy

CLIENTS = Path(__file__).parent / "clients"
LIBRARIES = {
    "nodemailer": ("node", "nodemailer.mjs", CLIENTS / "node_modules/nodemailer/package.json"),
    "phpmailer": ("php", "phpmailer.php", "/usr/share/php/libphp-phpmailer/autoload.php"),
    "ruby": ("ruby", "mail.rb", "/usr/lib/ruby/vendor_ruby/mail.rb"),
    "symfony": ("php", "symfony.php", "/usr/share/php/Symfony/Component/Mailer/autoload.php"),
}


def our_sendmail(folder: Path, **settings: object) -> Path:
    """A program that is `secondpost-sendmail`, told where the gateway is: most callers keep their own environment."""
    path = folder / "sendmail"
    told = " ".join(f"{name}={shlex.quote(str(value))}" for name, value in settings.items())
    path.write_text(f'#!/bin/sh\n{told} exec {Path(sys.executable).parent}/secondpost-sendmail "$@"\n')
    path.chmod(0o755)
    return path


def send(library: str, way: str, where: object, mark: str) -> None:
    """Have it send one message. It must succeed."""
    language, program, installed = LIBRARIES[library]
    peers.requires(language, str(installed))
    done = peers.run(language, CLIENTS / program, way, where, mark)
    assert done.returncode == 0, done.stdout + done.stderr


def arrived_once(primary: Provider, mark: str) -> Copy:
    """At both recipients, one of them hidden, with a body that a dot begins a line of."""
    to = ("anna@example.com", "bert@example.com")
    wait_until(lambda: all(primary.copies[mark, address] for address in to), 10, lambda: primary.copies)
    assert [primary.copies[mark, address] for address in to] == [1, 1]
    (copy,) = (copy for copy in primary.mail if copy.mark == mark)
    assert copy.data.partition(b"\r\n\r\n")[2].rstrip() == b"Hello\r\n.a dot"
    assert "bert" not in str(message_from_bytes(copy.data).items())
    assert copy.sender == "shop@example.com"
    return copy
