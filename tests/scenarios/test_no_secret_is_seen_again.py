"""Secrets are planted wherever one can be and everything is used: none is on a page, in an export, an error or a log.

They are in the database as ciphertext only.
"""

import http.cookiejar
import json
import re
import smtplib
import urllib.error
import urllib.request
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlencode, urljoin, urlsplit

import pyotp
import pytest

from secondpost import mailers
from secondpost.admin.permissions import TABLE
from tests.gateway import Gateway
from tests.provider import Provider, free_port

PASSWORD = "quiet harbor canary-lantern"
FEW = 4
PEM = "dkim_key"  # a canary is none
SAMPLE = {"domain": "canary.example", "region": "us-east-1", "account": "12345", "inbox": "1"}


@dataclass
class Reader:
    """A browser that only reads: it remembers every page that it got, by where it got it."""

    us: str
    seen: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))

    def ask(self, path, form=None, **headers):
        """The body of a page, an error's included."""
        data = None if form is None else urlencode(form, doseq=True).encode()
        request = urllib.request.Request(self.us + path, data, {"Sec-Fetch-Site": "same-origin"} | headers)
        try:
            with self.opener.open(request, timeout=30) as answer:
                endless = answer.headers.get_content_type() == "text/event-stream"
                text = (answer.readline() if endless else answer.read()).decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            text = error.read().decode("utf-8", "replace")
        self.seen[f"{'GET' if form is None else 'POST'} {path}"] = text
        return text

    def crawl(self) -> None:
        """Every page that has a route or that a link leads to; of those that differ in their query, a few."""
        ahead = [route.split()[1] for route in TABLE if route.startswith("GET ") and "{" not in route]
        known, alike = set(ahead), Counter[str]()
        while ahead:
            path = ahead.pop()
            for link in re.findall(r'href="([^"#]+)"', self.ask(path)):
                target = urlsplit(urljoin(self.us + path, link.replace("&amp;", "&")))
                short = target.geturl().removeprefix(self.us)
                if short.startswith("/") and short not in known and alike[target.path] < FEW:
                    alike[target.path] += 1
                    known.add(short)
                    ahead.append(short)


