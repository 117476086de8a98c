"""A connection by OAuth: a person signs in with a browser, mail goes, and a restart needs nobody."""

import urllib.error
import urllib.request
from dataclasses import replace
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.gateway import Gateway
from tests.mailers import test_gmail
from tests.providers.server import Provider as Api
from tests.providers.tokens import Tokens

TO = "anna@example.com"


def ask(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_sign_in_send_restart_and_be_withdrawn(tmp_path, backup):
    tokens = Tokens()
    with Api(replace(test_gmail.PEER, authorized=tokens.lets_in, look=tokens.answer)) as api:
        primary = {"mailer": "gmail", **api.settings, "refresh_token": ""}
        with Gateway(tmp_path, primary=primary, backup=backup) as gateway:
            first = gateway.send()
            gateway.becomes(first, "accepted")
            assert gateway.attempts(first) == ["primary", "backup"]
            assert "nobody has signed in" in gateway.story(first)

            shown = gateway.cli("connections", "connect", "primary")
            page = {name: value[0] for name, value in parse_qs(urlsplit(shown["url"]).query).items()}
            assert page["redirect_uri"] == shown["redirect"] == f"http://localhost:{gateway.http_port}/oauth/callback"
            assert page["code_challenge_method"] == "S256"
            tokens.codes["c-1"] = page["code_challenge"]
            back = urlencode({"state": page["state"], "code": "c-1"})
            assert ask(f"{shown['redirect']}?{urlencode({'state': 'x', 'code': 'c-1'})}")[0] == 400
            assert ask(f"{shown['redirect']}?{back}") == (
                200,
                ask_text("Signed in to primary. You can close this page."),
            )
            assert ask(f"{shown['redirect']}?{back}")[0] == 400

            gateway.restart()
            second = gateway.send()
            gateway.becomes(second, "accepted")
            assert gateway.attempts(second) == ["primary"]
            assert len([one for one in tokens.asked if one["grant_type"] == "authorization_code"]) == 1
            text = gateway.output() + gateway.story(second)
            assert "canary" not in text
            assert gateway.complaints == []
        found = [path for path in tmp_path.rglob("*") if path.is_file() and b"refresh-canary" in path.read_bytes()]
        assert found == []  # encrypted at rest


def ask_text(text):
    return f'<!doctype html><html lang="en"><title>Secondpost</title><p>{text}</p></html>'