@dataclass
class Planter:
    """Plants canaries: each is another, so that the one that is found tells where it came from."""

    gateway: Gateway
    reader: Reader
    canaries: dict[str, str] = field(default_factory=dict)  # secret → what it is

    def canary(self, what):
        text = f"canary-{len(self.canaries)}-{what}"
        self.canaries[text] = what
        return text

    def connections(self, locked: Provider) -> None:
        """One of every mailer, and one whose server asks for another password."""
        for name in mailers.MAILERS:
            settings = mailers.find(name).settings
            given = {one.name: self.canary(name) for one in settings if one.kind == "secret" and one.name != PEM}
            for one in settings:
                if one.required and one.kind in ("text", "choice"):
                    given[one.name] = one.choices[-1] if one.choices else SAMPLE.get(one.name, "canary")
            if name == "smtp":
                given |= {"host": "127.0.0.1", "port": free_port()}
            self.gateway.ask("connections_add", name=name, mailer=name, enabled=False, **given)
        where = {"host": "127.0.0.1", "port": locked.port, "encryption": "none", "username": "u"}
        auth = {"password": self.canary("log-in"), "allow_plaintext_auth": True}
        self.gateway.ask("connections_add", name="locked", mailer="smtp", **where, **auth)
        dsn = f"smtp://u:{self.canary('dsn')}@127.0.0.1:{free_port()}?encryption=none"
        self.gateway.ask("connections_add", name="dsn", dsn=dsn)

    def programs(self) -> None:
        for operation, field_ in (("credentials_add", "secret"), ("keys_add", "key")):
            self.canaries[self.gateway.ask(operation, name="shop")[1][field_]] = operation
        signing = self.gateway.ask("keys_add", name="sdk", signing=True)[1]
        self.canaries[signing["secret"]] = "signing key"
        link = self.gateway.ask("users_add", email="ben@example.com", role="viewer")[1]["url"]
        self.canaries[link.rpartition("/")[2]] = "invitation"

    def me(self) -> None:
        """The owner's account with one-time codes."""
        link = self.gateway.ask("setup_url")[1]["url"]
        form = {"email": "ada@example.com", "password": PASSWORD, "again": PASSWORD}
        self.reader.ask(link[link.index("/join/") :], form)
        secret = re.search(r'name="secret" value="(\w+)"', self.reader.ask("/account/codes"))
        assert secret is not None
        form = {"secret": secret.group(1), "code": pyotp.TOTP(secret.group(1)).now(), "current": PASSWORD}
        recovery = re.findall(r"\b[0-9a-f]{10}\b", self.reader.ask("/account/codes", form))
        assert len(recovery) == 8
        self.canaries |= {PASSWORD: "password", secret.group(1): "seed"} | dict.fromkeys(recovery, "recovery code")
        self.canaries |= {str(cookie.value): "session" for cookie in self.reader.jar if cookie.name == "secondpost"}
        self.reader.seen.clear()  # it is shown once, to who makes it

    def mistakes(self) -> None:
        """What is wrong is told, and what was typed is not."""
        reader = self.reader
        form = {"mailer": "smtp", "nickname": "x", "smtp.port": "many", "smtp.password": self.canary("form")}
        assert "whole number" in reader.ask("/settings/connections/new", form)
        reader.ask("/sign-in", {"email": "ada@example.com", "password": self.canary("sign-in")})
        reader.ask("/account/password", {"current": self.canary("account"), "password": "x", "again": "y"})
        reader.ask("/join/" + self.canary("link"))
        reader.ask("/v1/messages", Authorization=f"Bearer {self.canary('bearer')}")
        for dsn in (f"smtp://u:{self.canary('bad-dsn')}@host:port", f"nonsense+api://{self.canary('scheme')}@default"):
            with pytest.raises(AssertionError) as told:
                self.gateway.ask("connections_add", name="bad", dsn=dsn)
            reader.seen[f"error of {dsn.partition(':')[0]}"] = str(told.value)
        with pytest.raises(AssertionError) as told:
            self.gateway.ask("connections_add", name="bad", mailer="smtp", host="h", dkim_key=self.canary("pem"))
        reader.seen["error of a key"] = str(told.value)
        with self.gateway.client() as client, suppress(smtplib.SMTPException):
            client.login("shop", self.canary("smtp"))


def use(gateway: Gateway, reader: Reader) -> None:
    """Tests, drills, verifying, sending, exporting: all that writes something down or tells something."""
    for name in ("locked", "dsn"):
        reader.ask("/tools/email-test", {"to": "a@example.com", "connection": name, "html": "on"})
        reader.ask(f"/settings/connections/{name}/verify", {})
    gateway.becomes(gateway.send(), "accepted")
    reader.ask("/tools/export/log", {"form": "csv"})
    reader.ask("/tools/export/settings", {})
    reader.crawl()
    reader.ask("/v1/openapi.json")
    reader.ask("/metrics")
    for words in (
        "config show --origin", "connections list --json", "connections verify locked --json", "users list",
        "keys list", "credentials list", "log list --json", "log export --format csv -", "queue", "health",
    ):  # fmt: skip
        done = gateway.run(*words.split())
        reader.seen[words] = done.stdout + done.stderr
    for row in gateway.log().values():
        reader.seen[f"log show {row['id']}"] = gateway.run("log", "show", "--transcript", row["id"]).stdout


@pytest.mark.timeout(100)
def test_no_planted_secret_is_seen_again(tmp_path, primary):
    with Gateway(tmp_path, primary=primary) as gateway, Provider(users={"u": "another"}) as locked:
        reader = Reader(f"http://127.0.0.1:{gateway.http_port}")
        planter = Planter(gateway, reader)
        planter.connections(locked)
        planter.programs()
        planter.me()
        planter.mistakes()
        use(gateway, reader)
        assert gateway.stop() == 0
        reader.seen["standard error"] = gateway.output()
        assert len([name for name in reader.seen if name.startswith("GET")]) > 60
        assert "535" in json.dumps(reader.seen)  # the transcripts of the failed log-ins were looked at, too
        found = [
            f"{what} at {place}"
            for place, text in reader.seen.items()
            for secret, what in planter.canaries.items()
            if secret in text
        ]
        assert found == []
        kept = b"".join([path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()])
        assert b"ada@example.com" in kept or b"shop" in kept
        assert [what for secret, what in planter.canaries.items() if secret.encode() in kept] == []
